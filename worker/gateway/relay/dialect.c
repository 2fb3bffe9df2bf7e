/* worker/gateway/relay/dialect.c - how requests to models look. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/gateway/relay/dialect.h"

#include "base/strbuf.h"
#include "base/utf8.h"
#include "worker/gateway/relay/wish.h"

#include <stdlib.h>
#include <string.h>

#define ANTHROPIC_VERSION "2023-06-01"
#define USUAL_OUTPUT      16384  /* of an answer that nobody limits, at most */
#define MOST_OUTPUT       131072 /* of any, where the worker does not say */
#define MOST_ANSWERS      128    /* to one request */

static const struct {
    enum route route;
    enum dialect dialect;
    const char *path; /* below the provider's address */
} routes[] = {
    {ROUTE_CHAT, DIALECT_OPENAI, "/chat/completions"},
    {ROUTE_RESPONSES, DIALECT_OPENAI, "/responses"},
    {ROUTE_MESSAGES, DIALECT_ANTHROPIC, "/messages"},
};

enum route dialect_route(enum dialect dialect, const char *method,
                         const char *path)
{
    if (strncmp(path, "/v1/", 4) != 0)
        return ROUTE_NONE;
    path += 3;
    if (!strcmp(method, "GET"))
        return strcmp(path, "/models") == 0 ? ROUTE_MODELS : ROUTE_NONE;
    if (strcmp(method, "POST") != 0)
        return ROUTE_NONE;
    for (size_t i = 0; i < ARRAY_LEN(routes); i++)
        if (routes[i].dialect == dialect && !strcmp(routes[i].path, path))
            return routes[i].route;
    return ROUTE_NONE;
}

char *dialect_url(enum route route, const struct relay_model *model)
{
    size_t len = strlen(model->url);

    while (len && model->url[len - 1] == '/')
        len--;
    for (size_t i = 0; i < ARRAY_LEN(routes); i++)
        if (routes[i].route == route)
            return xasprintf("%.*s%s", (int)len, model->url, routes[i].path);
    return xstrdup(model->url);
}

void dialect_headers(const struct relay_model *model, const char *version,
                     struct strv *out)
{
    strv_add(out, "Content-Type: application/json");
    strv_add(out, "User-Agent: berth");
    if (model->dialect == DIALECT_ANTHROPIC)
        strv_addf(out, "anthropic-version: %s",
                  *version ? version : ANTHROPIC_VERSION);
    if (!*model->key)
        return;
    if (model->dialect == DIALECT_ANTHROPIC)
        strv_addf(out, "x-api-key: %s", model->key);
    else
        strv_addf(out, "Authorization: Bearer %s", model->key);
}

/* ---- requests -------------------------------------------------------------
 */

/* The value of \uXXXX at `text`; -1: there is none. */
static long escape_at(const char *text, const char *end)
{
    char digits[5] = {0};
    char *stop;
    long value;

    if (end - text < 6 || text[0] != '\\' || text[1] != 'u')
        return -1;
    memcpy(digits, text + 2, 4);
    value = strtol(digits, &stop, 16);
    return stop == digits + 4 ? value : -1;
}

/* A program that cuts texts by UTF-16 leaves halves of characters behind. */
static void mend(char *text, size_t len)
{
    const char *end = text + len;

    while (text < end) {
        long value = escape_at(text, end);

        if (value >= 0xd800 && value <= 0xdbff) {
            long next = escape_at(text + 6, end);

            if (next >= 0xdc00 && next <= 0xdfff) {
                text += 12;
                continue;
            }
        }
        if (value >= 0xd800 && value <= 0xdfff)
            memcpy(text + 2, "fffd", 4); /* NOLINT: it has no end */
        text += *text == '\\' && end - text > 1 ? 2 : 1;
    }
}

json_t *dialect_parse(const char *data, size_t len, struct err *err)
{
    CLEANUP(mem) char *copy = xmemdup(data, len + !len);
    json_error_t where;
    json_t *request;

    if (wish_check_size(data, len, err) < 0)
        return NULL;
    mend(copy, len);
    request = json_loadb(copy, len, JSON_ALLOW_NUL, &where);
    if (!json_is_object(request))
        (void)err_set(err, ERR_USER, "the request is no JSON object: %s",
                      request ? "it is something else" : where.text);
    else if (!json_is_string(json_object_get(request, "model")))
        (void)err_set(err, ERR_USER, "the request has no 'model'");
    else if (wish_check(request, err) == 0)
        return request;
    json_decref(request);
    return NULL;
}

bool dialect_wants_stream(const json_t *request)
{
    return json_is_true(json_object_get(request, "stream"));
}

