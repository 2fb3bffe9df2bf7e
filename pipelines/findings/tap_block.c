/* pipelines/findings/tap_block.c - the YAML behind a test point of TAP. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/findings/tap_block.h"

#include "pipelines/findings/findings.h"

#include <stdlib.h>
#include <string.h>

#define VALUE_MAX ((size_t)1 << 10) /* of what was expected, and what came */

static const struct {
    const char *key;
    size_t offset; /* of its strbuf */
} keys[] = {
    {"message", offsetof(struct tap_block, message)},
    {"error", offsetof(struct tap_block, message)},
    {"stack", offsetof(struct tap_block, trace)},
    {"at", offsetof(struct tap_block, place)},
    {"location", offsetof(struct tap_block, place)},
    {"file", offsetof(struct tap_block, file)},
    {"fileName", offsetof(struct tap_block, file)},
    {"filename", offsetof(struct tap_block, file)},
    {"expected", offsetof(struct tap_block, expected)},
    {"wanted", offsetof(struct tap_block, expected)},
    {"actual", offsetof(struct tap_block, actual)},
    {"found", offsetof(struct tap_block, actual)},
    {"got", offsetof(struct tap_block, actual)},
};

void tap_block_init(struct tap_block *block)
{
    const struct strbuf text = STRBUF_MAX(FINDING_MAX_TEXT + 1);
    const struct strbuf value = STRBUF_MAX(VALUE_MAX);

    *block = (struct tap_block){.message = text,
                                .trace = text,
                                .place = value,
                                .file = value,
                                .expected = value,
                                .actual = value};
}

void tap_block_clear(struct tap_block *block)
{
    strbuf_clear(&block->message);
    strbuf_clear(&block->trace);
    strbuf_clear(&block->place);
    strbuf_clear(&block->file);
    strbuf_clear(&block->expected);
    strbuf_clear(&block->actual);
    tap_block_init(block);
}

static bool is_key(const char *s, size_t len, const char *key)
{
    return strlen(key) == len && memcmp(s, key, len) == 0;
}

/* Take quotes off, and what is escaped in them. */
static void add_scalar(struct strbuf *out, const char *s, size_t len)
{
    char quote = len >= 2 && (s[0] == '\'' || s[0] == '"') ? s[0] : '\0';

    if (!quote || s[len - 1] != quote) {
        strbuf_add(out, s, len);
        return;
    }
    for (size_t i = 1; i + 1 < len; i++) {
        bool more = i + 2 < len;

        if (quote == '\'' && s[i] == '\'' && more && s[i + 1] == '\'')
            i++;
        if (quote == '"' && s[i] == '\\' && more) {
            i++;
            strbuf_addc(out, (char)(s[i] == 'n'   ? '\n'
                                    : s[i] == 't' ? '\t'
                                                  : s[i]));
            continue;
        }
        strbuf_addc(out, s[i]);
    }
}

static void add_number(struct tap_block *block, const char *key, size_t key_len,
                       const char *value)
{
    bool is_line =
        is_key(key, key_len, "line") || is_key(key, key_len, "lineNumber");
    bool is_column =
        is_key(key, key_len, "column") || is_key(key, key_len, "columnNumber");
    long number = is_line || is_column ? strtol(value, NULL, 10) : 0;

    if (number <= 0 || number > (long)FINDING_MAX_LINE)
        return;
    if (is_line && !block->line)
        block->line = (uint32_t)number;
    if (is_column && !block->column)
        block->column = (uint32_t)number;
}

/* `key: value`; the first of a name counts. */
static void add_pair(struct tap_block *block, size_t indent, const char *s,
                     size_t len)
{
    const char *colon = memchr(s, ':', len);
    size_t key_len = colon ? (size_t)(colon - s) : 0, value_len;
    const char *value;
    struct strbuf *out = NULL;

    if (!key_len || (key_len + 1 < len && s[key_len + 1] != ' '))
        return;
    value = s + key_len + 1;
    value_len = len - key_len - 1;
    while (value_len && *value == ' ') {
        value++;
        value_len--;
    }
    for (size_t i = 0; i < ARRAY_LEN(keys) && !out; i++)
        if (is_key(s, key_len, keys[i].key))
            out = (struct strbuf *)((char *)block + keys[i].offset);
    if (!out) {
        char digits[16] = "";

        memcpy(digits, value, value_len < 15 ? value_len : 15);
        add_number(block, s, key_len, digits);
        return;
    }
    if (value_len && (*value == '|' || *value == '>')) {
        block->open = out->len ? NULL : out;
        block->indent = indent;
    } else if (!out->len) {
        add_scalar(out, value, value_len);
    }
}

void tap_block_add(struct tap_block *block, const char *line, size_t len)
{
    size_t indent = 0;

    while (len && strchr(" \t\r", line[len - 1]) && line[len - 1])
        len--;
    while (indent < len && line[indent] == ' ')
        indent++;
    if (block->open && (indent > block->indent || indent == len)) {
        size_t skip = block->indent + 2 < indent ? block->indent + 2 : indent;

        if (block->open->len)
            strbuf_addc(block->open, '\n');
        strbuf_add(block->open, line + skip, len - skip);
        return;
    }
    block->open = NULL;
    add_pair(block, indent, line + indent, len - indent);
}
