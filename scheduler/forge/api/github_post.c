/* scheduler/forge/api/github_post.c - GitHub: diffs, reviews, comments. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/json_texts.h"
#include "scheduler/forge/api/write.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the diff ------------------------------------------------------------ */

static void set_sha(char out[65], const json_t *side)
{
    snprintf(out, 65, "%s", json_text_at(side, "sha"));
}

static void add_file(struct strbuf *text, const json_t *file)
{
    const char *status = json_text_at(file, "status");
    struct patch_file patch = {.new_path = json_text_at(file, "filename"),
                               .is_new = strcmp(status, "added") == 0,
                               .is_deleted = strcmp(status, "removed") == 0,
                               .is_renamed = strcmp(status, "renamed") == 0,
                               .patch = json_text_at(file, "patch")};

    patch.old_path = patch.is_renamed ? json_text_at(file, "previous_filename")
                                      : patch.new_path;
    patch_add(text, &patch);
}

/* For changes that are too large for one diff: at most 3000 files of it. */
static int diff_by_files(struct api *api, const struct forge_target *target,
                         struct forge_diff *out, struct err *err)
{
    CLEANUP(mem)
    char *path = write_path(
        api, target, "/pulls/%" PRId64 "/files?per_page=100", target->change);
    CLEANUP(strbuf) struct strbuf text = STRBUF_MAX(DIFF_MAX_BYTES);
    json_t *files = NULL, *file;
    bool all = false;
    size_t i;

    if (api_list(api, path, &files, &all, err) < 0)
        return -1;
    json_array_foreach(files, i, file) add_file(&text, file);
    json_decref(files);
    out->truncated = text.truncated || !all;
    out->len = text.len;
    out->text = strbuf_take(&text);
    return 0;
}

static int diff_whole(struct api *api, const char *path, const char *accept,
                      struct forge_diff *out, struct err *err)
{
    const struct api_request request = {
        .method = "GET", .path = path, .accept = accept};
    CLEANUP(api_answer) struct api_answer answer = {0};

    if (api_send(api, &request, &answer, err) < 0)
        return -1;
    out->truncated = answer.text.truncated;
    out->len = answer.text.len;
    out->text = strbuf_take(&answer.text);
    return 0;
}

int github_diff(struct api *api, const struct forge_target *target,
                struct forge_diff *out, struct err *err)
{
    CLEANUP(mem)
    char *path = write_path(api, target, "/pulls/%" PRId64, target->change);
    json_t *pull = NULL;
    int rc;

    if (api_get(api, path, &pull, err) < 0)
        return -1;
    set_sha(out->head_sha, json_object_get(pull, "head"));
    set_sha(out->base_sha, json_object_get(pull, "base"));
    set_sha(out->start_sha, json_object_get(pull, "base"));
    json_decref(pull);
    rc = diff_whole(api, path, "application/vnd.github.diff", out, err);
    if (rc < 0 && api_failed(api).status == 406)
        rc = diff_by_files(api, target, out, err);
    return rc;
}

/* ---- our comments -------------------------------------------------------- */

static const char threads_query[] =
    "query($owner:String!,$name:String!,$number:Int!,$after:String){"
    "repository(owner:$owner,name:$name){pullRequest(number:$number){"
    "reviewThreads(first:100,after:$after){"
    "pageInfo{hasNextPage endCursor}"
    "nodes{id isResolved isOutdated resolvedBy{login} "
    "comments(first:1){nodes{id databaseId}}}}}}}";

static json_t *threads_variables(const struct forge_target *target,
                                 const char *after)
{
    const char *slash = strchr(target->repo, '/');
    size_t len = slash ? (size_t)(slash - target->repo) : 0;
    json_t *variables =
        json_pack("{s:s%, s:s, s:I}", "owner", target->repo, len, "name",
                  slash ? slash + 1 : "", "number", (json_int_t)target->change);

    json_object_set_new(variables, "after",
                        *after ? json_string(after) : json_null());
    return variables;
}

static bool is_first(const json_t *thread, const json_t *comment)
{
    const json_t *nodes =
        json_object_get(json_object_get(thread, "comments"), "nodes");
    const json_t *first = json_array_get(nodes, 0);
    const char *node = json_text_at(comment, "node_id");

    return (*node && strcmp(node, json_text_at(first, "id")) == 0) ||
           (json_is_integer(json_object_get(first, "databaseId")) &&
            json_equal(json_object_get(first, "databaseId"),
                       json_object_get(comment, "id")));
}

/* The thread that a comment began, or NULL: borrowed. */
static const json_t *thread_of(const json_t *threads, const json_t *comment)
{
    const json_t *thread;
    size_t i;

    json_array_foreach(threads, i,
                       thread) if (is_first(thread, comment)) return thread;
    return NULL;
}

/* One page; its cursor goes to `after`, which is "" at the end. */
static int threads_page(struct api *api, const struct forge_target *target,
                        struct strbuf *after, json_t *all, struct err *err)
{
    json_t *variables = threads_variables(target, after->data);
    json_t *data = NULL;
    const json_t *threads, *info;
    int rc = api_graphql(api, threads_query, variables, &data, err);

