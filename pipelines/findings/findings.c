/* pipelines/findings/findings.c - the list, and the formats it is read from. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/findings/findings.h"

#include "pipelines/findings/path.h"
#include "pipelines/findings/reader.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *name;
    reader_fn *read;
} formats[FINDINGS_FORMAT_COUNT] = {
    [FINDINGS_TAP] = {"tap", read_tap},
    [FINDINGS_JUNIT] = {"junit", read_junit},
    [FINDINGS_SARIF] = {"sarif", read_sarif},
    [FINDINGS_RDJSON] = {"rdjson", read_rdjson},
    [FINDINGS_RDJSONL] = {"rdjsonl", read_rdjsonl},
    [FINDINGS_CHECKSTYLE] = {"checkstyle", read_checkstyle},
    [FINDINGS_ESLINT] = {"eslint", read_eslint},
    [FINDINGS_REVIEW] = {"review", read_review},
    [FINDINGS_OWN] = {"findings", read_own},
};

const char *findings_format_name(enum findings_format format)
{
    return formats[format].name;
}

int findings_format_find(const char *name)
{
    for (int i = 0; i < FINDINGS_FORMAT_COUNT; i++)
        if (strcmp(formats[i].name, name) == 0)
            return i;
    return -1;
}

static const char *const severities[] = {
    [FINDING_INFO] = "info",
    [FINDING_WARNING] = "warning",
    [FINDING_ERROR] = "error",
};

const char *finding_severity_name(enum finding_severity severity)
{
    return severities[severity];
}

enum finding_severity reader_severity(const char *word,
                                      enum finding_severity otherwise)
{
    static const struct {
        const char *word;
        enum finding_severity severity;
    } words[] = {
        {"error", FINDING_ERROR},     {"critical", FINDING_ERROR},
        {"high", FINDING_ERROR},      {"fatal", FINDING_ERROR},
        {"failure", FINDING_ERROR},   {"blocker", FINDING_ERROR},
        {"major", FINDING_ERROR},     {"warning", FINDING_WARNING},
        {"warn", FINDING_WARNING},    {"medium", FINDING_WARNING},
        {"minor", FINDING_WARNING},   {"info", FINDING_INFO},
        {"note", FINDING_INFO},       {"notice", FINDING_INFO},
        {"low", FINDING_INFO},        {"none", FINDING_INFO},
        {"suggestion", FINDING_INFO}, {"nit", FINDING_INFO},
    };

    for (size_t i = 0; word && i < ARRAY_LEN(words); i++)
        if (strcasecmp(word, words[i].word) == 0)
            return words[i].severity;
    return otherwise;
}

struct findings *findings_new(void)
{
    struct findings *findings = xcalloc(1, sizeof(*findings));

    findings->arena = arena_new();
    findings->note = "";
    return findings;
}

void findings_free(struct findings *findings)
{
    if (!findings)
        return;
    arena_free(findings->arena);
    free(findings);
}

int findings_read(struct findings *findings, enum findings_format format,
                  const struct findings_source *source, const void *text,
                  size_t len, struct err *err)
{
    struct reader reader = {findings, source};

    if (len > FINDINGS_MAX_BYTES)
        return err_set(err, ERR_USER, "%s: it is over %zu MiB",
                       findings_format_name(format), FINDINGS_MAX_BYTES >> 20);
    if (formats[format].read(&reader, text, len, err) < 0)
        return err_wrap(err, "%s", findings_format_name(format));
    return 0;
}

void reader_refuse(struct reader *reader, const char *fmt, ...)
{
    CLEANUP(mem) char *why = NULL;
    va_list ap;

    if (reader->out->refused++)
        return;
    va_start(ap, fmt);
    why = xvasprintf(fmt, ap);
    va_end(ap);
    reader->out->note = reader_text(reader->out->arena, why, strlen(why), 512);
}

static const char *copy(struct reader *reader, const char *s, size_t max)
{
    return s && *s ? reader_text(reader->out->arena, s, strlen(s), max) : "";
}

static const char *copy_url(struct reader *reader, const char *url)
{
    if (!url || strlen(url) > FINDING_MAX_PATH ||
        (strncmp(url, "https://", 8) != 0 && strncmp(url, "http://", 7) != 0))
        return "";
    for (const char *p = url; *p; p++)
        if (*p <= ' ' || *p > '~' || strchr("<>()[]\"'`\\|", *p))
            return "";
    return arena_strndup(reader->out->arena, url, strlen(url));
}

/* Half of a fix is worse than none. */
static void copy_fix(struct reader *reader, struct finding *made)
{
    struct finding_fix *fix = &made->fix;
    size_t len = fix->text ? strlen(fix->text) : 0;

    if (fix->end_line < fix->line)
        fix->end_line = fix->line;
    if (fix->text && fix->line && len <= FINDING_MAX_FIX && *made->path &&
        made->side == DIFF_NEW)
        fix->text = arena_strndup(reader->out->arena, fix->text, len);
    else
        *fix = (struct finding_fix){0};
}

static void settle_lines(struct finding *made)
{
    if (!*made->path || made->line > FINDING_MAX_LINE)
        made->line = 0;
    if (!made->line || made->end_line > FINDING_MAX_LINE)
        made->end_line = 0;
    if (made->end_line < made->line)
        made->end_line = made->line;
    if (!made->line)
        made->column = made->end_column = 0;
    if (made->confidence > 1)
        made->confidence = 1;
    if (!(made->confidence >= 0))
        made->confidence = -1;
}

void reader_add(struct reader *reader, const struct finding *draft,
                const char *path, bool is_uri)
{
    struct findings *out = reader->out;
    struct finding made = *draft;
    const char *tool = draft->tool ? draft->tool : reader->source->tool;
    const char *normal;

    if (out->count == FINDINGS_MAX) {
        out->overflow++;
        return;
    }
    normal = path && *path
                 ? finding_path(out->arena, reader->source, path, is_uri)
                 : "";
    out->strayed += !normal;
    made.path = normal ? normal : "";
    made.tool = copy(reader, tool, FINDING_MAX_NAME);
    made.rule = copy(reader, draft->rule, FINDING_MAX_NAME);
    made.message = copy(reader, draft->message, FINDING_MAX_TEXT);
    made.why = copy(reader, draft->why, FINDING_MAX_TEXT);
    made.quote = copy(reader, draft->quote, FINDING_MAX_TEXT);
    made.url = copy_url(reader, draft->url);
    if (!*made.message)
        made.message = *made.rule ? made.rule : "no message";
    copy_fix(reader, &made);
    settle_lines(&made);
    out->items =
        arena_grow(out->arena, out->items, out->count, sizeof(*out->items));
    out->items[out->count++] = made;
}
