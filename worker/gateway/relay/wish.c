/* worker/gateway/relay/wish.c - what a request may ask of a provider. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/gateway/relay/wish.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#define DEPTH_MAX 4 /* of content in content: an answer of a tool has some */

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

/* ---- tools ----------------------------------------------------------------
 */

/* One that the client runs; all others are the provider's. */
static bool is_clients(const char *type)
{
    static const char *const names[] = {"", "function", "custom",
                                        "local_shell"};
    static const char *const starts[] = {"bash_", "text_editor_", "computer_",
                                         "memory_"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (!strcmp(type, names[i]))
            return true;
    for (size_t i = 0; i < ARRAY_LEN(starts); i++)
        if (!strncmp(type, starts[i], strlen(starts[i])))
            return true;
    return false;
}

static int check_tools(const json_t *request, struct err *err)
{
    const json_t *tool;
    size_t i;

    json_array_foreach(json_object_get(request, "tools"), i, tool)
    {
        if (!is_clients(text_of(tool, "type")))
            return err_set(err, ERR_USER,
                           "a tool of the provider's is not allowed here: "
                           "'%.60s'",
                           text_of(tool, "type"));
    }
    return 0;
}

/* ---- content --------------------------------------------------------------
 */

static bool is_elsewhere(const char *address)
{
    return *address && strncasecmp(address, "data:", 5) != 0;
}

/* A part of a message, as any of the dialects has it. */
static bool reads_address(const json_t *part)
{
    const json_t *image = json_object_get(part, "image_url");
    const json_t *source = json_object_get(part, "source");

    return is_elsewhere(text_of(part, "image_url")) ||
           is_elsewhere(text_of(image, "url")) ||
           is_elsewhere(text_of(part, "file_url")) ||
           is_elsewhere(text_of(source, "url"));
}

static int check_parts(const json_t *list, unsigned depth, struct err *err)
{
    const json_t *part;
    size_t i;

    json_array_foreach(list, i, part)
    {
        if (reads_address(part))
            return err_set(err, ERR_USER,
                           "an address that the provider is to read is not "
                           "allowed here: send the data");
        if (depth < DEPTH_MAX &&
            (check_parts(json_object_get(part, "content"), depth + 1, err) <
                 0 ||
             check_parts(json_object_get(part, "output"), depth + 1, err) < 0))
            return -1;
    }
    return 0;
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
        /* what a provider does elsewhere */
        "mcp_servers", "web_search_options", "plugins", "container",
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
    if (check_fields(request, err) < 0 || check_tools(request, err) < 0 ||
        check_parts(json_object_get(request, "messages"), 0, err) < 0)
        return -1;
    return check_parts(json_object_get(request, "input"), 0, err);
}
