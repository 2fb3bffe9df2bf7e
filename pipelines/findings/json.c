/* pipelines/findings/json.c - JSON of strangers, within bounds. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/findings/reader.h"

#include <string.h>

#define MAX_DEPTH  64
#define MAX_VALUES 500000u

/* A few bytes of JSON take a hundred of memory: count before it is read. */
static int check_bounds(const char *text, size_t len, struct err *err)
{
    size_t depth = 0, values = 1, lines = 1;
    bool in_string = false;

    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        lines += c == '\n';
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
            continue;
        }
        in_string = c == '"';
        depth += c == '[' || c == '{';
        depth -= depth && (c == ']' || c == '}');
        values += c == '[' || c == '{' || c == ',';
        if (depth > MAX_DEPTH)
            return err_set(err, ERR_USER, "line %zu: it is nested too deeply",
                           lines);
        if (values > MAX_VALUES)
            return err_set(err, ERR_USER,
                           "line %zu: there are more than %u values", lines,
                           MAX_VALUES);
    }
    return 0;
}

int reader_json(const char *text, size_t len, json_t **out_root,
                struct err *err)
{
    json_error_t where;
    json_t *root;

    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) { /* RFC 8259, 8.1 */
        text += 3;
        len -= 3;
    }
    if (check_bounds(text, len, err) < 0)
        return -1;
    root = json_loadb(text, len, JSON_ALLOW_NUL, &where);
    if (!root)
        return err_set(err, ERR_USER, "line %d, column %d: %s", where.line,
                       where.column, where.text);
    *out_root = root;
    return 0;
}

const char *json_text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

uint32_t json_line(const json_t *object, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(object, key));

    return value > 0 && value <= (json_int_t)FINDING_MAX_LINE ? (uint32_t)value
                                                              : 0;
}