    json_decref(variables);
    if (rc < 0)
        return -1;
    threads = json_object_get(
        json_object_get(json_object_get(data, "repository"), "pullRequest"),
        "reviewThreads");
    json_array_extend(all, json_object_get(threads, "nodes"));
    info = json_object_get(threads, "pageInfo");
    strbuf_clear(after);
    if (json_is_true(json_object_get(info, "hasNextPage")))
        strbuf_adds(after, json_text_at(info, "endCursor"));
    json_decref(data);
    return 0;
}

/*
 * Which threads are resolved only GraphQL says. Who may not ask it goes on
 * without: nothing is resolved then, and what is fixed says so.
 */
static int threads_get(struct api *api, const struct forge_target *target,
                       json_t *all, struct err *err)
{
    CLEANUP(strbuf) struct strbuf after = STRBUF_MAX(1024);

    for (unsigned page = 0; page < API_MAX_PAGES; page++) {
        if (threads_page(api, target, &after, all, err) < 0)
            return api_failed(api).kind == API_REFUSED ? 0 : -1;
        if (!after.len)
            break;
    }
    return 0;
}

static void add_comment(struct forge_comments *out, const json_t *comment,
                        const json_t *threads, const char *login)
{
    const json_t *thread = thread_of(threads, comment);
    CLEANUP(mem) char *id = write_id(comment, "id");
    const struct forge_comment made = {
        .id = id,
        .thread = json_text_at(thread, "id"),
        .body = json_text_at(comment, "body"),
        .is_resolved = json_is_true(json_object_get(thread, "isResolved")),
        .resolver =
            write_resolver(json_object_get(thread, "resolvedBy"), login),
        .is_outdated = !json_is_integer(json_object_get(comment, "line"))};

    comments_add(out, &made);
}

/* Those that are by us, and no answers. */
static bool has_ours(json_t *list, const char *login)
{
    size_t i = 0;

    while (i < json_array_size(list)) {
        const json_t *item = json_array_get(list, i);

        if (write_is_by(item, login) &&
            !json_is_integer(json_object_get(item, "in_reply_to_id")))
            i++;
        else
            json_array_remove(list, i);
    }
    return i;
}

int github_comments(struct api *api, const struct forge_target *target,
                    struct forge_comments *out, struct err *err)
{
    CLEANUP(mem)
    char *path =
        write_path(api, target, "/pulls/%" PRId64 "/comments?per_page=100",
                   target->change);
    json_t *list = NULL, *threads, *item;
    bool all = false;
    const char *login;
    int rc = 0;
    size_t i;

    if (api_self(api, &login, err) < 0 ||
        api_list(api, path, &list, &all, err) < 0)
        return -1;
    out->is_partial = !all;
    threads = json_array();
    if (has_ours(list, login))
        rc = threads_get(api, target, threads, err);
    if (rc == 0)
        json_array_foreach(list, i, item)
            add_comment(out, item, threads, login);
    json_decref(threads);
    json_decref(list);
    return rc;
}

/* ---- writing ------------------------------------------------------------- */

static json_t *review_comment(const struct forge_remark *remark)
{
    const struct diff_place *place = remark->place;
    const char *side = place->side == DIFF_OLD ? "LEFT" : "RIGHT";
    uint32_t start = diff_line_number(place->start, place->side);
    uint32_t end = diff_line_number(place->end, place->side);
    json_t *made = json_pack(
        "{s:s, s:s, s:I, s:s}", "path", diff_file_path(place->file, DIFF_NEW),
        "body", remark->body, "line", (json_int_t)end, "side", side);

    if (start < end) {
        json_object_set_new(made, "start_line", json_integer(start));
        json_object_set_new(made, "start_side", json_string(side));
    }
    return made;
}

int github_review(struct api *api, const struct forge_target *target,
                  const struct forge_diff *diff, struct forge_remark *remarks,
                  size_t count, bool request_changes, struct err *err)
{
    CLEANUP(mem)
    char *path =
        write_path(api, target, "/pulls/%" PRId64 "/reviews", target->change);
    const struct review_spec spec = {.path = path,
                                     .commit = target->commit,
                                     .comment = review_comment,
                                     .request_changes = request_changes};

    (void)diff;
    return review_put(api, &spec, remarks, count, err);
}

int github_edit(struct api *api, const struct forge_target *target,
                const struct forge_comment *comment, const char *body,
                struct err *err)
{
    CLEANUP(mem)
    char *path = write_path(api, target, "/pulls/comments/%s", comment->id);

    return write_send(api, "PATCH", path, json_pack("{s:s}", "body", body),
                      NULL, err);
}

int github_resolve(struct api *api, const struct forge_target *target,
                   const struct forge_comment *comment, bool resolved,
                   struct err *err)
{
    static const char on[] =
        "mutation($thread:ID!){resolveReviewThread(input:{threadId:$thread})"
        "{thread{id isResolved}}}";
    static const char off[] =
        "mutation($thread:ID!){unresolveReviewThread(input:{threadId:$thread})"
        "{thread{id isResolved}}}";
    json_t *variables = json_pack("{s:s}", "thread", comment->thread);
    json_t *data = NULL;
    int rc = api_graphql(api, resolved ? on : off, variables, &data, err);

    (void)target;
    json_decref(variables);
    json_decref(data);
    return rc;
}
