/* scheduler/report/post/words.c - what checks and summaries say. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/report/post/words.h"

#include "base/arena.h"
#include "pipelines/findings/mark.h"
#include "pipelines/findings/markdown.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MAX_CHECK 65535 /* characters of GitHub's summaries */
#define NOTE_CUT  "This was too long; all of it is in the log."

/* ---- the title ----------------------------------------------------------- */

static const char *const words[] = {
    [CHECK_QUEUED] = "Queued",       [CHECK_RUNNING] = "Running",
    [CHECK_PASSED] = "Passed",       [CHECK_FAILED] = "Failed",
    [CHECK_CANCELLED] = "Cancelled", [CHECK_SKIPPED] = "Skipped",
    [CHECK_TIMED_OUT] = "Timed out"};

static bool is_plain_failure(const struct report_ask *ask)
{
    return ask->check.state == CHECK_FAILED &&
           (!*ask->reason || strcmp(ask->reason, "step_failed") == 0);
}

/* "out_of_memory" is "Out of memory". */
static void add_state(struct strbuf *out, const struct report_ask *ask)
{
    const char *reason = ask->reason;

    if (!*reason || is_plain_failure(ask) ||
        ask->check.state == CHECK_TIMED_OUT) {
        strbuf_adds(out, words[ask->check.state]);
        return;
    }
    strbuf_addc(out, (char)toupper((unsigned char)*reason));
    while (*++reason)
        strbuf_addc(out, *reason == '_' ? ' ' : *reason);
}

static bool has_counts(const struct findings *findings)
{
    return findings && (findings->count || findings->overflow ||
                        findings->passed || findings->failed);
}

char *words_title(const struct report_ask *ask, const struct findings *findings)
{
    CLEANUP(strbuf) struct strbuf title = STRBUF_MAX(4096);
    bool counts = has_counts(findings);
    size_t len = strcspn(ask->message, "\r\n");

    if (ask->check.state == CHECK_PASSED && findings) {
        summary_counts(&title, findings);
        return strbuf_take(&title);
    }
    if (!counts || !is_plain_failure(ask))
        add_state(&title, ask);
    if (counts) {
        strbuf_adds(&title, title.len ? "; " : "");
        summary_counts(&title, findings);
    } else if (len && ask->check.state != CHECK_PASSED) {
        strbuf_adds(&title, ": ");
        strbuf_add(&title, ask->message, len > 1000 ? 1000 : len);
    }
    if (ask->attempt > 1 && ask->check.state <= CHECK_RUNNING)
        strbuf_addf(&title, ", attempt %" PRId64, ask->attempt);
    return strbuf_take(&title);
}

/* ---- bodies -------------------------------------------------------------- */

static void add_foot(struct strbuf *out, const char *note)
{
    if (*note)
        strbuf_addf(out, "\n%s\n", note);
}

char *words_check(const struct report_ask *ask, const char *title,
                  const struct findings *findings)
{
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;
    CLEANUP(mem) char *table = NULL;
    const struct summary_spec spec = {.key = ask->key,
                                      .title = *ask->title ? ask->title
                                                           : ask->check.name,
                                      .max_rows = ask->max_rows,
                                      .max = MAX_CHECK - 16384};

    if (*ask->message) {
        markdown_text(&out, ask->message, 0);
        strbuf_adds(&out, "\n\n");
    }
    markdown_cut(&out, 8192, NOTE_CUT);
    if (findings) {
        const char *line;

        table = summary_write(findings, &spec);
        /* The mark is for comments. */
        line = strchr(table, '\n');
        strbuf_adds(&out, line ? line + 1 : table);
    }
    if (!out.len)
        markdown_text(&out, title, 0);
    add_foot(&out, ask->note);
    markdown_cut(&out, MAX_CHECK, NOTE_CUT);
    return strbuf_take(&out);
}

static bool is_row(void *arg, const struct finding *finding)
{
    const struct outline *outline = arg;

    return outline->items[finding - outline->findings->items].kind ==
           OUTLINE_ROW;
}

char *words_summary(const struct report_ask *ask, const struct outline *outline,
                    size_t max)
{
    CLEANUP(strbuf) struct strbuf foot = STRBUF_MAX(16384);
    CLEANUP(mem) char *table = NULL;
    struct summary_spec spec = {.key = ask->key,
                                .title = ask->title,
                                .max_rows = ask->max_rows,
                                .max = max,
                                .listed = is_row,
                                .arg = (void *)outline};
    size_t used;

    add_foot(&foot, ask->note);
    used = markdown_count(foot.data, foot.len);
    if (used > max / 2) {
        strbuf_clear(&foot);
        used = 0;
    }
    spec.max = max - used;
    table = summary_write(outline->findings, &spec);
    return xasprintf("%s%s", table, foot.data);
}

char *words_fixed(const char *fingerprint)
{
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;

    mark_write(&out, "finding", fingerprint);
    strbuf_adds(&out, "This is fixed: it was not found any more.\n");
    return strbuf_take(&out);
}

/* ---- annotations --------------------------------------------------------- */

static const char *join(struct arena *arena, const char *a, const char *sep,
                        const char *b)
{
    CLEANUP(mem)
    char *text = xasprintf("%s%s%s", a, *a && *b ? sep : "", b);

    return arena_strndup(arena, text, strlen(text));
}

static bool is_annotated(const struct outline_item *item, bool all)
{
    const struct finding *finding = item->remark.finding;

    return *finding->path && finding->side == DIFF_NEW &&
           (all || item->remark.place.where != DIFF_INLINE);
}

struct check_annotation *words_annotations(struct arena *arena,
                                           const struct outline *outline,
                                           bool all, size_t *out_count,
                                           size_t *out_left)
{
    struct check_annotation *made =
        arena_alloc(arena, (outline->count + 1) * sizeof(*made));

    *out_count = 0;
    *out_left = 0;
    for (size_t i = 0; i < outline->count; i++) {
        const struct outline_item *item = &outline->items[outline->order[i]];
        const struct finding *finding = item->remark.finding;

        if (!is_annotated(item, all))
            continue;
        if (*out_count == WORDS_MAX_ANNOTATIONS) {
            (*out_left)++;
            continue;
        }
        made[(*out_count)++] = (struct check_annotation){
            .path = finding->path,
            .line = finding->line,
            .end_line = finding->end_line,
            .column = finding->column,
            .end_column = finding->end_column,
            .severity = (int)finding->severity,
            .title = join(arena, finding->tool, ": ", finding->rule),
            .message = join(arena, finding->message, "\n\n", finding->why)};
    }
    return made;
}
