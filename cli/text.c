/* cli/text.c - a stranger's output made safe for a terminal, and its width. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/text.h"

#include "base/utf8.h"

#include <langinfo.h>
#include <locale.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */
#define TAB_COLUMNS 8

enum state {
    GROUND,
    ESCAPE,    /* behind ESC */
    CSI,       /* up to a final byte 0x40 to 0x7e */
    STRING,    /* OSC, DCS, SOS, PM, APC: up to ST or BEL */
    STRING_ESC /* ESC within one: '\' ends it */
};

struct text_cleaner {
    text_line_fn *on_line;
    void *arg;
    enum state state;
    bool returned;      /* a \r came: the next character starts the line anew */
    size_t left_out;    /* bytes of this line beyond TEXT_LINE_MAX */
    uint32_t point;     /* the UTF-8 character that is being read */
    uint32_t least;     /* the smallest one that may take so many bytes */
    unsigned awaited;   /* its bytes still to come */
    struct strbuf line; /* clean */
};

bool text_is_utf8(void)
{
    return setlocale(LC_CTYPE, "") && !strcmp(nl_langinfo(CODESET), "UTF-8");
}

/* Walk until `limit` columns; returns the bytes, and the columns they take. */
static size_t walk(const char *text, size_t len, size_t limit,
                   size_t *out_columns)
{
    size_t columns = 0;
    size_t at = 0;

    while (at < len) {
        uint32_t point;
        size_t size = utf8_decode(text + at, len - at, &point);
        size_t width = size ? utf8_width(point) : 1;

        if (columns + width > limit)
            break;
        columns += width;
        at += size ? size : 1;
    }
    *out_columns = columns;
    return at;
}

size_t text_columns(const char *text, size_t len)
{
    size_t columns;

    (void)walk(text, len, SIZE_MAX, &columns);
    return columns;
}

size_t text_fit(const char *text, size_t len, size_t columns)
{
    size_t taken;

    return walk(text, len, columns, &taken);
}

void text_add_fit(struct strbuf *out, const char *text, size_t len,
                  size_t columns, bool ascii)
{
    size_t fits = text_fit(text, len, columns);

    if (fits == len) {
        strbuf_add(out, text, len);
    } else if (columns > 0) {
        strbuf_add(out, text, text_fit(text, len, columns - 1));
        strbuf_adds(out, ascii ? "~" : "…");
    }
}

static void add_padding(struct strbuf *out, size_t from, size_t to)
{
    for (; from < to; from++)
        strbuf_addc(out, ' ');
}

void text_add_cell(struct strbuf *out, const char *text, size_t columns,
                   bool right)
{
    size_t width = text_columns(text, strlen(text));

    if (right)
        add_padding(out, width, columns);
    strbuf_adds(out, text);
    if (!right)
        add_padding(out, width, columns);
}

struct text_cleaner *text_cleaner_new(text_line_fn *on_line, void *arg)
{
    struct text_cleaner *c = xcalloc(1, sizeof(*c));

    c->on_line = on_line;
    c->arg = arg;
    c->line = (struct strbuf)STRBUF_MAX(TEXT_LINE_MAX + 64);
    return c;
}

void text_cleaner_free(struct text_cleaner *cleaner)
{
    if (!cleaner)
        return;
    strbuf_clear(&cleaner->line);
    free(cleaner);
}

static void line_restart(struct text_cleaner *c)
{
    strbuf_cut(&c->line, 0);
    c->left_out = 0;
    c->returned = false;
}

static void line_end(struct text_cleaner *c)
{
    if (c->left_out)
        strbuf_addf(&c->line, " [%zu bytes more]", c->left_out);
    c->on_line(c->arg, c->line.data, c->line.len);
    line_restart(c);
}

static void put(struct text_cleaner *c, const char *text, size_t len)
{
    if (c->returned)
        line_restart(c);
    if (c->left_out || c->line.len + len > TEXT_LINE_MAX)
        c->left_out += len;
    else
        strbuf_add(&c->line, text, len);
}

static void backspace(struct text_cleaner *c)
{
    size_t len = c->line.len;

    while (len > 0 && ((unsigned char)c->line.data[len - 1] & 0xc0) == 0x80)
        len--;
    strbuf_cut(&c->line, len > 0 ? len - 1 : 0);
}

static void tab(struct text_cleaner *c)
{
    size_t columns;

    if (c->returned)
        line_restart(c);
    columns = c->left_out ? 0 : text_columns(c->line.data, c->line.len);
    put(c, "        ", TAB_COLUMNS - columns % TAB_COLUMNS);
}

static void c1(struct text_cleaner *c, uint32_t point)
{
    if (point == 0x9b)
        c->state = CSI;
    else if (point == 0x90 || point == 0x98 || point == 0x9d || point == 0x9e ||
             point == 0x9f)
        c->state = STRING;
    else if (point == 0x85)
        line_end(c);
}

/* A whole character of two bytes or more. */
static void put_point(struct text_cleaner *c, uint32_t point)
{
    char bytes[4];
    size_t n = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};

    if (point < 0xa0) {
        c1(c, point);
        return;
    }
    if (utf8_is_invisible(point))
        return;
    for (size_t i = n; i-- > 1; point >>= 6)
        bytes[i] = (char)(0x80 | (point & 0x3f));
    bytes[0] = (char)(lead[n] | point);
    put(c, bytes, n);
}

/* The first byte of a longer character. */
static void start_point(struct text_cleaner *c, unsigned char byte)
{
    if (byte >= 0xc2 && byte <= 0xdf) {
        c->awaited = 1;
        c->least = 0x80;
        c->point = byte & 0x1f;
    } else if (byte >= 0xe0 && byte <= 0xef) {
        c->awaited = 2;
        c->least = 0x800;
        c->point = byte & 0x0f;
    } else if (byte >= 0xf0 && byte <= 0xf4) {
        c->awaited = 3;
        c->least = 0x10000;
        c->point = byte & 0x07;
    } else {
        put(c, REPLACEMENT, 3);
    }
}