static uint64_t bounded(const json_t *request, const char *field, uint64_t most)
{
    double number = json_number_value(json_object_get(request, field));

    return !(number > 0) ? 0 : number < (double)most ? (uint64_t)number : most;
}

uint64_t dialect_most_output(const json_t *request,
                             const struct relay_model *model)
{
    static const char *const fields[] = {"max_tokens", "max_completion_tokens",
                                         "max_output_tokens"};
    uint64_t most = model->output ? model->output : MOST_OUTPUT;
    uint64_t answers = bounded(request, "n", MOST_ANSWERS);
    uint64_t tokens = 0;

    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        uint64_t asked = bounded(request, fields[i], most);

        tokens = asked > tokens ? asked : tokens;
    }
    if (!tokens)
        tokens = model->output ? model->output : USUAL_OUTPUT;
    return tokens * (answers ? answers : 1);
}

static bool knows(const struct relay_model *model, const char *id)
{
    const struct relay_step step = {.model =
                                        (struct relay_model *)(uintptr_t)model};

    return relay_step_allows(&step, id);
}

char *dialect_write(const json_t *request, enum route route,
                    const struct relay_model *first,
                    const struct relay_model *model)
{
    json_t *copy = json_copy((json_t *)(uintptr_t)request);
    const char *id = json_string_value(json_object_get(copy, "model"));
    json_t *options = json_object_get(copy, "stream_options");
    char *text;

    if (model != first && !knows(model, id))
        json_object_set_new(copy, "model", json_string(model->id));
    if (route == ROUTE_CHAT && dialect_wants_stream(request)) {
        options = json_is_object(options) ? json_copy(options) : json_object();
        json_object_set_new(options, "include_usage", json_true());
        json_object_set_new(copy, "stream_options", options);
    }
    text = json_dumps(copy, JSON_COMPACT | JSON_REAL_PRECISION(15));
    json_decref(copy);
    return text ? text : xstrdup("{}");
}

/* ---- answers of ours ------------------------------------------------------
 */

static char *dump(json_t *doc)
{
    char *text = json_dumps(doc, JSON_COMPACT);

    json_decref(doc);
    return text ? text : xstrdup("{}");
}

char *dialect_error(enum dialect dialect, const char *code, const char *message)
{
    if (dialect == DIALECT_ANTHROPIC)
        return dump(json_pack("{s:s, s:{s:s, s:s, s:s}}", "type", "error",
                              "error", "type", "invalid_request_error", "code",
                              code, "message", message));
    return dump(json_pack("{s:{s:s, s:s, s:n, s:s}}", "error", "message",
                          message, "type", "invalid_request_error", "param",
                          "code", code));
}

static json_t *model_entry(enum dialect dialect, const char *id)
{
    if (dialect == DIALECT_ANTHROPIC)
        return json_pack("{s:s, s:s, s:s, s:s}", "type", "model", "id", id,
                         "display_name", id, "created_at",
                         "1970-01-01T00:00:00Z");
    return json_pack("{s:s, s:s, s:i, s:s}", "id", id, "object", "model",
                     "created", 0, "owned_by", "berth");
}

char *dialect_models(const struct relay_model *model)
{
    json_t *list = json_array();

    json_array_append_new(list, model_entry(model->dialect, model->id));
    for (size_t i = 0; i < model->allow.count; i++)
        json_array_append_new(
            list, model_entry(model->dialect, model->allow.items[i]));
    if (model->dialect == DIALECT_ANTHROPIC)
        return dump(json_pack("{s:o, s:b}", "data", list, "has_more", 0));
    return dump(json_pack("{s:s, s:o}", "object", "list", "data", list));
}

/* {"error": {"message"}}, {"error": "…"}, {"message"}; else what it begins
 * with. */
static const char *find_complaint(const json_t *doc)
{
    const json_t *error = json_object_get(doc, "error");
    const char *message = json_string_value(json_object_get(error, "message"));

    if (!message)
        message = json_string_value(error);
    return message ? message
                   : json_string_value(json_object_get(doc, "message"));
}

void dialect_complaint(const char *body, size_t len, const char *key,
                       struct strbuf *out)
{
    json_t *doc = json_loadb(body, len, 0, NULL);
    const char *message = find_complaint(doc);
    uint32_t c;
    size_t n;

    /* Who shows us the key we gave does not get into a log. */
    if (message && !(*key && strstr(message, key)))
        for (; *message; message += n) {
            n = utf8_decode(message, strlen(message), &c);
            if (!n || utf8_is_control(c))
                strbuf_addc(out, ' ');
            else if (out->len + n < out->max_bytes)
                strbuf_add(out, message, n);
            n = n ? n : 1;
        }
    json_decref(doc);
}
