/* pipelines/diag.c - what is wrong with a document, and where. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/diag.h"

#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

#define SOURCE_MAX  ((size_t)1 << 20)
#define MESSAGE_MAX 400          /* bytes; a message may quote a stranger */
#define SHOWN_WIDTH ((size_t)76) /* columns of a quoted line */

struct diag_list {
    char *file; /* owned; or NULL */
    char *text; /* owned; or NULL */
    size_t len;
    struct diag *items; /* owned, in the order of their places */
    size_t count;
    bool truncated;
    struct diag_list *warnings; /* owned; or NULL */
};

struct diag_list *diag_list_new(void)
{
    return xcalloc(1, sizeof(struct diag_list));
}

void diag_list_free(struct diag_list *list)
{
    if (!list)
        return;
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].message);
        free(list->items[i].hint);
    }
    free(list->items);
    free(list->file);
    free(list->text);
    diag_list_free(list->warnings);
    free(list);
}

void diag_list_set_source(struct diag_list *list, const char *file,
                          const char *text, size_t len)
{
    free(list->file);
    free(list->text);
    if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) {
        text += 3;
        len -= 3;
    }
    list->file = xstrdup(file);
    list->len = len < SOURCE_MAX ? len : SOURCE_MAX;
    list->text = xmemdup(text, list->len);
}

size_t diag_list_count(const struct diag_list *list)
{
    return list->count;
}

bool diag_list_truncated(const struct diag_list *list)
{
    return list->truncated;
}

const struct diag *diag_list_at(const struct diag_list *list, size_t i)
{
    return i < list->count ? &list->items[i] : NULL;
}

static void add_clean(struct strbuf *out, const char *s, size_t len)
{
    for (size_t i = 0; i < len;) {
        uint32_t c;
        size_t n = utf8_decode(s + i, len - i, &c);

        if (!n || utf8_is_control(c) || utf8_is_invisible(c))
            strbuf_addc(out, '?');
        else
            strbuf_add(out, s + i, n);
        i += n ? n : 1;
    }
}

/* A copy that is valid UTF-8, harmless on a terminal, and not long. */
static char *clean(const char *s)
{
    struct strbuf b = STRBUF_INIT;
    size_t len = strlen(s);

    if (len > MESSAGE_MAX) {
        for (len = MESSAGE_MAX; (s[len] & 0xc0) == 0x80;)
            len--;
        add_clean(&b, s, len);
        strbuf_adds(&b, "…");
    } else {
        add_clean(&b, s, len);
    }
    return strbuf_take(&b);
}

/* Where the place belongs; `*same` when that very error is there already. */
static size_t find_place(const struct diag_list *list, unsigned line,
                         unsigned column, const char *message, bool *same)
{
    size_t i;

    *same = false;
    for (i = 0; i < list->count; i++) {
        const struct diag *d = &list->items[i];

        if (d->line > line || (d->line == line && d->column > column))
            break;
        *same |= d->line == line && d->column == column &&
                 !strcmp(d->message, message);
    }
    return i;
}

void diag_list_add(struct diag_list *list, unsigned line, unsigned column,
                   const char *hint, const char *fmt, ...)
{
    CLEANUP(mem) char *raw = NULL;
    CLEANUP(mem) char *message = NULL;
    struct diag *d;
    va_list ap;
    size_t at;
    bool same;

    va_start(ap, fmt);
    raw = xvasprintf(fmt, ap);
    va_end(ap);
    message = clean(raw);
    at = find_place(list, line, column, message, &same);
    if (same)
        return;
    if (list->count == DIAG_MAX) {
        list->truncated = true;
        return;
    }
    if (!list->items)
        list->items = xcalloc(DIAG_MAX, sizeof(*list->items));
    d = &list->items[at];
    memmove(d + 1, d, (list->count++ - at) * sizeof(*d));
    d->line = line;
    d->column = column;
    d->message = STEAL(message);
    d->hint = hint ? clean(hint) : NULL;
}

void diag_list_warn(struct diag_list *list, unsigned line, unsigned column,
                    const char *message)
{
    if (!list->warnings) {
        list->warnings = diag_list_new();
        diag_list_set_source(list->warnings, list->file ? list->file : "",
                             list->text ? list->text : "", list->len);
    }
    diag_list_add(list->warnings, line, column, NULL, "warning: %s", message);
}

const struct diag_list *diag_list_warnings(const struct diag_list *list)
{
    return list->warnings;
}

/* ---- rendering ------------------------------------------------------------
 */

/* One character of a quoted line, as it is shown. */
struct glyph {
    size_t bytes; /* taken from the line */
    size_t width; /* columns it takes */
    const char *shown;
    size_t shown_len;
};

static struct glyph glyph_at(const char *s, size_t len)
{
    uint32_t c = 0;
    size_t n = utf8_decode(s, len, &c);

