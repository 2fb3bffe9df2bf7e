/* scheduler/forge/api/gitlab_read.c - merge requests of GitLab. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/forge/api/api_internal.h"
#include "scheduler/forge/api/read.h"

#include "scheduler/forge/git_name.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DEVELOPER 30 /* of GitLab's access levels: may push */

/* "/projects/group%2Fname" and what follows. */
static char *path_of(const struct forge_target *target, const char *fmt, ...)
    PRINTF_LIKE(2, 3);
static char *path_of(const struct forge_target *target, const char *fmt, ...)
{
    CLEANUP(mem) char *project = api_encode(target->repo);
    CLEANUP(mem) char *rest = NULL;
    va_list ap;

    va_start(ap, fmt);
    rest = xvasprintf(fmt, ap);
    va_end(ap);
    return xasprintf("/projects/%s%s", project, rest);
}

/* ---- changes -------------------------------------------------------------
 */

static int read_project(struct event_reader *r, const char *repo,
                        const json_t *project)
{
    struct event_repo *out = &r->event->repo;
    const char *branch = event_word(r, project, "default_branch");

    if (event_need_id(r, project, "id", &out->id) < 0 ||
        event_need_name(r, project, "path_with_namespace", &out->full_name) < 0)
        return -1;
    if (strcasecmp(out->full_name, repo) != 0)
        return err_set(r->err, ERR_USER, "this is the project '%s'",
                       out->full_name);
    if (git_is_ref(branch))
        out->default_branch = branch;
    return event_check_address(r, event_field(project, "http_url_to_repo"));
}

/* Titles alone, or with colours and all. */
static void read_labels(struct event_reader *r, const json_t *list)
{
    json_t *named = json_array(), *label;
    size_t i;

    json_array_foreach(list, i, label)(void) json_array_append_new(
        named, json_is_string(label) ? json_pack("{s:O}", "name", label)
                                     : json_incref(label));
    event_labels(r, named, "name");
    json_decref(named);
}

static int read_merge_request(struct event_reader *r, const json_t *change)
{
    struct event *event = r->event;
    const char *base = event_word(r, change, "diff_refs.base_sha");

    if (event_need_id(r, change, "iid", &event->change) < 0 ||
        event_need_sha(r, change, "sha", &event->head.sha) < 0 ||
        event_need_ref(r, change, "source_branch", &event->head.ref) < 0 ||
        event_need_ref(r, change, "target_branch", &event->base.ref) < 0 ||
        event_need_id(r, change, "target_project_id", &event->base.repo_id) < 0)
        return -1;
    if (event->base.repo_id != event->repo.id)
        return err_set(r->err, ERR_USER, "it is one of another project");
    event->base.repo = event->repo.full_name;
    if (git_is_sha(base))
        event->base.sha = base;
    event->head.repo_id = event_number(change, "source_project_id");
    event->fork = EVENT_FORK_YES;
    if (event->head.repo_id == event->repo.id) {
        event->fork = EVENT_FORK_NO;
        event->head.repo = event->repo.full_name;
    }
    event->is_draft =
        event_flag(change, "draft") || event_flag(change, "work_in_progress");
    event->title = event_text(r, change, "title", EVENT_MAX_TITLE_BYTES);
    event->description =
        event_lines(r, change, "description", EVENT_MAX_DESCRIPTION_BYTES);
    event->author.login = event_word(r, change, "author.username");
    event->author.is_bot = event_gitlab_bot(event->author.login);
    read_labels(r, event_field(change, "labels"));
    return 0;
}

static const char *state_of(const json_t *change)
{
    if (event_is(change, "state", "merged"))
        return "merged";
    return event_is(change, "state", "opened") ? "open" : "closed";
}

/* The fork's name, where we may see it. */
static int read_fork(struct api *api, struct event_reader *r, struct err *err)
{
    struct event_end *head = &r->event->head;
    CLEANUP(mem)
    char *path = xasprintf("/projects/%lld", (long long)head->repo_id);
    struct err why = {0};
    json_t *project;

    if (head->repo_id <= 0 || r->event->fork == EVENT_FORK_NO)
        return 0;
    if (api_get(api, path, &project, err) < 0)
        return api->failed.kind == API_REFUSED ? 0 : -1;
    r->err = &why;
    /* Without one it is a fork all the same. */
    if (event_need_name(r, project, "path_with_namespace", &head->repo) < 0)
        head->repo = "";
    json_decref(project);
    return 0;
}

static int get_project(struct api *api, const struct forge_target *target,
                       json_t **out, struct err *err)
{
    CLEANUP(mem) char *path = path_of(target, "%s", "");

    return api_get(api, path, out, err);
}

int gitlab_change(struct api *api, const struct forge_target *target,
                  json_t **out, struct err *err)
{
    CLEANUP(mem)
    char *path =
        path_of(target, "/merge_requests/%lld", (long long)target->change);
    CLEANUP(event) struct event *event = event_new(FORGE_GITLAB);
    struct err why = {0};
    struct event_reader r = {
        .event = event, .base_url = api->base_url, .err = &why};
    json_t *project = NULL, *change = NULL;
    int rc;

    if (get_project(api, target, &project, err) < 0)
        return -1;
    rc = api_get(api, path, &change, err);
    if (rc == 0 && (read_project(&r, target->repo, project) < 0 ||
                    read_merge_request(&r, change) < 0))
        rc = read_refuse(api, path, &why, err);
    if (rc == 0)
        rc = read_fork(api, &r, err);
    if (rc == 0)
        *out = change_to_json(event, state_of(change));
    json_decref(project);
    json_decref(change);
    return rc;
}

