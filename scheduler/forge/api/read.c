/* scheduler/forge/api/read.c - answers of the reading ops, put together. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/forge/api/read.h"

#include "scheduler/forge/api/api_internal.h"
#include "scheduler/forge/git_name.h"

#include <stdlib.h>
#include <string.h>

int any_token(struct api *api UNUSED, const struct forge_target *target UNUSED,
              json_t **out, struct err *err UNUSED)
{
    /* Theirs can do all that we can: it is not for jobs. */
    *out = json_pack("{s:s}", "password", "");
    return 0;
}

static json_t *end_to_json(const struct event_end *end)
{
    return json_pack("{s:s,s:s,s:s}", "ref", end->ref, "sha", end->sha, "repo",
                     end->repo);
}

json_t *change_to_json(const struct event *event, const char *state)
{
    json_t *labels = json_array();

    for (size_t i = 0; i < event->labels.count; i++)
        (void)json_array_append_new(labels,
                                    json_string(event->labels.items[i]));
    return json_pack(
        "{s:I,s:s,s:b,s:b,s:o,s:o,s:s,s:b,s:o,s:s,s:s,s:s,s:s}", "number",
        (json_int_t)event->change, "state", state, "draft", event->is_draft,
        "fork", event->fork != EVENT_FORK_NO, "head", end_to_json(&event->head),
        "base", end_to_json(&event->base), "author", event->author.login,
        "author_is_bot", event->author.is_bot, "labels", labels, "title",
        event->title, "description", event->description, "clone_url",
        event->repo.clone_url, "default_branch", event->repo.default_branch);
}

json_t *permission_to_json(bool write)
{
    return json_pack("{s:b}", "write", write);
}

int read_refuse(struct api *api, const char *path, const struct err *why,
                struct err *err)
{
    return api_fail(api, (struct api_failure){API_REFUSED, 200, 0}, err,
                    "GET %.200s: %s", path, why->msg);
}

/* ---- paths ---------------------------------------------------------------
 */

bool add_path(json_t *paths, const json_t *path)
{
    const char *text = json_string_value(path);

    if (!path || json_is_null(path))
        return true;
    if (!text || strlen(text) != json_string_length(path) || !git_is_path(text))
        return false;
    return json_array_append_new(paths, json_string(text)) == 0;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

json_t *paths_to_json(json_t *paths, bool complete)
{
    size_t count = json_array_size(paths);
    const char **sorted = xcalloc(count + 1, sizeof(*sorted));
    json_t *each_once = json_array();

    for (size_t i = 0; i < count; i++)
        sorted[i] = json_string_value(json_array_get(paths, i));
    if (count)
        qsort(sorted, count, sizeof(*sorted), compare);
    for (size_t i = 0; i < count; i++)
        if (!i || strcmp(sorted[i - 1], sorted[i]) != 0)
            (void)json_array_append_new(each_once, json_string(sorted[i]));
    free(sorted);
    json_decref(paths);
    return json_pack("{s:o,s:b}", "paths", each_once, "complete", complete);
}
