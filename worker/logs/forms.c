/* worker/logs/forms.c - the forms in which a secret shows up in output. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/logs/forms.h"

#include "base/strbuf.h"
#include "base/utf8.h"

#include <string.h>

static const char upper_hex[] = "0123456789ABCDEF";
static const char lower_hex[] = "0123456789abcdef";

/* A value being read, and where its forms go. */
struct source {
    const char *value;
    size_t len;
    form_fn *fn;
    void *arg;
};

static void tell(const struct source *source, struct strbuf *form)
{
    source->fn(source->arg, form->data, form->len);
    mem_wipe(form->data, form->len);
    strbuf_clear(form);
}

/* ---- ends of lines ------------------------------------------------------- */

static void with_line_ends(const struct source *source, const char *end)
{
    struct strbuf form = STRBUF_INIT;

    for (size_t i = 0; i < source->len; i++) {
        char c = source->value[i];

        if (c == '\n')
            strbuf_adds(&form, end);
        else if (c != '\r' || i + 1 == source->len ||
                 source->value[i + 1] != '\n')
            strbuf_addc(&form, c);
    }
    tell(source, &form);
}

/* ---- JSON ---------------------------------------------------------------- */

struct json_style {
    bool slash; /* escaped */
    bool ascii; /* all else escaped */
    bool upper; /* digits */
};

static const struct json_style json_styles[] = {
    {false, false, false}, {true, false, false}, {false, true, false},
    {true, true, false},   {false, false, true}, {false, true, true},
};

static void add_json_unit(struct strbuf *form, uint32_t unit, bool upper)
{
    strbuf_addf(form, upper ? "\\u%04X" : "\\u%04x", (unsigned)unit);
}

static void add_json_char(struct strbuf *form, uint32_t c, bool upper)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    const char *found = c && c < 0x80 ? strchr(from, (int)c) : NULL;

    if (found) {
        strbuf_addc(form, '\\');
        strbuf_addc(form, to[found - from]);
    } else if (c > 0xffff) {
        add_json_unit(form, 0xd800 + ((c - 0x10000) >> 10), upper);
        add_json_unit(form, 0xdc00 + ((c - 0x10000) & 0x3ff), upper);
    } else {
        add_json_unit(form, c, upper);
    }
}

static void as_json(const struct source *source, const struct json_style *style)
{
    struct strbuf form = STRBUF_INIT;
    size_t taken;
    uint32_t c;

    for (size_t i = 0; i < source->len; i += taken) {
        const char *at = source->value + i;

        taken = utf8_decode(at, source->len - i, &c);
        if (style->slash && *at == '/')
            strbuf_addc(&form, '\\');
        if (taken &&
            (c < 0x20 || c == '"' || c == '\\' || (style->ascii && c > 0x7e)))
            add_json_char(&form, c, style->upper);
        else
            strbuf_add(&form, at, taken ? taken : 1);
        taken = taken ? taken : 1;
    }
    tell(source, &form);
}

/* ---- percent and hexadecimal --------------------------------------------- */

static void add_hex(struct strbuf *form, char c, const char *digits)
{
    strbuf_addc(form, digits[((unsigned char)c) >> 4]);
    strbuf_addc(form, digits[c & 0xf]);
}

static void as_hex(const struct source *source, const char *digits)
{
    struct strbuf form = STRBUF_INIT;

    for (size_t i = 0; i < source->len; i++)
        add_hex(&form, source->value[i], digits);
    tell(source, &form);
}

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || (c && strchr("-._~", c));
}

static void percent_encoded(const struct source *source, const char *safe,
                            const char *digits, bool plus)
{
    struct strbuf form = STRBUF_INIT;

    for (size_t i = 0; i < source->len; i++) {
        char c = source->value[i];

        if (is_unreserved(c) || (c && strchr(safe, c))) {
            strbuf_addc(&form, c);
        } else if (c == ' ' && plus) {
            strbuf_addc(&form, '+');
        } else {
            strbuf_addc(&form, '%');
            add_hex(&form, c, digits);
        }
    }
    tell(source, &form);
}

/* ---- base64 -------------------------------------------------------------- */

/* Of `before` bytes (their characters are of no use) and the value. */
static void base64(const struct source *source, size_t before, bool url,
                   struct strbuf *out)
{
    const char *digits =
        url ? "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
            : "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+"
              "/";
    uint32_t bits = 0;
    unsigned held = 0;

    for (size_t i = 0; i < before + source->len; i++) {
        bits = bits << 8 |
               (i < before ? 0 : (unsigned char)source->value[i - before]);
        for (held += 8; held >= 6; held -= 6)
            strbuf_addc(out, digits[bits >> (held - 6) & 0x3f]);
    }
    if (held)
        strbuf_addc(out, digits[bits << (6 - held) & 0x3f]);
    while (out->len % 4)
        strbuf_addc(out, '=');
}

static void as_base64(const struct source *source, size_t before, bool url)
{
    struct strbuf whole = STRBUF_INIT;
    size_t bytes = before + source->len;
    size_t skip = (before * 4 + 2) / 3; /* characters that `before` is in */
    const size_t ends[] = {
        bytes * 4 / 3,       /* determined whatever follows */
        (bytes * 4 + 2) / 3, /* nothing follows: without padding */
        (bytes + 2) / 3 * 4, /* and with */
    };

    base64(source, before, url, &whole);
    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        source->fn(source->arg, whole.data + skip, ends[i] - skip);
    mem_wipe(whole.data, whole.len);
    strbuf_clear(&whole);
}

void forms_wrapped(const char *value, size_t len, form_fn *fn, void *arg)
{
    static const size_t columns[] = {64, 76};
    const struct source source = {value, len, fn, arg};
    struct strbuf whole = STRBUF_INIT;

    base64(&source, 0, false, &whole);
    for (size_t c = 0; c < ARRAY_LEN(columns); c++)
        for (size_t i = 0; whole.len > columns[c] && i < whole.len;
             i += columns[c])
            fn(arg, whole.data + i,
               whole.len - i < columns[c] ? whole.len - i : columns[c]);
    mem_wipe(whole.data, whole.len);
    strbuf_clear(&whole);
}

void forms_of_line(const char *line, size_t len, form_fn *fn, void *arg)
{
    const struct source source = {line, len, fn, arg};

    fn(arg, line, len);
    for (size_t i = 0; i < ARRAY_LEN(json_styles); i++)
        as_json(&source, &json_styles[i]);
}

/* ---- all ----------------------------------------------------------------- */

void forms_of(const char *value, size_t len, form_fn *fn, void *arg)
{
    const struct source source = {value, len, fn, arg};

    fn(arg, value, len);
    with_line_ends(&source, "\n");
    with_line_ends(&source, "\r\n");
    with_line_ends(&source, "\\n");
    for (size_t i = 0; i < ARRAY_LEN(json_styles); i++)
        as_json(&source, &json_styles[i]);
    percent_encoded(&source, "", upper_hex, false);
    percent_encoded(&source, "", upper_hex, true);
    percent_encoded(&source, "", lower_hex, false);
    percent_encoded(&source, "", lower_hex, true);
    percent_encoded(&source, "!'()*", upper_hex, false);
    percent_encoded(&source, "/", upper_hex, false);
    as_hex(&source, upper_hex);
    as_hex(&source, lower_hex);
    for (size_t before = 0; before < 3; before++) {
        as_base64(&source, before, false);
        as_base64(&source, before, true);
    }
}
