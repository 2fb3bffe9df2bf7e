/* pipelines/findings/read_tap.c - TAP 13 and 14, with subtests. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/findings/reader.h"
#include "pipelines/findings/tap_block.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* https://testanything.org/tap-version-14-specification.html */

#define MAX_DEPTH 32 /* of subtests; deeper ones count as that deep */
#define INDENT    4

enum verdict { PASSED, FAILED, SKIPPED };

struct level {
    uint64_t seen, failed;
};

struct tap {
    struct reader *reader;
    struct level levels[MAX_DEPTH + 2]; /* since the last point above */
    uint64_t planned;
    bool has_plan, bailed;
    bool pending; /* a point that failed: its block may follow */
    struct strbuf name;
    struct tap_block block;
    bool in_block;
    size_t block_indent;
};

static void add_expectation(struct strbuf *why, const char *what,
                            const struct strbuf *value)
{
    if (value->len)
        strbuf_addf(why, "%s: %s\n", what, value->data);
}

static bool locate(struct tap *tap, const struct strbuf *text,
                   struct finding *draft, const char **path)
{
    uint32_t line = 0, column = 0;

    if (!text->len ||
        !reader_locate(tap->reader, text->data, path, &line, &column))
        return false;
    draft->line = line;
    draft->column = column;
    return true;
}

/* Where it failed rather than where the test begins. */
static const char *find_place(struct tap *tap, struct finding *draft)
{
    const char *path = NULL;

    if (locate(tap, &tap->block.trace, draft, &path) ||
        locate(tap, &tap->block.place, draft, &path))
        return path;
    if (!tap->block.file.len)
        return NULL;
    draft->line = tap->block.line;
    draft->column = tap->block.column;
    return tap->block.file.data;
}

static void flush(struct tap *tap)
{
    CLEANUP(strbuf) struct strbuf why = STRBUF_MAX(2 * FINDING_MAX_TEXT);
    struct finding draft = FINDING_DRAFT;
    const char *path;

    if (!tap->pending)
        return;
    add_expectation(&why, "expected", &tap->block.expected);
    add_expectation(&why, "actual", &tap->block.actual);
    strbuf_add(&why, tap->block.trace.data, tap->block.trace.len);
    draft.kind = FINDING_TEST;
    draft.severity = FINDING_ERROR;
    draft.rule = tap->name.data;
    draft.message = tap->block.message.len ? tap->block.message.data : NULL;
    draft.why = why.data;
    path = find_place(tap, &draft);
    reader_add(tap->reader, &draft, path, false);
    tap_block_clear(&tap->block);
    tap->pending = tap->in_block = false;
}

static void complain(struct tap *tap, const char *message)
{
    struct finding draft = FINDING_DRAFT;

    draft.kind = FINDING_TEST;
    draft.severity = FINDING_ERROR;
    draft.rule = "plan";
    draft.message = message;
    reader_add(tap->reader, &draft, NULL, false);
}

/* ---- test points --------------------------------------------------------- */

static bool begins(const char *s, const char *word)
{
    return strncasecmp(s, word, strlen(word)) == 0;
}

/* Cut `text` at its directive, and say which it is: 's', 't', or 0. */
static char take_directive(char *text)
{
    for (char *p = text; *p; p++) {
        const char *word;

        if (*p == '\\' && p[1]) {
            p++;
            continue;
        }
        if (*p != '#' || (p > text && !isspace((unsigned char)p[-1])))
            continue;
        word = p + 1 + strspn(p + 1, " \t");
        if (begins(word, "skip") || begins(word, "todo")) {
            *p = '\0';
            return (char)tolower((unsigned char)*word);
        }
        if (begins(word, "time=")) {
            *p = '\0';
            return 0;
        }
    }
    return 0;
}

/* The description: without number and dash, and what it escapes. */
static void read_name(struct strbuf *out, const char *s)
{
    size_t digits = strspn(s, "0123456789");

    if (digits && (!s[digits] || s[digits] == ' '))
        s += digits;
    s += strspn(s, " ");
    if (s[0] == '-' && (s[1] == ' ' || !s[1]))
        s += 1 + strspn(s + 1, " ");
    strbuf_clear(out);
    for (; *s; s++) {
        if (*s == '\\' && (s[1] == '#' || s[1] == '\\'))
            s++;
        strbuf_addc(out, *s);
    }
    while (out->len && isspace((unsigned char)out->data[out->len - 1]))
        strbuf_cut(out, out->len - 1);
    if (!out->len)
        strbuf_adds(out, "(a test without a name)");
}

