/* scheduler/forge/api/api_list.c - documents, lists and GraphQL of an API. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/forge/api/api_internal.h"

#include "scheduler/forge/link.h"

#include <stdlib.h>
#include <string.h>

#define MAX_ITEMS ((size_t)API_MAX_PAGES * 100)
#define MAX_BYTES (3 * API_MAX_ANSWER) /* of all pages */

static int no_list(struct api *api, const char *path, const char *what,
                   struct err *err)
{
    return api_fail(api, (struct api_failure){API_REFUSED, 200, 0}, err,
                    "GET %.200s: %s", path, what);
}

int api_get(struct api *api, const char *path, json_t **out, struct err *err)
{
    const struct api_request request = {.method = "GET", .path = path};
    CLEANUP(api_answer) struct api_answer answer = {0};

    if (api_send(api, &request, &answer, err) < 0)
        return -1;
    if (!json_is_object(answer.json) && !json_is_array(answer.json))
        return no_list(api, path, "neither an object nor a list", err);
    *out = STEAL(answer.json);
    return 0;
}

/* Hosts give 20 or 30 items a page unless they are asked for more. */
static char *first_page(const struct api *api, const char *path)
{
    const char *size = api->kind == FORGE_GITEA ? "limit=50" : "per_page=100";

    if (strstr(path, "per_page=") || strstr(path, "limit="))
        return xstrdup(path);
    return xasprintf("%s%c%s", path, strchr(path, '?') ? '&' : '?', size);
}

/* `*url` becomes that of the next page, or NULL. */
static int read_page(struct api *api, const struct api_request *request,
                     char **url, struct api_answer *answer, struct err *err)
{
    char *next = NULL;
    struct err why = {0};

    if (api_send_to(api, request, *url, answer, err) < 0)
        return -1;
    if (!json_is_array(answer->json))
        return no_list(api, request->path, "this is no list", err);
    if (link_next(&answer->headers, *url, &next, &why) < 0)
        return no_list(api, request->path, why.msg, err);
    free(*url);
    *url = next;
    return 0;
}

int api_pages(struct api *api, const struct api_request *request,
              api_page_fn *fn, void *arg, bool *out_all, struct err *err)
{
    CLEANUP(mem) char *first = first_page(api, request->path);
    CLEANUP(mem) char *url = NULL;
    struct api_request mine = *request;
    size_t bytes = 0;
    bool wanted = true;

    mine.path = first;
    if (!api_is_path(first))
        return api_fail(api, (struct api_failure){API_REFUSED, 0, 0}, err,
                        "this is no path of an API");
    url = xasprintf("%s%s", api->url, first);
    for (int page = 0;
         url && wanted && page < API_MAX_PAGES && bytes < MAX_BYTES; page++) {
        CLEANUP(api_answer) struct api_answer answer = {0};

        if (read_page(api, &mine, &url, &answer, err) < 0)
            return -1;
        bytes += answer.text.len;
        wanted = fn(arg, answer.json);
    }
    if (out_all)
        *out_all = !url;
    return 0;
}

static bool take_items(void *arg, const json_t *page)
{
    json_t *all = arg, *item;
    size_t i;

    json_array_foreach(page, i, item) if (json_array_size(all) < MAX_ITEMS)(
        void) json_array_append(all, item);
    return json_array_size(all) < MAX_ITEMS;
}

int api_list(struct api *api, const char *path, json_t **out, bool *out_all,
             struct err *err)
{
    const struct api_request request = {.method = "GET", .path = path};
    json_t *all = json_array();

    if (api_pages(api, &request, take_items, all, out_all, err) < 0) {
        json_decref(all);
        return -1;
    }
    *out = all;
    return 0;
}

/* GraphQL answers 200 whatever happened. */
static int graphql_failed(struct api *api, const struct api_answer *answer,
                          struct err *err)
{
    struct api_failure failure = {API_REFUSED, answer->status, 0};
    CLEANUP(strbuf) struct strbuf said = STRBUF_MAX(400);
    const json_t *first =
        json_array_get(json_object_get(answer->json, "errors"), 0);
    const char *type = json_string_value(json_object_get(first, "type"));

    if (type && !strcmp(type, "RATE_LIMITED")) {
        failure.kind = API_PAUSED;
        failure.after_ms = (int64_t)60 * 1000;
    }
    api_message(api, answer, &said);
    return api_fail(api, failure, err, "POST /graphql: %s",
                    said.len ? said.data : "no data in the answer");
}

int api_graphql(struct api *api, const char *query, json_t *variables,
                json_t **out_data, struct err *err)
{
    json_t *body =
        json_pack("{s:s,s:O?}", "query", query, "variables", variables);
    const struct api_request request = {
        .method = "POST",
        .path = "/graphql",
        .body = body,
        .is_write = !strncmp(query + strspn(query, " \t\n"), "mutation", 8)};
    CLEANUP(api_answer) struct api_answer answer = {0};
    int rc = api_send_to(api, &request, api->graphql_url, &answer, err);
    json_t *data = json_object_get(answer.json, "data");

    json_decref(body);
    if (rc < 0)
        return -1;
    if (!json_is_object(data) ||
        json_array_size(json_object_get(answer.json, "errors")))
        return graphql_failed(api, &answer, err);
    *out_data = json_incref(data);
    return 0;
}
