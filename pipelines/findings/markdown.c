/* pipelines/findings/markdown.c - Markdown with texts of strangers in it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/findings/markdown.h"

#include "base/utf8.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/*
 * Hosts look for mentions and addresses in what Markdown became, so escapes
 * do not keep them from it: a character of no width in between does.
 */
#define BREAK       "\xe2\x80\x8b" /* U+200B */
#define REPLACEMENT "\xef\xbf\xbd"
#define FENCE_MIN   3
#define SHA_MIN     7

static size_t run_of(const char *s, char c)
{
    size_t n = 0;

    while (s[n] == c)
        n++;
    return n;
}

static size_t longest_run(const char *s, size_t len, char c)
{
    size_t longest = 0, n = 0;

    for (size_t i = 0; i < len; i++) {
        n = s[i] == c ? n + 1 : 0;
        longest = n > longest ? n : longest;
    }
    return longest;
}

/* Add one character as code shows it; returns the bytes it took. */
static size_t add_shown(struct strbuf *out, const char *s, size_t len)
{
    uint32_t c = 0;
    size_t n = utf8_decode(s, len, &c);

    if (!n || utf8_is_invisible(c) || (utf8_is_control(c) && c != '\t'))
        strbuf_adds(out, REPLACEMENT);
    else
        strbuf_add(out, s, n);
    return n ? n : 1;
}

/* ---- code ---------------------------------------------------------------- */

static void add_times(struct strbuf *out, char c, size_t n)
{
    while (n--)
        strbuf_addc(out, c);
}

static void add_code(struct strbuf *out, const char *s, size_t len,
                     unsigned flags)
{
    size_t fence = longest_run(s, len, '`') + 1;
    bool pad = len && (s[0] == '`' || s[len - 1] == '`' || s[0] == ' ');

    if (!len)
        return;
    add_times(out, '`', fence);
    if (pad)
        strbuf_addc(out, ' ');
    for (size_t i = 0; i < len;) {
        if (s[i] == '\n' || s[i] == '\r') {
            strbuf_addc(out, ' ');
            i++;
            continue;
        }
        if (s[i] == '|' && (flags & MARKDOWN_TABLE))
            strbuf_addc(out, '\\');
        i += add_shown(out, s + i, len - i);
    }
    if (pad)
        strbuf_addc(out, ' ');
    add_times(out, '`', fence);
}

void markdown_code(struct strbuf *out, const char *text, unsigned flags)
{
    add_code(out, text, strlen(text), flags);
}

static void end_line(struct strbuf *out)
{
    if (out->len && out->data[out->len - 1] != '\n')
        strbuf_addc(out, '\n');
}

void markdown_fence(struct strbuf *out, const char *info, const char *text)
{
    size_t len = strlen(text), fence = longest_run(text, len, '`') + 1;
    bool as_is = strncmp(info, "suggestion", 10) == 0;

    if (fence < FENCE_MIN)
        fence = FENCE_MIN;
    end_line(out);
    add_times(out, '`', fence);
    strbuf_addf(out, "%s\n", info);
    if (as_is)
        strbuf_add(out, text, len);
    for (size_t i = 0; i < len && !as_is;) {
        if (text[i] == '\n') {
            strbuf_addc(out, '\n');
            i++;
            continue;
        }
        i += add_shown(out, text + i, len - i);
    }
    /* A line feed at the end of a suggestion is an empty line of it. */
    if (len && (as_is || text[len - 1] != '\n'))
        strbuf_addc(out, '\n');
    add_times(out, '`', fence);
    strbuf_addc(out, '\n');
}

/* ---- prose --------------------------------------------------------------- */

struct prose {
    struct strbuf *out;
    const char *at, *line; /* what is next; its line */
    char before;           /* the last that was not left out; 0: none */
    unsigned flags;
};

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

static bool ends_with(const struct strbuf *out, const char *end)
{
    size_t len = strlen(end);

    return out->len >= len &&
           strncasecmp(out->data + out->len - len, end, len) == 0;
}

