/* worker/gateway/relay/wish.c - what a request may ask of a provider. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/gateway/relay/wish.h"

#include <stdbool.h>
#include <string.h>

int wish_check_size(const char *data, size_t len, struct err *err)
{
    size_t values = 0;
    bool quoted = false;

    for (size_t i = 0; i < len; i++) {
        if (quoted && data[i] == '\\')
            i++;
        else if (data[i] == '"')
            quoted = !quoted;
        else if (!quoted &&
                 (data[i] == ',' || data[i] == '[' || data[i] == '{'))
            values++;
    }
    return values <= WISH_MAX_VALUES
               ? 0
               : err_set(err, ERR_USER, "a request has %zu values at most",
                         WISH_MAX_VALUES);
}

static const char *text_of(const json_t *object, const char *field)
{
    const char *text = json_string_value(json_object_get(object, field));

    return text ? text : "";
}

/* ---- all else -------------------------------------------------------------
 */

/* Lists and objects of these; what is empty asks for nothing. */
static bool is_given(const json_t *value)
{
    return value && !json_is_null(value) && !json_is_false(value) &&
           !(json_is_array(value) && !json_array_size(value));
}

static int check_fields(const json_t *request, struct err *err)
{
    static const char *const fields[] = {
        /* other models, or other providers (of gateways to many) */
        "models", "fallbacks", "api_base", "base_url", "api_key",
        /* an answer that comes later */
        "background"};

    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (is_given(json_object_get(request, fields[i])))
            return err_set(err, ERR_USER, "'%s' is not allowed here",
                           fields[i]);
    /* Twice the price, and more. */
    if (!strcmp(text_of(request, "service_tier"), "priority") ||
        !strcmp(text_of(request, "speed"), "fast"))
        return err_set(err, ERR_USER, "only the usual speed is allowed here");
    return 0;
}

int wish_check(const json_t *request, struct err *err)
{
    const json_t *model = json_object_get(request, "model");

    /* One that reads on behind the NUL knows another model by it. */
    if (strlen(json_string_value(model)) != json_string_length(model))
        return err_set(err, ERR_USER, "'model' is no text");
    return check_fields(request, err);
}
