/* scheduler/forge/api/pull_read.c - pull requests of GitHub and of Gitea. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/forge/api/api_internal.h"
#include "scheduler/forge/api/read.h"

#include <string.h>
#include <strings.h>

#define GITHUB_MAX_FILES 3000 /* what is beyond it does not list */

/* ---- changes -------------------------------------------------------------
 */

static const char *state_of(const json_t *pull)
{
    if (event_flag(pull, "merged") ||
        json_is_string(event_field(pull, "merged_at")))
        return "merged";
    return event_is(pull, "state", "open") ? "open" : "closed";
}

/* What a webhook brings is the same document with the repository beside it. */
static json_t *read_pull(const struct api *api, const char *repo,
                         const json_t *pull, struct err *err)
{
    CLEANUP(event) struct event *event = event_new(api->kind);
    json_t *body =
        json_pack("{s:O?,s:O?}", "repository", event_field(pull, "base.repo"),
                  "pull_request", pull);
    struct event_reader reader = {.event = event,
                                  .base_url = api->base_url,
                                  .name = "pull_request",
                                  .body = body,
                                  .err = err};
    json_t *out = NULL;

    if (event_pull_request(&reader) == 0) {
        if (strcasecmp(event->repo.full_name, repo) != 0)
            (void)err_set(err, ERR_USER, "this is a change of '%s'",
                          event->repo.full_name);
        else
            out = change_to_json(event, state_of(pull));
    }
    json_decref(body);
    return out;
}

int pull_change(struct api *api, const struct forge_target *target,
                json_t **out, struct err *err)
{
    CLEANUP(mem)
    char *path = xasprintf("/repos/%s/pulls/%lld", target->repo,
                           (long long)target->change);
    struct err why = {0};
    json_t *pull, *change;

    if (api_get(api, path, &pull, err) < 0)
        return -1;
    change = read_pull(api, target->repo, pull, &why);
    json_decref(pull);
    if (!change)
        return read_refuse(api, path, &why, err);
    *out = change;
    return 0;
}

struct listing {
    const struct api *api;
    const char *repo;
    json_t *out; /* borrowed */
    bool known;  /* all that was there could be read */
};

/* One that cannot be read does not keep the others. */
static bool take_pulls(void *arg, const json_t *page)
{
    struct listing *listing = arg;
    json_t *pull, *change;
    size_t i;

    json_array_foreach(page, i, pull)
    {
        change = read_pull(listing->api, listing->repo, pull, NULL);
        if (!change)
            continue;
        /* Of many it is too much. */
        (void)json_object_del(change, "description");
        (void)json_array_append_new(listing->out, change);
    }
    return true;
}

int pull_open_changes(struct api *api, const struct forge_target *target,
                      json_t **out, struct err *err)
{
    CLEANUP(mem)
    char *path = xasprintf("/repos/%s/pulls?state=open", target->repo);
    const struct api_request request = {.method = "GET", .path = path};
    struct listing listing = {
        .api = api, .repo = target->repo, .out = json_array()};

    if (api_pages(api, &request, take_pulls, &listing, NULL, err) < 0) {
        json_decref(listing.out);
        return -1;
    }
    *out = json_pack("{s:o}", "changes", listing.out);
    return 0;
}

/* ---- paths ---------------------------------------------------------------
 */

static bool take_files(void *arg, const json_t *page)
{
    struct listing *listing = arg;
    json_t *file;
    size_t i;

    json_array_foreach(
        page, i,
        file) if (!json_is_string(event_field(file, "filename")) ||
                  !add_path(listing->out, event_field(file, "filename")) ||
                  !add_path(listing->out,
                            event_field(file, "previous_filename")))
        listing->known = false;
    return json_array_size(listing->out) <= EVENT_MAX_PATHS;
}

/* Old ones of Gitea have no list of them. */
static int paths_of_diff(struct api *api, const struct forge_target *target,
                         json_t **out, struct err *err)
{
    CLEANUP(mem)
    char *path = xasprintf("/repos/%s/pulls/%lld.diff", target->repo,
                           (long long)target->change);
    const struct api_request request = {
        .method = "GET", .path = path, .accept = "text/plain"};
    CLEANUP(api_answer) struct api_answer answer = {0};
    CLEANUP(diff) struct diff *diff = NULL;
    json_t *paths = json_array();
    bool known = true;

    if (api_send(api, &request, &answer, err) < 0) {
        json_decref(paths);
        return -1;
    }
    diff = diff_parse(answer.text.data, answer.text.len, false);
    for (size_t i = 0; i < diff->count && i < EVENT_MAX_PATHS; i++)
        for (int side = 0; side < 2; side++) {
            json_t *name = json_string(side ? diff->files[i].new_path
                                            : diff->files[i].old_path);

            known = name && add_path(paths, name) && known;
            json_decref(name);
        }
    *out = paths_to_json(paths,
                         known && !diff->cut && diff->count < EVENT_MAX_PATHS);
    return 0;
}

int pull_paths(struct api *api, const struct forge_target *target, json_t **out,
               struct err *err)
{
    CLEANUP(mem)
    char *path = xasprintf("/repos/%s/pulls/%lld/files", target->repo,
                           (long long)target->change);
    const struct api_request request = {.method = "GET", .path = path};
    struct listing listing = {.out = json_array(), .known = true};
    bool all = false;

    if (api_pages(api, &request, take_files, &listing, &all, err) < 0) {
        json_decref(listing.out);
        if (api->kind == FORGE_GITEA && api->failed.status == 404)
            return paths_of_diff(api, target, out, err);
        return -1;
    }
    if (json_array_size(listing.out) >= GITHUB_MAX_FILES)
        all = false;
    *out = paths_to_json(listing.out, all && listing.known);
    return 0;
}

/* ---- permission ----------------------------------------------------------
 */

int pull_permission(struct api *api, const struct forge_target *target,
                    const char *login, json_t **out, struct err *err)
{
    static const char *const writers[] = {"owner", "admin", "maintain",
                                          "write"};
    CLEANUP(mem) char *who = api_encode(login);
    CLEANUP(mem)
    char *path =
        xasprintf("/repos/%s/collaborators/%s/permission", target->repo, who);
    json_t *answer;
    bool write = false;

    if (api_get(api, path, &answer, err) < 0) {
        /* No such person, or nobody of the repository. */
        if (api->failed.status != 404)
            return -1;
        *out = permission_to_json(false);
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(writers); i++)
        if (event_is(answer, "permission", writers[i]))
            write = true;
    json_decref(answer);
    *out = permission_to_json(write);
    return 0;
}