/* From `s` on what is not left out: it is a neighbour of what is before. */
static const char *seen(const char *s)
{
    uint32_t c = 0;

    while (*s && *s != '\n' && *s != '\t') {
        size_t n = utf8_decode(s, strnlen(s, 4), &c);

        if (!n || (!utf8_is_invisible(c) && !utf8_is_control(c)))
            break;
        s += n;
    }
    return s;
}

/*
 * `code` on one line, else backticks that are no more than that. Where what
 * was between two of them is left out, they are not to become one.
 */
static void add_backticks(struct prose *p)
{
    size_t fence = run_of(p->at, '`');
    const char *inside = p->at + fence, *end = inside;

    p->before = '`';
    while (*end && *end != '\n') {
        size_t n = run_of(end, '`');

        if (n == fence && end > inside) {
            if (ends_with(p->out, "`"))
                strbuf_adds(p->out, BREAK);
            add_code(p->out, inside, (size_t)(end - inside), p->flags);
            p->at = end + n;
            return;
        }
        end += n ? n : 1;
    }
    for (size_t i = 0; i < fence; i++)
        strbuf_adds(p->out, "\\`");
    p->at += fence;
}

/* Lines stay: hosts differ in what one line feed means. */
static void add_breaks(struct prose *p)
{
    size_t lines = 0;

    while (*p->at && isspace((unsigned char)*p->at)) {
        lines += *p->at == '\n';
        p->at++;
    }
    p->line = p->at;
    p->before = '\n';
    if (!*p->at)
        return;
    if (p->flags & MARKDOWN_TABLE)
        strbuf_addc(p->out, ' ');
    else if (p->out->len)
        strbuf_adds(p->out, lines > 1 ? "\n\n" : "\\\n");
}

/* A commit's name, or what hosts would take for one. */
static bool try_sha(struct prose *p)
{
    const char *end = p->at;
    size_t n = 0;

    if (is_word(p->before))
        return false;
    for (; *end && strchr("0123456789abcdef", *end); end = seen(end + 1))
        n++;
    if (n < SHA_MIN || is_word(*end))
        return false;
    for (n = 0; p->at < end; p->at = seen(p->at + 1)) {
        if (n++ == 4)
            strbuf_adds(p->out, BREAK);
        strbuf_addc(p->out, *p->at);
    }
    p->before = '0';
    return true;
}

/* What is only something at the begin of a line: lists, titles, commands. */
static bool needs_escape_here(const struct prose *p, char c, char next)
{
    if (p->at == p->line)
        return strchr("+-=/:\"'", c) != NULL;
    if ((c != '.' && c != ')') || !strchr(" \t\n", next))
        return false;
    for (const char *s = p->line; s < p->at; s = seen(s + 1))
        if (!isdigit((unsigned char)*s))
            return false;
    return true;
}

/* References to people, issues, merge requests, labels, milestones… */
static bool refers(const struct prose *p, char c, char next)
{
    if (c == '@')
        return next && !isspace((unsigned char)next);
    if (c == '-') /* GH-123 */
        return ends_with(p->out, "gh-") && isdigit((unsigned char)next);
    if (c == ':')
        return next == '/';
    return strchr("#!$%~&^", c) && (is_word(next) || next == '"');
}

static void add_ascii(struct prose *p)
{
    char c = *p->at, next = *seen(p->at + 1);

    if (c == '.' && ends_with(p->out, "www"))
        strbuf_adds(p->out, BREAK);
    switch (c) {
    case '<':
        strbuf_adds(p->out, "&lt;");
        break;
    case '>':
        strbuf_adds(p->out, "&gt;");
        break;
    case '&':
        strbuf_adds(p->out, "&amp;");
        break;
    case '$': /* escaped, it is still mathematics to some */
        strbuf_adds(p->out, "&#36;");
        break;
    default:
        if (strchr("\\*_[]#!|~^{}", c) || needs_escape_here(p, c, next))
            strbuf_addc(p->out, '\\');
        strbuf_addc(p->out, c);
    }
    if (refers(p, c, next))
        strbuf_adds(p->out, BREAK);
    p->before = c;
    p->at++;
}