/* Points above others are their sum, and not counted with them. */
static void count_point(struct tap *tap, size_t depth, enum verdict verdict)
{
    struct level *level = &tap->levels[depth];
    struct level *below = &tap->levels[depth + 1];
    struct findings *out = tap->reader->out;
    bool is_sum = below->seen > 0 && (verdict != FAILED || below->failed);

    level->seen++;
    level->failed += verdict == FAILED;
    for (size_t i = depth + 1; i < ARRAY_LEN(tap->levels); i++)
        tap->levels[i] = (struct level){0, 0};
    if (is_sum)
        return;
    out->passed += verdict == PASSED;
    out->failed += verdict == FAILED;
    out->skipped += verdict == SKIPPED;
    tap->pending = verdict == FAILED;
}

static void on_point(struct tap *tap, size_t depth, bool ok, char *rest)
{
    char directive = take_directive(rest);
    size_t len;

    read_name(&tap->name, rest);
    len = tap->name.len;
    if (len > 2 && strcmp(tap->name.data + len - 2, " {") == 0)
        return; /* its subtests are between braces, and stand for it */
    count_point(tap, depth, directive ? SKIPPED : ok ? PASSED : FAILED);
}

/* `1..N`; only the plan of the whole document is checked. */
static void on_plan(struct tap *tap, size_t depth, const char *s)
{
    if (depth)
        return;
    tap->has_plan = true;
    tap->planned = strtoull(s + 3, NULL, 10);
}

static bool is_point(const char *s, const char *word)
{
    size_t n = strlen(word);

    return strncmp(s, word, n) == 0 && (!s[n] || s[n] == ' ');
}

static void on_line(struct tap *tap, size_t indent, char *s)
{
    size_t depth = indent / INDENT;

    if (depth > MAX_DEPTH)
        depth = MAX_DEPTH;
    if (tap->pending && strcmp(s, "---") == 0) {
        tap->in_block = true;
        tap->block_indent = indent;
        return;
    }
    if (is_point(s, "not ok")) {
        flush(tap);
        on_point(tap, depth, false, s + 6 + strspn(s + 6, " "));
    } else if (is_point(s, "ok")) {
        flush(tap);
        on_point(tap, depth, true, s + 2 + strspn(s + 2, " "));
    } else if (strncmp(s, "1..", 3) == 0 && isdigit((unsigned char)s[3])) {
        flush(tap);
        on_plan(tap, depth, s);
    } else if (strncmp(s, "Bail out!", 9) == 0) {
        flush(tap);
        complain(tap, s);
        tap->bailed = true;
    }
}

/* ---- lines --------------------------------------------------------------- */

static void read_line(struct tap *tap, char *line, size_t len)
{
    size_t indent = 0;

    while (len && (line[len - 1] == '\r' || line[len - 1] == ' '))
        len--;
    line[len] = '\0';
    while (indent < len && line[indent] == ' ')
        indent++;
    if (tap->in_block) {
        if (indent == tap->block_indent && strcmp(line + indent, "...") == 0) {
            flush(tap);
            return;
        }
        if (indent >= tap->block_indent || indent == len) {
            size_t skip =
                tap->block_indent < indent ? tap->block_indent : indent;

            tap_block_add(&tap->block, line + skip, len - skip);
            return;
        }
        flush(tap); /* it has no end */
    }
    on_line(tap, indent, line + indent);
}

static int finish(struct tap *tap, struct err *err)
{
    uint64_t seen = tap->levels[0].seen;
    CLEANUP(mem) char *message = NULL;

    flush(tap);
    if (tap->bailed)
        return 0;
    if (!tap->has_plan && !seen)
        return err_set(err, ERR_USER, "there is neither a plan nor a test");
    if (!tap->has_plan)
        message = xstrdup("there is no plan: the tests may have ended early");
    else if (seen != tap->planned)
        message = xasprintf("%ju tests were planned, and %ju ran",
                            (uintmax_t)tap->planned, (uintmax_t)seen);
    if (message)
        complain(tap, message);
    return 0;
}

int read_tap(struct reader *reader, const char *text, size_t len,
             struct err *err)
{
    CLEANUP(strbuf) struct strbuf line = STRBUF_MAX(FINDINGS_MAX_BYTES);
    struct tap *tap = xcalloc(1, sizeof(*tap));
    const char *end = text + len;
    int rc;

    tap->reader = reader;
    tap->name = (struct strbuf)STRBUF_MAX(FINDING_MAX_TEXT);
    tap_block_init(&tap->block);
    while (text < end && !tap->bailed) {
        const char *lf = memchr(text, '\n', (size_t)(end - text));

        strbuf_cut(&line, 0);
        strbuf_add(&line, text, (size_t)((lf ? lf : end) - text));
        strbuf_addc(&line, ' '); /* so that there is something to write to */
        read_line(tap, line.data, line.len);
        text = lf ? lf + 1 : end;
    }
    rc = finish(tap, err);
    tap_block_clear(&tap->block);
    strbuf_clear(&tap->name);
    free(tap);
    return rc;
}
