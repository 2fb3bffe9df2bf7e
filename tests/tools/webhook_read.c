/* tests/tools/webhook_read.c - requests of webhooks, as berth reads them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/forge/delivery.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * webhook_read <REQUESTS
 *
 * Each line is {"headers": ["Name: value"], "body": "…", "secrets": [{"name",
 * "value", "scope"}], "now": milliseconds, "route": "github", "base": "https:
 * //…"}; a body of any bytes is `hex` instead. Prints a line of what became of
 * each: {"status": 401, "reason"}, or {"status": 0, "delivery", "event"}, with
 * "unread" instead of the event when it could not be, or may not.
 */

static void put_end(json_t *out, const char *name, const struct event_end *end)
{
    json_object_set_new(out, name,
                        json_pack("{s:s, s:s, s:I, s:s}", "ref", end->ref,
                                  "sha", end->sha, "repo_id",
                                  (json_int_t)end->repo_id, "repo", end->repo));
}

static void put_person(json_t *out, const char *name,
                       const struct event_person *person)
{
    json_object_set_new(out, name,
                        json_pack("{s:I, s:s, s:b}", "id",
                                  (json_int_t)person->id, "login",
                                  person->login, "is_bot", person->is_bot));
}

static json_t *words_to_json(const struct event_words *words)
{
    json_t *list = json_array();

    for (size_t i = 0; i < words->count; i++)
        json_array_append_new(list, json_string(words->items[i]));
    return list;
}

static json_t *event_to_json(const struct event *event)
{
    const struct event_repo *repo = &event->repo;
    const struct event_check *check = &event->check;
    json_t *commands = json_array();
    json_t *out = json_pack(
        "{s:s, s:s, s:s, s:I, s:I, s:s, s:b, s:b, s:s, s:s, s:s, s:b, s:I}",
        "kind", event_kind_name(event->kind), "reason", event->reason, "name",
        event->name, "installation_id", (json_int_t)event->installation_id,
        "change", (json_int_t)event->change, "fork",
        event_fork_name(event->fork), "is_draft", event->is_draft, "is_merged",
        event->is_merged, "title", event->title, "label", event->label,
        "association", event_association_name(event->association),
        "paths_known", event->paths_known, "comment_id",
        (json_int_t)event->comment_id);

    for (size_t i = 0; i < event->commands.count; i++)
        json_array_append_new(
            commands, json_string(command_name(event->commands.items[i])));
    json_object_set_new(out, "commands", commands);
    json_object_set_new(out, "labels", words_to_json(&event->labels));
    json_object_set_new(out, "paths", words_to_json(&event->paths));
    json_object_set_new(out, "repo",
                        json_pack("{s:I, s:s, s:s, s:s, s:b}", "id",
                                  (json_int_t)repo->id, "full_name",
                                  repo->full_name, "clone_url", repo->clone_url,
                                  "default_branch", repo->default_branch,
                                  "is_private", repo->is_private));
    json_object_set_new(
        out, "check",
        json_pack("{s:I, s:I, s:I, s:s, s:s, s:s}", "id", (json_int_t)check->id,
                  "suite_id", (json_int_t)check->suite_id, "app_id",
                  (json_int_t)check->app_id, "name", check->name, "external_id",
                  check->external_id, "action", check->action));
    put_end(out, "head", &event->head);
    put_end(out, "base", &event->base);
    put_person(out, "author", &event->author);
    put_person(out, "actor", &event->actor);
    return out;
}

static json_t *read_it(const struct webhook_request *request,
                       const struct webhook_secrets *secrets, const char *base)
{
    CLEANUP(event) struct event *event = NULL;
    struct delivery delivery = {.forge = FORGE_NONE};
    struct err err = {0};
    int status = 0;
    json_t *out;

    if (delivery_verify(request, secrets, &delivery, &status, &err) < 0)
        return json_pack("{s:i, s:s}", "status", status, "reason", err.msg);
    out = json_pack("{s:i, s:{s:s, s:s, s:s, s:s, s:I}}", "status", 0,
                    "delivery", "forge", forge_name(delivery.forge), "key",
                    delivery.key, "id", delivery.id, "event", delivery.event,
                    "secrets", (json_int_t)delivery.secrets);
    if (delivery_read(&delivery, request, base, &event, &err) < 0 ||
        delivery_check_scope(&delivery, secrets, event, &err) < 0)
        json_object_set_new(out, "unread", json_string(err.msg));
    else
        json_object_set_new(out, "event", event_to_json(event));
    return out;
}

static char *unhex(const char *hex, size_t *out_len)
{
    size_t len = strlen(hex) / 2;
    char *bytes = xcalloc(len + 1, 1);

    for (size_t i = 0; i < len; i++) {
        const char digits[] = {hex[2 * i], hex[2 * i + 1], '\0'};

        bytes[i] = (char)strtoul(digits, NULL, 16);
    }
    *out_len = len;
    return bytes;
}

static void answer(const json_t *line)
{
    struct webhook_secret secrets[WEBHOOK_MAX_SECRETS];
    const json_t *list = json_object_get(line, "secrets");
    const char *hex = json_string_value(json_object_get(line, "hex"));
    const char *route = json_string_value(json_object_get(line, "route"));
    CLEANUP(strv) struct strv headers = {0};
    CLEANUP(mem) char *bytes = NULL;
    const json_t *body = json_object_get(line, "body");
    struct webhook_secrets all = {secrets, json_array_size(list)};
    struct webhook_request request = {
        .route = route ? forge_find(route) : FORGE_NONE,
        .headers = &headers,
        .body = json_string_value(body),
        .len = json_string_length(body),
        .now_ms = json_integer_value(json_object_get(line, "now"))};
    json_t *out;

    for (size_t i = 0; i < all.count && i < ARRAY_LEN(secrets); i++) {
        const json_t *item = json_array_get(list, i);

        secrets[i] = (struct webhook_secret){
            json_string_value(json_object_get(item, "name")),
            json_string_value(json_object_get(item, "value")),
            json_string_value(json_object_get(item, "scope"))};
    }
    for (size_t i = 0; i < json_array_size(json_object_get(line, "headers"));
         i++)
        strv_add(&headers, json_string_value(json_array_get(
                               json_object_get(line, "headers"), i)));
    if (hex)
        request.body = bytes = unhex(hex, &request.len);
    out = read_it(&request, &all,
                  json_string_value(json_object_get(line, "base")));
    json_dumpf(out, stdout, JSON_COMPACT);
    putchar('\n');
    (void)fflush(stdout);
    json_decref(out);
}

int main(void)
{
    CLEANUP(mem) char *text = NULL;
    size_t size = 0;
    ssize_t len;

    while ((len = getline(&text, &size, stdin)) > 0) {
        json_t *line = json_loadb(text, (size_t)len, JSON_ALLOW_NUL, NULL);

        if (!line)
            return 2;
        answer(line);
        json_decref(line);
    }
    return 0;
}