    if (c == '\t')
        return (struct glyph){1, 4, "    ", 4};
    if (!n || utf8_is_control(c) || utf8_is_invisible(c))
        return (struct glyph){n ? n : 1, 1, "?", 1};
    return (struct glyph){n, utf8_width(c), s, n};
}

/* Walks the source once, since the errors come in the order of their places. */
struct cursor {
    const struct diag_list *list; /* borrowed */
    unsigned line, column;
    size_t start; /* of the line */
    size_t at;    /* of the column */
};

static bool next_line(struct cursor *c)
{
    const char *text = c->list->text;
    size_t i = c->start, len = c->list->len;

    while (i < len && text[i] != '\n' && text[i] != '\r')
        i++;
    if (i == len)
        return false;
    if (text[i] == '\r' && i + 1 < len && text[i + 1] == '\n')
        i++;
    i++;
    c->line++;
    c->column = 1;
    c->start = c->at = i;
    return true;
}

/* Go to a diagnostic's place; false when the source has no such line. */
static bool seek(struct cursor *c, const struct diag *d)
{
    const char *text = c->list->text;
    size_t len = c->list->len;
    uint32_t ch;

    if (!len || !d->line)
        return false;
    while (c->line < d->line)
        if (!next_line(c))
            return false;
    for (; c->column < d->column && c->at < len; c->column++) {
        size_t n = utf8_decode(text + c->at, len - c->at, &ch);

        if (text[c->at] == '\n' || text[c->at] == '\r')
            break;
        c->at += n ? n : 1;
    }
    return true;
}

/* Terminal columns of `len` bytes. */
static size_t width_of(const char *s, size_t len)
{
    size_t width = 0;

    for (size_t i = 0; i < len;) {
        struct glyph g = glyph_at(s + i, len - i);

        width += g.width;
        i += g.bytes;
    }
    return width;
}

/* Where to start a line so that its byte `at` is seen. */
static size_t cut_before(const char *s, size_t at)
{
    size_t from = at > 4 * SHOWN_WIDTH ? at - 4 * SHOWN_WIDTH : 0;

    while (from < at && ((unsigned char)s[from] & 0xc0) == 0x80)
        from++;
    if (!from && width_of(s, at) < SHOWN_WIDTH - 10)
        return 0;
    while (from < at && width_of(s + from, at - from) > SHOWN_WIDTH / 2)
        from += glyph_at(s + from, at - from).bytes;
    return from;
}

/* Quote a line, SHOWN_WIDTH columns at most. */
static void quote(struct strbuf *out, const char *s, size_t len)
{
    size_t width = 0;

    for (size_t i = 0; i < len && s[i] != '\n' && s[i] != '\r';) {
        struct glyph g = glyph_at(s + i, len - i);

        width += g.width;
        if (width > SHOWN_WIDTH) {
            strbuf_adds(out, "…");
            return;
        }
        strbuf_add(out, g.shown, g.shown_len);
        i += g.bytes;
    }
}

static void render_source(struct cursor *c, const struct diag *d,
                          struct strbuf *out)
{
    const char *line;
    size_t from, at;

    if (!seek(c, d))
        return;
    line = c->list->text + c->start;
    at = c->at - c->start;
    from = cut_before(line, at);
    strbuf_addf(out, "%5u | %s", d->line, from ? "…" : "");
    quote(out, line + from, c->list->len - c->start - from);
    strbuf_addf(out, "\n      | %*s^\n",
                (int)(width_of(line + from, at - from) + (from ? 1 : 0)), "");
}

void diag_list_render(const struct diag_list *list, struct strbuf *out)
{
    const char *file = list->file ? list->file : "";
    struct cursor cursor = {list, 1, 1, 0, 0};

    for (size_t i = 0; i < list->count; i++) {
        const struct diag *d = &list->items[i];

        add_clean(out, file, strlen(file));
        if (d->line)
            strbuf_addf(out, ":%u:%u", d->line, d->column);
        strbuf_addf(out, "%s%s", *file || d->line ? ": " : "", d->message);
        if (d->hint)
            strbuf_addf(out, "; did you mean '%s'?", d->hint);
        strbuf_addc(out, '\n');
        render_source(&cursor, d, out);
    }
    if (list->truncated)
        strbuf_addf(out, "… more; these are the first %d\n", DIAG_MAX);
}

json_t *diag_list_to_json(const struct diag_list *list)
{
    json_t *array = json_array();

    for (size_t i = 0; i < list->count; i++) {
        const struct diag *d = &list->items[i];

        json_array_append_new(array, json_pack("{s:i, s:i, s:s, s:s?}", "line",
                                               (int)d->line, "column",
                                               (int)d->column, "message",
                                               d->message, "hint", d->hint));
    }
    return array;
}
