/* scheduler/forge/api/api_message.c - what a host says went wrong. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/forge/api/api_internal.h"

#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

#define MAX_PARTS 8
#define MAX_LEVEL 3
#define MAX_BYTES 16384 /* of which the caller takes the beginning */

void api_add_line(struct strbuf *out, const char *text, size_t len)
{
    uint32_t c = 0;
    size_t n;

    for (size_t i = 0; i < len && !out->truncated; i += n ? n : 1) {
        n = utf8_decode(text + i, len - i, &c);
        if (n && utf8_is_invisible(c))
            continue;
        if (n && !utf8_is_control(c)) {
            /* Whole characters only. */
            if (out->len + n > out->max_bytes)
                out->truncated = true;
            else
                strbuf_add(out, text + i, n);
        } else if (out->len && out->data[out->len - 1] != ' ') {
            strbuf_addc(out, ' ');
        }
    }
}

static void add_part(struct strbuf *out, const char *text, size_t len)
{
    if (!len)
        return;
    if (out->len)
        strbuf_adds(out, out->data[out->len - 1] == ':' ? " " : "; ");
    api_add_line(out, text, len);
}

/* GitLab nests: {"message": {"base": ["text", …]}}. */
static void add_value(struct strbuf *out, const json_t *value, int level)
{
    const char *key;
    json_t *item;
    size_t i;
    int parts = 0;

    if (level > MAX_LEVEL)
        return;
    if (json_is_string(value))
        add_part(out, json_string_value(value), json_string_length(value));
    json_array_foreach(value, i, item) if (parts++ < MAX_PARTS)
        add_value(out, item, level + 1);
    json_object_foreach((json_t *)value, key, item)
    {
        /* GitHub's errors have this in each, beside what is meant. */
        if (!strcmp(key, "documentation_url") || parts++ >= MAX_PARTS)
            continue;
        if (json_is_array(item) || json_is_object(item)) {
            add_part(out, key, strlen(key));
            strbuf_addc(out, ':');
        }
        add_value(out, item, level + 1);
    }
}

static void remove_secret(struct strbuf *text, const char *secret)
{
    size_t len = secret ? strlen(secret) : 0;
    char *at = text->data;

    /* Behind it: it may consist of what it is replaced with. */
    for (; len >= 4 && (at = strstr(at, secret)); at += len)
        memset(at, '*', len);
}

void api_message(const struct api *api, const struct api_answer *answer,
                 struct strbuf *out)
{
    static const char *const keys[] = {"message", "error", "errors",
                                       "error_description"};
    json_error_t why;
    /* Small ones only: a page of an answer is no message. */
    json_t *json = answer->text.len <= 65536
                       ? json_loadb(answer->text.data, answer->text.len,
                                    JSON_REJECT_DUPLICATES, &why)
                       : NULL;
    size_t line = strcspn(answer->text.data, "\r\n");
    CLEANUP(strbuf) struct strbuf said = STRBUF_MAX(MAX_BYTES);

    if (json_is_object(json))
        for (size_t i = 0; i < ARRAY_LEN(keys); i++)
            add_value(&said, json_object_get(json, keys[i]), 0);
    else if (*answer->text.data != '<') /* a page for people */
        api_add_line(&said, answer->text.data, line);
    json_decref(json);
    remove_secret(&said, api->token);
    for (size_t i = 0; i < GRANTS_MAX; i++)
        remove_secret(&said, api->grants[i].token);
    api_add_line(out, said.data, said.len);
}
