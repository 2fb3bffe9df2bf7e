/* scheduler/forge/body.c - JSON of a host, read within bounds. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/forge/body.h"

#include <malloc.h>
#include <stdlib.h>

/* Where the string that starts at `at` ends. */
static size_t skip_string(const char *text, size_t len, size_t at)
{
    for (at++; at < len && text[at] != '"'; at++)
        if (text[at] == '\\')
            at++;
    return at;
}

/*
 * An upper bound for what jansson will make of it: counted, not parsed, so it
 * is right for JSON and harmless for anything else.
 */
static int check_bounds(const char *text, size_t len, struct err *err)
{
    size_t values = 1;
    int depth = 0;

    for (size_t i = 0; i < len; i++) {
        switch (text[i]) {
        case '"':
            i = skip_string(text, len, i);
            break;
        case '[':
        case '{':
            depth++;
            values++;
            break;
        case ']':
        case '}':
            depth--;
            break;
        case ',':
            values++;
            break;
        default:
            break;
        }
        if (depth > BODY_MAX_DEPTH)
            return err_set(err, ERR_USER, "the body has more than %d levels",
                           BODY_MAX_DEPTH);
        if (values > BODY_MAX_VALUES)
            return err_set(err, ERR_USER, "the body has more than %zu values",
                           BODY_MAX_VALUES);
    }
    return 0;
}

json_t *body_parse_any(const char *text, size_t len, struct err *err)
{
    json_error_t why = {0};
    json_t *body;

    if (len > BODY_MAX_BYTES) {
        (void)err_set(err, ERR_USER, "the body has more than %zu bytes",
                      BODY_MAX_BYTES);
        return NULL;
    }
    if (check_bounds(text, len, err) < 0)
        return NULL;
    body = json_loadb(text, len,
                      JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY,
                      &why);
    if (!body)
        (void)err_set(err, ERR_USER, "the body is no JSON: byte %d of it",
                      why.position);
    return body;
}

json_t *body_parse(const char *text, size_t len, struct err *err)
{
    json_t *body = body_parse_any(text, len, err);

    if (!body || json_is_object(body))
        return body;
    json_decref(body);
    (void)err_set(err, ERR_USER, "the body is no object of JSON");
    return NULL;
}

static void wipe_and_free(void *data)
{
    mem_wipe(data, malloc_usable_size(data));
    free(data);
}

void body_wipe_freed(void)
{
    json_set_alloc_funcs(malloc, wipe_and_free);
}
