/* pipelines/findings/mark.c - how we know our own comments again. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/findings/mark.h"

#include <ctype.h>
#include <string.h>

static const char open[] = "<!-- berth:";
static const char close[] = " -->";

static bool is_plain(char c)
{
    return isalnum((unsigned char)c) || (c && strchr("_./:", c));
}

/* A comment must not hold "--", and nothing that ends a line. */
void mark_write(struct strbuf *out, const char *kind, const char *value)
{
    strbuf_addf(out, "%s%s ", open, kind);
    for (size_t i = 0; value[i] && i < MARK_MAX_VALUE; i++) {
        if (is_plain(value[i]))
            strbuf_addc(out, value[i]);
        else
            strbuf_addf(out, "%%%02x", (unsigned)(unsigned char)value[i]);
    }
    strbuf_addf(out, "%s\n", close);
}

static int hex(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, c) : NULL;

    return at ? (int)(at - digits) : -1;
}

static bool skip(const char **s, const char *what)
{
    size_t len = strlen(what);

    if (strncmp(*s, what, len) != 0)
        return false;
    *s += len;
    return true;
}

/* Only what mark_write() can have written. */
static bool read_value(const char **s, struct strbuf *out)
{
    while (is_plain(**s) || **s == '%') {
        const char *p = *s;
        int high, low;

        if (out->len == MARK_MAX_VALUE)
            return false;
        if (*p != '%') {
            strbuf_addc(out, *p);
            (*s)++;
            continue;
        }
        high = hex(p[1]);
        low = high < 0 ? -1 : hex(p[2]);
        if (low < 0 || !(high * 16 + low) || is_plain((char)(high * 16 + low)))
            return false;
        strbuf_addc(out, (char)(high * 16 + low));
        *s += 3;
    }
    return true;
}

bool mark_read(const char *body, const char *kind, struct strbuf *out_value)
{
    CLEANUP(strbuf) struct strbuf value = STRBUF_MAX(MARK_MAX_VALUE + 1);

    if (!skip(&body, open) || !skip(&body, kind) || !skip(&body, " ") ||
        !read_value(&body, &value) || !skip(&body, close) ||
        (*body && *body != '\n' && *body != '\r'))
        return false;
    strbuf_clear(out_value);
    strbuf_add(out_value, value.data, value.len);
    return true;
}

static const char *line_after(const char *line)
{
    const char *end = strchr(line, '\n');

    return end ? end + 1 : line + strlen(line);
}

void mark_rest(const char *body, const char *kind, struct strbuf *out)
{
    CLEANUP(strbuf) struct strbuf value = STRBUF_MAX(MARK_MAX_VALUE + 1);

    for (body = line_after(body); mark_read(body, kind, &value);
         body = line_after(body))
        mark_write(out, kind, value.data);
}

bool mark_among(const char *marks, const char *kind, const char *value)
{
    CLEANUP(strbuf) struct strbuf mark = STRBUF_INIT;

    mark_write(&mark, kind, value);
    return strstr(marks, mark.data) != NULL;
}

char *mark_remove(const char *body, const char *kind, const char *value)
{
    CLEANUP(strbuf) struct strbuf there = STRBUF_MAX(MARK_MAX_VALUE + 1);
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;
    const char *line = line_after(body);

    while (mark_read(line, kind, &there) && strcmp(there.data, value) != 0)
        line = line_after(line);
    strbuf_add(&out, body, (size_t)(line - body));
    strbuf_adds(&out, mark_read(line, kind, &there) ? line_after(line) : line);
    return strbuf_take(&out);
}
