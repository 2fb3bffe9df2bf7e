/* pipelines/findings/text.c - texts of tools, fit to be kept. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strbuf.h"
#include "base/utf8.h"
#include "pipelines/findings/path.h"
#include "pipelines/findings/reader.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd"
#define ELLIPSIS    "\xe2\x80\xa6"

/* Bytes of an escape sequence of a terminal at `s`, 1 for a lone ESC. */
static size_t escape_len(const char *s, size_t len)
{
    size_t n = 2;

    if (len < 2 || s[1] != '[')
        return 1;
    while (n < len && n < 32 && (unsigned char)s[n] >= 0x20 &&
           (unsigned char)s[n] < 0x40)
        n++;
    return n < len ? n + 1 : n;
}

/* Add the character at `s`; returns how many bytes it took. */
static size_t add_character(struct strbuf *out, const char *s, size_t len)
{
    uint32_t c = 0;
    size_t n = utf8_decode(s, len, &c);

    if (!n) {
        strbuf_adds(out, REPLACEMENT);
        return 1;
    }
    if (c == 0x1b)
        return escape_len(s, len);
    if (c == '\n' || c == '\t' || !utf8_is_control(c))
        strbuf_add(out, s, n);
    return n;
}

const char *reader_text(struct arena *arena, const char *s, size_t len,
                        size_t max)
{
    CLEANUP(strbuf) struct strbuf out = STRBUF_MAX(max + 64);
    const size_t room = max - strlen(ELLIPSIS);
    size_t fits = 0;

    for (size_t i = 0; i < len && out.len <= max;) {
        i += add_character(&out, s + i, len - i);
        if (out.len <= room)
            fits = out.len;
    }
    if (out.len > max) {
        strbuf_cut(&out, fits);
        strbuf_adds(&out, ELLIPSIS);
    }
    while (out.len && isspace((unsigned char)out.data[out.len - 1]))
        strbuf_cut(&out, out.len - 1);
    return arena_strndup(arena, out.data, out.len);
}

/* ---- places in traces ---------------------------------------------------- */

#define LOCATE_MAX_TEXT  ((size_t)64 << 10)
#define LOCATE_MAX_TRIES 64

static bool read_number(const char **s, uint32_t *out)
{
    uint32_t value = 0;
    const char *p = *s;

    for (; isdigit((unsigned char)*p); p++) {
        value = value * 10 + (uint32_t)(*p - '0');
        if (value > FINDING_MAX_LINE)
            return false;
    }
    if (p == *s || !value)
        return false;
    *s = p;
    *out = value;
    return true;
}

/* `:LINE[:COLUMN]`, or Python's `", line LINE`. */
static bool read_place(const char *s, uint32_t *line, uint32_t *column)
{
    const char *python = "\", line ";

    *column = 0;
    if (strncmp(s, python, strlen(python)) == 0) {
        s += strlen(python);
        return read_number(&s, line);
    }
    if (*s++ != ':' || !read_number(&s, line))
        return false;
    if (*s == ':') {
        s++;
        if (!read_number(&s, column))
            *column = 0;
    }
    return true;
}

static bool ends_path(char c)
{
    return !c || isspace((unsigned char)c) || strchr("()\"'`<>[]{},;", c);
}

/* Whether `len` bytes at `start` are a path of ours. */
static bool is_ours(struct reader *reader, struct arena *scratch,
                    const char *start, size_t len)
{
    const char *path, *normal;

    if (!len || len > FINDING_MAX_PATH)
        return false;
    path = arena_strndup(scratch, start, len);
    if (strncmp(path, "node:", 5) == 0 ||
        (strstr(path, "://") && strncmp(path, "file://", 7) != 0) ||
        !strpbrk(path, "./"))
        return false;
    normal = finding_path(scratch, reader->source, path, false);
    return normal && !strstr(normal, "node_modules/");
}

bool reader_locate(struct reader *reader, const char *text,
                   const char **out_path, uint32_t *out_line,
                   uint32_t *out_column)
{
    CLEANUP(arena) struct arena *scratch = arena_new();
    const char *start = text;
    unsigned tries = 0;

    for (const char *p = text;
         *p && (size_t)(p - text) < LOCATE_MAX_TEXT && tries < LOCATE_MAX_TRIES;
         p++) {
        uint32_t line = 0, column = 0;

        if ((*p == ':' || *p == '"') && p > start &&
            read_place(p, &line, &column)) {
            size_t len = (size_t)(p - start);

            tries++;
            if (is_ours(reader, scratch, start, len)) {
                *out_path = arena_strndup(reader->out->arena, start, len);
                *out_line = line;
                *out_column = column;
                return true;
            }
        }
        if (ends_path(*p))
            start = p + 1;
    }
    return false;
}