/* A byte of 0x80 and more, within a character or not. */
static void continue_point(struct text_cleaner *c, unsigned char byte)
{
    c->point = c->point << 6 | (byte & 0x3f);
    if (--c->awaited > 0)
        return;
    if (c->point < c->least || c->point > 0x10ffff ||
        (c->point >= 0xd800 && c->point <= 0xdfff))
        put(c, REPLACEMENT, 3);
    else
        put_point(c, c->point);
}

static void control(struct text_cleaner *c, unsigned char byte)
{
    switch (byte) {
    case '\n':
        line_end(c);
        break;
    case '\r':
        c->returned = true;
        break;
    case '\b':
        backspace(c);
        break;
    case '\t':
        tab(c);
        break;
    case 0x1b:
        c->state = ESCAPE;
        break;
    default:
        break;
    }
}

static void ground(struct text_cleaner *c, unsigned char byte)
{
    char letter = (char)byte;

    if (c->awaited && (byte & 0xc0) == 0x80) {
        continue_point(c, byte);
        return;
    }
    if (c->awaited) {
        c->awaited = 0;
        put(c, REPLACEMENT, 3);
    }
    if (byte >= 0x80)
        start_point(c, byte);
    else if (byte < 0x20 || byte == 0x7f)
        control(c, byte);
    else
        put(c, &letter, 1);
}

static void escape(struct text_cleaner *c, unsigned char byte)
{
    if (byte == '[')
        c->state = CSI;
    else if (byte == ']' || byte == 'P' || byte == 'X' || byte == '^' ||
             byte == '_')
        c->state = STRING;
    else if (byte < 0x20 || byte > 0x2f) /* else: more of it follows */
        c->state = GROUND;
}

static void in_string(struct text_cleaner *c, unsigned char byte)
{
    if (byte == 0x1b)
        c->state = STRING_ESC;
    else if (byte == 0x07)
        c->state = GROUND;
    else
        c->state = STRING;
}

static void take(struct text_cleaner *c, unsigned char byte)
{
    if (c->state != GROUND && (byte == '\n' || byte == 0x18 || byte == 0x1a))
        c->state = GROUND; /* CAN and SUB end a sequence; so does a line */
    switch (c->state) {
    case GROUND:
        ground(c, byte);
        break;
    case ESCAPE:
        escape(c, byte);
        break;
    case CSI:
        if (byte == 0x1b)
            c->state = ESCAPE;
        else if (byte >= 0x40)
            c->state = GROUND;
        break;
    case STRING_ESC:
        if (byte == '\\') {
            c->state = GROUND;
            break;
        }
        in_string(c, byte);
        break;
    case STRING:
        in_string(c, byte);
        break;
    }
}

/* How many bytes at `data` are plain ASCII text: taken in one go. */
static size_t plain_run(const unsigned char *data, size_t len)
{
    size_t n = 0;

    while (n < len && data[n] >= 0x20 && data[n] < 0x7f)
        n++;
    return n;
}

static void put_run(struct text_cleaner *c, const unsigned char *data,
                    size_t len)
{
    size_t room;

    if (c->returned)
        line_restart(c);
    room = c->left_out ? 0 : TEXT_LINE_MAX - c->line.len;
    if (room > len)
        room = len;
    strbuf_add(&c->line, data, room);
    c->left_out += len - room;
}

void text_cleaner_feed(struct text_cleaner *cleaner, const void *data,
                       size_t len)
{
    const unsigned char *bytes = data;
    size_t at = 0;

    while (at < len) {
        size_t run = cleaner->state == GROUND && !cleaner->awaited
                         ? plain_run(bytes + at, len - at)
                         : 0;

        if (run) {
            put_run(cleaner, bytes + at, run);
            at += run;
        } else {
            take(cleaner, bytes[at++]);
        }
    }
}

void text_cleaner_end(struct text_cleaner *cleaner)
{
    if (cleaner->awaited)
        put(cleaner, REPLACEMENT, 3);
    cleaner->awaited = 0;
    cleaner->state = GROUND;
    if (cleaner->line.len || cleaner->left_out)
        line_end(cleaner);
    line_restart(cleaner);
}

const char *text_cleaner_partial(const struct text_cleaner *cleaner)
{
    return cleaner->line.data;
}

static void add_piece(void *arg, const char *line, size_t len)
{
    struct strbuf *out = arg;

    if (out->len && out->data[out->len - 1] != ' ')
        strbuf_addc(out, ' ');
    strbuf_add(out, line, len);
}

void text_add_clean(struct strbuf *out, const char *text)
{
    CLEANUP(strbuf) struct strbuf clean = STRBUF_MAX((size_t)2 * TEXT_LINE_MAX);
    CLEANUP(text_cleaner)
    struct text_cleaner *cleaner = text_cleaner_new(add_piece, &clean);

    text_cleaner_feed(cleaner, text, strlen(text));
    text_cleaner_end(cleaner);
    strbuf_add(out, clean.data, clean.len);
}

static void add_line(void *arg, const char *line, size_t len)
{
    struct strbuf *out = arg;

    strbuf_add(out, line, len);
    strbuf_addc(out, '\n');
}

void text_add_clean_lines(struct strbuf *out, const char *text, size_t len)
{
    CLEANUP(text_cleaner)
    struct text_cleaner *cleaner = text_cleaner_new(add_line, out);

    text_cleaner_feed(cleaner, text, len);
    text_cleaner_end(cleaner);
}