struct listing {
    const struct api *api;
    const struct forge_target *target;
    const json_t *project;
    json_t *out; /* borrowed */
    bool known;  /* all that was there could be read */
    size_t count;
};

/* One that cannot be read does not keep the others. */
static bool take_changes(void *arg, const json_t *page)
{
    struct listing *listing = arg;
    json_t *change;
    size_t i;

    json_array_foreach(page, i, change)
    {
        CLEANUP(event) struct event *event = event_new(FORGE_GITLAB);
        struct event_reader r = {.event = event,
                                 .base_url = listing->api->base_url};

        if (read_project(&r, listing->target->repo, listing->project) == 0 &&
            read_merge_request(&r, change) == 0) {
            event->description = ""; /* of many it is too much */
            (void)json_array_append_new(
                listing->out, change_to_json(event, state_of(change)));
        }
    }
    return true;
}

int gitlab_open_changes(struct api *api, const struct forge_target *target,
                        json_t **out, struct err *err)
{
    CLEANUP(mem)
    char *path = path_of(target, "/merge_requests?%s", "state=opened");
    const struct api_request request = {.method = "GET", .path = path};
    struct listing listing = {.api = api, .target = target};
    json_t *project = NULL;
    int rc;

    if (get_project(api, target, &project, err) < 0)
        return -1;
    listing.project = project;
    listing.out = json_array();
    rc = api_pages(api, &request, take_changes, &listing, NULL, err);
    if (rc == 0)
        *out = json_pack("{s:O}", "changes", listing.out);
    json_decref(listing.out);
    json_decref(project);
    return rc;
}

/* ---- paths ---------------------------------------------------------------
 */

static bool take_diffs(void *arg, const json_t *page)
{
    struct listing *listing = arg;
    json_t *diff;
    size_t i;

    json_array_foreach(page, i, diff)
    {
        listing->count++;
        if (!json_is_string(event_field(diff, "new_path")) ||
            !add_path(listing->out, event_field(diff, "new_path")) ||
            !add_path(listing->out, event_field(diff, "old_path")))
            listing->known = false;
    }
    return json_array_size(listing->out) <= EVENT_MAX_PATHS;
}

/* Before GitLab 15.7 they are all in one document. */
static int get_changes(struct api *api, const struct forge_target *target,
                       struct listing *listing, bool *all, struct err *err)
{
    CLEANUP(mem)
    char *path = path_of(target, "/merge_requests/%lld/changes",
                         (long long)target->change);
    json_t *change;

    if (api_get(api, path, &change, err) < 0)
        return -1;
    *all = !event_flag(change, "overflow");
    (void)take_diffs(listing, event_field(change, "changes"));
    json_decref(change);
    return 0;
}

/* GitLab cuts large ones, and says so only in their number: "1000+". */
static bool is_whole(const json_t *change, const struct listing *listing)
{
    const char *count = json_string_value(event_field(change, "changes_count"));

    return count && *count && !count[strspn(count, "0123456789")] &&
           strtoull(count, NULL, 10) == listing->count;
}

int gitlab_paths(struct api *api, const struct forge_target *target,
                 json_t **out, struct err *err)
{
    CLEANUP(mem)
    char *path =
        path_of(target, "/merge_requests/%lld", (long long)target->change);
    CLEANUP(mem) char *diffs = xasprintf("%s/diffs", path);
    const struct api_request request = {.method = "GET", .path = diffs};
    struct listing listing = {.out = json_array(), .known = true};
    json_t *change = NULL;
    bool all = false;
    int rc = api_get(api, path, &change, err);

    if (rc == 0) {
        rc = api_pages(api, &request, take_diffs, &listing, &all, err);
        if (rc < 0 && api->failed.status == 404)
            rc = get_changes(api, target, &listing, &all, err);
    }
    if (rc == 0)
        *out =
            paths_to_json(json_incref(listing.out),
                          all && listing.known &&
                              json_array_size(listing.out) <= EVENT_MAX_PATHS &&
                              is_whole(change, &listing));
    json_decref(listing.out);
    json_decref(change);
    return rc;
}

/* ---- permission ----------------------------------------------------------
 */

static int64_t id_of(const json_t *users, const char *login)
{
    json_t *user;
    size_t i;

    json_array_foreach(users, i, user)
    {
        const char *name = json_string_value(event_field(user, "username"));

        if (name && !strcasecmp(name, login))
            return event_number(user, "id");
    }
    return 0;
}

int gitlab_permission(struct api *api, const struct forge_target *target,
                      const char *login, json_t **out, struct err *err)
{
    CLEANUP(mem) char *who = api_encode(login);
    CLEANUP(mem) char *path = xasprintf("/users?username=%s", who);
    CLEANUP(mem) char *member = NULL;
    json_t *answer;
    int64_t id, level = 0;

    if (api_get(api, path, &answer, err) < 0)
        return -1;
    id = id_of(answer, login);
    json_decref(answer);
    if (id > 0) {
        member = path_of(target, "/members/all/%lld", (long long)id);
        if (api_get(api, member, &answer, err) == 0) {
            level = event_number(answer, "access_level");
            json_decref(answer);
        } else if (api->failed.status != 404) {
            return -1;
        }
    }
    *out = permission_to_json(level >= DEVELOPER);
    return 0;
}
