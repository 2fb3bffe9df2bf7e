/* pipelines/findings/comment.c - findings as people read them on a host. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/findings/comment.h"

#include "base/utf8.h"
#include "pipelines/findings/mark.h"
#include "pipelines/findings/markdown.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CELL_MAX 200 /* bytes of a message in the table */
#define NOTE_CUT "This was too long; all of it is in the log."

static const char *const words[] = {
    [FINDING_INFO] = "Note",
    [FINDING_WARNING] = "Warning",
    [FINDING_ERROR] = "Error",
};

static const char *word(const struct finding *finding)
{
    return finding->kind == FINDING_TEST ? "Failed test"
                                         : words[finding->severity];
}

/* ---- one finding --------------------------------------------------------- */

static void add_head(struct strbuf *out, const struct finding *finding)
{
    strbuf_addf(out, "**%s**", word(finding));
    if (*finding->tool) {
        strbuf_adds(out, " \xc2\xb7 ");
        markdown_text(out, finding->tool, MARKDOWN_TABLE);
    }
    if (*finding->rule) {
        strbuf_adds(out, " \xc2\xb7 ");
        markdown_code(out, finding->rule, 0);
    }
    strbuf_adds(out, "\n\n");
}

static void add_lines(struct strbuf *out, const struct remark *remark)
{
    const struct finding *finding = remark->finding;

    if (remark->place.clipped && !remark->moved)
        strbuf_addf(out, "\nThis is about lines %u to %u.\n", finding->line,
                    finding->end_line);
}

static void add_suggestion(struct strbuf *out, const struct remark *remark,
                           enum suggestion_style style)
{
    char info[48] = "suggestion";

    if (style == SUGGESTION_GITLAB) {
        uint32_t above = diff_line_number(remark->place.end, DIFF_NEW) -
                         diff_line_number(remark->place.start, DIFF_NEW);

        snprintf(info, sizeof(info), "suggestion:-%u+0", above);
    }
    strbuf_adds(out,
                style == SUGGESTION_NONE ? "\nSuggested instead:\n\n" : "\n");
    markdown_fence(out, style == SUGGESTION_NONE ? "" : info,
                   remark->suggestion);
}

static void write_body(struct strbuf *out, const struct remark *remark,
                       const struct comment_style *style, bool suggest)
{
    const struct finding *finding = remark->finding;

    mark_write(out, "finding", finding->fingerprint);
    strbuf_adds(out, style->marks ? style->marks : "");
    if (style->pipeline && *style->pipeline &&
        !mark_among(style->marks ? style->marks : "", "pipeline",
                    style->pipeline))
        mark_write(out, "pipeline", style->pipeline);
    add_head(out, finding);
    markdown_text(out, finding->message, 0);
    strbuf_adds(out, "\n");
    if (*finding->why && finding->kind == FINDING_TEST) {
        strbuf_adds(out, "\n");
        markdown_fence(out, "text", finding->why);
    } else if (*finding->why) {
        strbuf_adds(out, "\n");
        markdown_text(out, finding->why, 0);
        strbuf_adds(out, "\n");
    }
    add_lines(out, remark);
    if (suggest && remark->suggestion)
        add_suggestion(out, remark, style->suggestion);
}

char *comment_write(const struct remark *remark,
                    const struct comment_style *style)
{
    CLEANUP(strbuf) struct strbuf body = STRBUF_INIT;

    write_body(&body, remark, style, true);
    if (remark->suggestion &&
        markdown_count(body.data, body.len) > style->max) {
        strbuf_clear(&body);
        write_body(&body, remark, style, false);
    }
    markdown_cut(&body, style->max, NOTE_CUT);
    return strbuf_take(&body);
}

/* ---- all of them --------------------------------------------------------- */

static void add_count(struct strbuf *out, uint64_t count, const char *what,
                      bool plural)
{
    if (!count)
        return;
    strbuf_addf(out, "%s%" PRIu64 " %s%s", out->len ? ", " : "", count, what,
                plural && count != 1 ? "s" : "");
}

void summary_counts(struct strbuf *out, const struct findings *findings)
{
    CLEANUP(strbuf) struct strbuf issues = STRBUF_MAX(256);
    CLEANUP(strbuf) struct strbuf tests = STRBUF_MAX(256);
    uint64_t of[3] = {0, 0, 0};

    for (size_t i = 0; i < findings->count; i++)
        of[findings->items[i].severity] +=
            findings->items[i].kind == FINDING_ISSUE;
    add_count(&issues, of[FINDING_ERROR], "error", true);
    add_count(&issues, of[FINDING_WARNING], "warning", true);
    add_count(&issues, of[FINDING_INFO], "note", true);
    add_count(&issues, findings->overflow, "more that were not kept", false);
    add_count(&tests, findings->passed,
              findings->passed == 1 ? "test passed" : "tests passed", false);
    add_count(&tests, findings->failed,
              tests.len               ? "failed"
              : findings->failed == 1 ? "test failed"
                                      : "tests failed",
              false);
    add_count(&tests, findings->skipped, "skipped", false);
    if (!issues.len && !tests.len)
        strbuf_adds(&issues, "no findings");
    strbuf_adds(out, issues.data);
    strbuf_adds(out, issues.len && tests.len ? "; " : "");
    strbuf_adds(out, tests.data);
}