/* What is left out at the begin of a line must not hide that it is one. */
static void add_other(struct prose *p, size_t len)
{
    uint32_t c = 0;
    size_t n = utf8_decode(p->at, len, &c);
    bool at_begin = p->at == p->line;

    if (n && (utf8_is_invisible(c) || utf8_is_control(c))) {
        p->at += n;
        while (at_begin && (*p->at == ' ' || *p->at == '\t'))
            p->at++;
        p->line = at_begin ? p->at : p->line;
        return;
    }
    if (n)
        strbuf_add(p->out, p->at, n);
    else
        strbuf_adds(p->out, REPLACEMENT);
    p->before = *p->at;
    p->at += n ? n : 1;
}

void markdown_text(struct strbuf *out, const char *text, unsigned flags)
{
    const char *end = text + strlen(text);
    struct prose p = {.out = out, .at = text, .flags = flags};

    while (isspace((unsigned char)*p.at))
        p.at++;
    p.line = p.at;
    while (p.at < end) {
        unsigned char c = (unsigned char)*p.at;

        if (c == '\n')
            add_breaks(&p);
        else if (c == '\t') {
            strbuf_addc(out, ' ');
            p.before = '\t';
            p.at++;
        } else if (c >= 0x80 || c < ' ' || c == 0x7f)
            add_other(&p, (size_t)(end - p.at));
        else if (c == '`')
            add_backticks(&p);
        else if (!try_sha(&p))
            add_ascii(&p);
    }
}

/* ---- cutting ------------------------------------------------------------- */

static size_t character(const char *s, size_t len, size_t *out_units)
{
    uint32_t c = 0;
    size_t n = utf8_decode(s, len, &c);

    *out_units = n == 4 ? 2 : 1;
    return n ? n : 1;
}

size_t markdown_count(const char *text, size_t len)
{
    size_t count = 0, units;

    for (size_t i = 0; i < len; count += units)
        i += character(text + i, len - i, &units);
    return count;
}

/* Bytes of `text` that have `max` characters at most. */
static size_t fitting(const char *text, size_t len, size_t max)
{
    size_t count = 0, i = 0, units;

    while (i < len) {
        size_t n = character(text + i, len - i, &units);

        if (count + units > max)
            break;
        count += units;
        i += n;
    }
    return i;
}

/* The length of the fence that is open after `len` bytes; 0: none is. */
static size_t open_fence(const char *text, size_t len)
{
    const char *line = text, *end = text + len;
    size_t open = 0;

    while (line < end) {
        const char *lf = memchr(line, '\n', (size_t)(end - line));
        const char *stop = lf ? lf : end;
        size_t n = 0;

        while (line + n < stop && line[n] == '`')
            n++;
        if (!open && lf && n >= FENCE_MIN &&
            !memchr(line + n, '`', (size_t)(stop - line) - n))
            open = n;
        else if (open && n >= open && line + n == stop)
            open = 0;
        line = stop + (lf != NULL);
    }
    return open;
}

void markdown_cut(struct strbuf *body, size_t max, const char *note)
{
    size_t reserve, at, line, fence;

    if (markdown_count(body->data, body->len) <= max)
        return;
    reserve = markdown_count(note, strlen(note)) + 4 +
              longest_run(body->data, body->len, '`');
    at = fitting(body->data, body->len, max > reserve ? max - reserve : 0);
    for (line = at; line > 0 && body->data[line - 1] != '\n';)
        line--;
    fence = open_fence(body->data, line);
    strbuf_cut(body, fence ? at : line);
    if (fence) {
        /* What was cut may look like the end of the block. */
        if (open_fence(body->data, body->len) != fence)
            strbuf_cut(body, line);
        end_line(body);
        add_times(body, '`', fence);
        strbuf_addc(body, '\n');
    }
    if (max > reserve)
        strbuf_addf(body, "\n%s", note);
}
