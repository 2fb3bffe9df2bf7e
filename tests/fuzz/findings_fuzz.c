/* tests/fuzz/findings_fuzz.c - reports of any bytes, and comments of them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"
#include "pipelines/findings/comment.h"
#include "pipelines/findings/fingerprint.h"
#include "pipelines/findings/mark.h"
#include "pipelines/findings/markdown.h"
#include "tests/fuzz/fuzz.h"

#define BODY_MAX 3000

/*
 * The first byte is the format; behind a line "\x01" there may be a diff. The
 * findings that come out are held to what their header says of them.
 */
static void check_text(const char *text, size_t max)
{
    size_t len = strlen(text);

    require(len <= max);
    for (size_t i = 0; i < len;) {
        uint32_t c = 0;
        size_t n = utf8_decode(text + i, len - i, &c);

        require(n > 0);
        require(c == '\n' || c == '\t' || !utf8_is_control(c));
        i += n;
    }
}

static void check_path(const char *path)
{
    check_text(path, FINDING_MAX_PATH);
    require(path[0] != '/' && strcmp(path, "..") != 0);
    require(strncmp(path, "../", 3) != 0 && !strstr(path, "/../"));
    require(!strstr(path, "//") && !strchr(path, '\n'));
    if (strlen(path) >= 3)
        require(strcmp(path + strlen(path) - 3, "/..") != 0);
}

static void check_finding(const struct finding *finding)
{
    check_text(finding->tool, FINDING_MAX_NAME);
    check_text(finding->rule, FINDING_MAX_NAME);
    check_text(finding->message, FINDING_MAX_TEXT);
    check_text(finding->why, FINDING_MAX_TEXT);
    check_text(finding->quote, FINDING_MAX_TEXT);
    check_text(finding->url, FINDING_MAX_PATH);
    check_path(finding->path);
    require(*finding->message);
    require(!finding->line || *finding->path);
    require(finding->end_line >= finding->line &&
            finding->end_line <= FINDING_MAX_LINE);
    require(finding->confidence <= 1);
    require(!finding->fix.text || finding->fix.end_line >= finding->fix.line);
}

/* What must not be in anything that we write for a host. */
static void check_body(const char *body, const char *kind)
{
    CLEANUP(strbuf) struct strbuf value = STRBUF_INIT;
    const char *rest = strchr(body, '\n');
    size_t open = 0;

    require(markdown_count(body, strlen(body)) <= BODY_MAX);
    require(mark_read(body, kind, &value) && rest);
    for (const char *line = rest + 1; *line;) {
        size_t len = strcspn(line, "\n"), ticks = strspn(line, "`");

        if (!open && ticks >= 3 && !memchr(line + ticks, '`', len - ticks))
            open = ticks;
        else if (open && ticks >= open && ticks == len)
            open = 0;
        else if (!open)
            require(line[0] != '/' && line[0] != '>' && line[0] != ' ');
        line += len + (line[len] == '\n');
    }
    require(!open);
}

static void check_prose(const char *text)
{
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;
    bool in_code = false;

    markdown_text(&out, text, MARKDOWN_TABLE);
    require(!strchr(out.data, '\n'));
    for (const char *p = out.data; *p && !in_code; p++) {
        in_code = *p == '`' && (p == out.data || p[-1] != '\\');
        if (in_code)
            break;
        require(*p != '<' && *p != '>' && *p != '$');
        require(*p != '@' || !p[1] || p[1] == ' ' || p[1] == '\xe2');
        require(strncmp(p, "://", 3) != 0);
    }
}

static void check_round_trip(struct findings *findings)
{
    CLEANUP(mem) char *first = findings_dump(findings);
    CLEANUP(findings) struct findings *again = findings_new();
    const struct findings_source source = {NULL, NULL, NULL};
    CLEANUP(mem) char *second = NULL;

    require(first != NULL);
    if (strlen(first) > FINDINGS_MAX_BYTES)
        return;
    require(findings_read(again, FINDINGS_OWN, &source, first, strlen(first),
                          NULL) == 0);
    require(again->count == findings->count);
    again->note = findings->note;
    second = findings_dump(again);
    require(strcmp(first, second) == 0);
}

static void check_bodies(const struct findings *findings,
                         const struct diff *diff)
{
    CLEANUP(arena) struct arena *arena = arena_new();
    const struct summary_spec spec = {
        .key = "k", .title = "T", .max_rows = 30, .max = BODY_MAX};
    const struct comment_style style = {SUGGESTION_GITHUB, BODY_MAX, NULL,
                                        NULL};
    CLEANUP(mem) char *summary = summary_write(findings, &spec);

    check_body(summary, "summary");
    for (size_t i = 0; i < findings->count && i < 20; i++) {
        struct remark remark = remark_make(arena, diff, &findings->items[i]);
        CLEANUP(mem) char *body = comment_write(&remark, &style);

        check_body(body, "finding");
        check_prose(findings->items[i].message);
        if (remark.suggestion)
            require(remark.place.where == DIFF_INLINE);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct findings_source source = {"tool", "/ws", "dir"};
    CLEANUP(findings) struct findings *findings = findings_new();
    CLEANUP(diff) struct diff *diff = NULL;
    const uint8_t *split;
    struct err err = {0};
    size_t len;

    if (!size)
        return 0;
    split = memchr(data + 1, '\x01', size - 1);
    len = split ? (size_t)(split - data) - 1 : size - 1;
    if (findings_read(findings,
                      (enum findings_format)(data[0] % FINDINGS_FORMAT_COUNT),
                      &source, data + 1, len, &err) < 0)
        require(err.kind == ERR_USER && *err.msg);
    diff = diff_parse(split ? (const char *)split + 1 : "",
                      split ? size - len - 2 : 0, false);
    findings_fingerprint(findings, fingerprint_diff_line, diff);
    for (size_t i = 0; i < findings->count; i++) {
        check_finding(&findings->items[i]);
        require(fingerprint_ok(findings->items[i].fingerprint));
    }
    check_round_trip(findings);
    check_bodies(findings, diff);
    return 0;
}