static void add_place(struct strbuf *out, const struct finding *finding)
{
    CLEANUP(mem) char *place = NULL;

    if (!*finding->path)
        return;
    if (!finding->line)
        place = xstrdup(finding->path);
    else if (finding->end_line > finding->line)
        place = xasprintf("%s:%u-%u", finding->path, finding->line,
                          finding->end_line);
    else
        place = xasprintf("%s:%u", finding->path, finding->line);
    markdown_code(out, place, MARKDOWN_TABLE);
}

/* The first line, cut at a character. */
static void add_message(struct strbuf *out, const struct finding *finding)
{
    size_t len = strcspn(finding->message, "\n"), at = 0;
    CLEANUP(mem) char *line = NULL;
    bool is_cut = len > CELL_MAX;
    uint32_t c;

    while (at < len && at < CELL_MAX) {
        size_t n = utf8_decode(finding->message + at, len - at, &c);

        at += n ? n : 1;
    }
    line = xstrndup(finding->message, at);
    markdown_text(out, line, MARKDOWN_TABLE);
    if (is_cut)
        strbuf_adds(out, "\xe2\x80\xa6");
}

static void add_row(struct strbuf *out, const struct finding *finding)
{
    strbuf_addf(out, "| %s | ", word(finding));
    add_place(out, finding);
    strbuf_adds(out, " | ");
    if (*finding->rule) {
        markdown_code(out, finding->rule, MARKDOWN_TABLE);
        strbuf_adds(out, " ");
    }
    if (strcmp(finding->message, finding->rule) != 0)
        add_message(out, finding);
    strbuf_adds(out, " |\n");
}

struct row {
    const struct finding *finding; /* borrowed */
};

static int worst_first(const void *a, const void *b)
{
    const struct finding *x = ((const struct row *)a)->finding;
    const struct finding *y = ((const struct row *)b)->finding;
    int order = (int)y->severity - (int)x->severity;

    return order ? order : (x > y) - (x < y);
}

/* How many are listed; `out_rows` is owned by the caller. */
static size_t choose(const struct findings *findings,
                     const struct summary_spec *spec, struct row **out_rows)
{
    struct row *rows = xcalloc(findings->count + 1, sizeof(*rows));
    size_t count = 0;

    for (size_t i = 0; i < findings->count; i++)
        if (!spec->listed || spec->listed(spec->arg, &findings->items[i]))
            rows[count++].finding = &findings->items[i];
    qsort(rows, count, sizeof(*rows), worst_first);
    *out_rows = rows;
    return count;
}

static void write_summary(struct strbuf *out, const struct findings *findings,
                          const struct summary_spec *spec, size_t rows)
{
    CLEANUP(mem) struct row *list = NULL;
    size_t count = choose(findings, spec, &list);
    uint64_t more;

    mark_write(out, "summary", spec->key);
    strbuf_adds(out, "### ");
    markdown_text(out, spec->title, MARKDOWN_TABLE);
    strbuf_adds(out, "\n\n");
    summary_counts(out, findings);
    strbuf_adds(out, ".\n");
    if (rows > count)
        rows = count;
    if (rows)
        strbuf_adds(out, "\n| | Where | What |\n|---|---|---|\n");
    for (size_t i = 0; i < rows; i++)
        add_row(out, list[i].finding);
    more = count - rows + findings->overflow;
    if (more)
        strbuf_addf(out, "\n+%" PRIu64 " more in the log.\n", more);
}

/* Rows that do not fit are counted as those that were not to be shown. */
char *summary_write(const struct findings *findings,
                    const struct summary_spec *spec)
{
    CLEANUP(strbuf) struct strbuf body = STRBUF_INIT;
    size_t rows = spec->max_rows;

    for (;;) {
        strbuf_clear(&body);
        write_summary(&body, findings, spec, rows);
        if (!rows || (!body.truncated &&
                      markdown_count(body.data, body.len) <= spec->max))
            break;
        rows = rows > findings->count ? findings->count : rows;
        rows = rows * 3 / 4;
    }
    markdown_cut(&body, spec->max, NOTE_CUT);
    return strbuf_take(&body);
}
