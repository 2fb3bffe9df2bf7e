/* scheduler/forge/api/gitlab_post.c - GitLab: statuses, discussions, notes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/json_texts.h"
#include "scheduler/forge/api/write.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static char *change_path(const struct api *api,
                         const struct forge_target *target, const char *rest)
{
    return write_path(api, target, "/merge_requests/%" PRId64 "%s",
                      target->change, rest);
}

/* ---- the diff ------------------------------------------------------------ */

static void add_file(struct strbuf *text, const json_t *file, bool *out_cut)
{
    const struct patch_file patch = {
        .old_path = json_text_at(file, "old_path"),
        .new_path = json_text_at(file, "new_path"),
        .is_new = json_is_true(json_object_get(file, "new_file")),
        .is_deleted = json_is_true(json_object_get(file, "deleted_file")),
        .is_renamed = json_is_true(json_object_get(file, "renamed_file")),
        .patch = json_text_at(file, "diff")};

    *out_cut |= json_is_true(json_object_get(file, "too_large")) ||
                json_is_true(json_object_get(file, "collapsed"));
    if (*patch.new_path)
        patch_add(text, &patch);
}

static void set_refs(struct forge_diff *out, const json_t *request)
{
    const json_t *refs = json_object_get(request, "diff_refs");

    snprintf(out->base_sha, sizeof(out->base_sha), "%s",
             json_text_at(refs, "base_sha"));
    snprintf(out->start_sha, sizeof(out->start_sha), "%s",
             json_text_at(refs, "start_sha"));
    snprintf(out->head_sha, sizeof(out->head_sha), "%s",
             json_text_at(refs, "head_sha"));
    if (!*out->head_sha)
        snprintf(out->head_sha, sizeof(out->head_sha), "%s",
                 json_text_at(request, "sha"));
}

/*
 * File by file: /diffs is there since 15.7, and /changes before; the text of
 * the whole, /raw_diffs, came only with 17.9. The names are JSON's, so that
 * none is read in two ways.
 */
static int get_files(struct api *api, const struct forge_target *target,
                     json_t **out, bool *out_all, struct err *err)
{
    CLEANUP(mem) char *path = change_path(api, target, "/diffs?per_page=100");
    CLEANUP(mem) char *old = change_path(api, target, "/changes");
    json_t *answer = NULL;

    if (api_list(api, path, out, out_all, err) == 0)
        return 0;
    if (api_failed(api).status != 404 || api_get(api, old, &answer, err) < 0)
        return -1;
    *out = json_incref(json_object_get(answer, "changes"));
    *out_all = !json_is_true(json_object_get(answer, "overflow"));
    json_decref(answer);
    return 0;
}

int gitlab_diff(struct api *api, const struct forge_target *target,
                struct forge_diff *out, struct err *err)
{
    CLEANUP(mem) char *path = change_path(api, target, "");
    CLEANUP(strbuf) struct strbuf text = STRBUF_MAX(DIFF_MAX_BYTES);
    json_t *request = NULL, *files = NULL, *file;
    bool all = false, cut = false;
    size_t i;

    if (api_get(api, path, &request, err) < 0)
        return -1;
    set_refs(out, request);
    json_decref(request);
    if (get_files(api, target, &files, &all, err) < 0)
        return -1;
    json_array_foreach(files, i, file) add_file(&text, file, &cut);
    json_decref(files);
    out->truncated = text.truncated || !all || cut;
    out->len = text.len;
    out->text = strbuf_take(&text);
    return 0;
}

/* ---- statuses ------------------------------------------------------------ */

static const char *state_word(enum check_state state)
{
    static const char *const words[] = {
        [CHECK_QUEUED] = "pending",     [CHECK_RUNNING] = "running",
        [CHECK_PASSED] = "success",     [CHECK_FAILED] = "failed",
        [CHECK_CANCELLED] = "canceled", [CHECK_SKIPPED] = "skipped",
        [CHECK_TIMED_OUT] = "failed"};

    return words[state];
}

static int word_rank(const char *status)
{
    return strcmp(status, "running") == 0   ? 1
           : strcmp(status, "pending") == 0 ? 0
                                            : 2;
}

/* The youngest status of the name. Borrowed. */
static const json_t *status_find(const json_t *list, const char *name)
{
    const json_t *item, *found = NULL;
    json_int_t best = -1;
    size_t i;

    json_array_foreach(list, i, item)
    {
        json_int_t id = json_integer_value(json_object_get(item, "id"));

        if (strcmp(json_text_at(item, "name"), name) != 0 || id <= best)
            continue;
        found = item;
        best = id;
    }
    return found;
}

static bool status_stands(const json_t *there, const struct forge_check *check,
                          const char *description)
{
    const char *status = json_text_at(there, "status");
    const char *url = json_text_at(there, "target_url");

    if (strcmp(url, check->url) != 0)
        return false;
    if (*url && word_rank(status) > check_rank(check->state))
        return true;
    return strcmp(status, state_word(check->state)) == 0 &&
           write_same(json_text_at(there, "description"), description);
}

/*
 * Without one GitLab looks for a branch that has the commit, and does not find
 * that of a fork: there it is the ref that it keeps for the change.
 */
static int set_ref(struct api *api, const struct forge_target *target,
                   json_t *body, struct err *err)
{
    CLEANUP(mem) char *path = change_path(api, target, "");
    json_t *request = NULL;
    const char *branch;

    if (target->ref && *target->ref)
        json_object_set_new(body, "ref", json_string(target->ref));
    if (!target->change)
        return 0;
    if (api_get(api, path, &request, err) < 0)
        return -1;
    branch = json_text_at(request, "source_branch");
    if (*branch && json_equal(json_object_get(request, "source_project_id"),
                              json_object_get(request, "target_project_id")))
        json_object_set_new(body, "ref", json_string(branch));
    else
        json_object_set_new(body, "ref",
                            json_sprintf("refs/merge-requests/%" PRId64 "/head",
                                         target->change));
    json_decref(request);
    return 0;
}

static int status_send(struct api *api, const struct forge_target *target,
                       json_t *body, struct err *err)
{
    CLEANUP(mem)
    char *path = write_path(api, target, "/statuses/%s", target->commit);
    struct err failed = {0};

    if (write_send(api, "POST", path, body, NULL, &failed) == 0)
        return 0;
    /* It is in that state already, or was further on. */
    if (strstr(failed.msg, "Cannot transition status"))
        return 0;
    /* Two writes at once, one of which is to be made again. */
    if (api_failed(api).status == 409)
        failed.kind = ERR_TRANSIENT;
    if (err)
        *err = failed;
    return -1;
}

int gitlab_check(struct api *api, const struct forge_target *target,
                 const struct forge_check *check, struct err *err)
{
    CLEANUP(mem)
    char *description = write_cut(check->title, forge_gitlab.max_description);
    CLEANUP(mem) char *name = api_encode(check->name);
    CLEANUP(mem)
    char *list = write_path(
        api, target, "/repository/commits/%s/statuses?name=%s&per_page=100",
        target->commit, name);
    json_t *statuses = NULL, *body;
    const json_t *there;
    bool stands;

    if (api_get(api, list, &statuses, err) < 0)
        return -1;
    there = status_find(statuses, check->name);
    stands = there && status_stands(there, check, description);
    json_decref(statuses);
    if (stands)
        return 0;
    body = json_pack("{s:s, s:s, s:s}", "state", state_word(check->state),
                     "name", check->name, "description", description);
    if (*check->url)
        json_object_set_new(body, "target_url", json_string(check->url));
    if (set_ref(api, target, body, err) < 0) {
        json_decref(body);
        return -1;
    }
    return status_send(api, target, body, err);
}

/* ---- discussions --------------------------------------------------------- */

static void add_discussion(struct forge_comments *out, const json_t *thread,
                           const char *login)
{
    const json_t *note = json_array_get(json_object_get(thread, "notes"), 0);
    CLEANUP(mem) char *id = write_id(note, "id");
    const struct forge_comment made = {
        .id = id,
        .thread = json_text_at(thread, "id"),
        .body = json_text_at(note, "body"),
        .is_resolved = json_is_true(json_object_get(note, "resolved")),
        .resolver =
            write_resolver(json_object_get(note, "resolved_by"), login)};

    if (write_is_by(note, login))
        comments_add(out, &made);
}

int gitlab_comments(struct api *api, const struct forge_target *target,
                    struct forge_comments *out, struct err *err)
{
    CLEANUP(mem)
    char *path = change_path(api, target, "/discussions?per_page=100");
    json_t *list = NULL, *thread;
    const char *login;
    bool all = false;
    size_t i;

    if (api_self(api, &login, err) < 0 ||
        api_list(api, path, &list, &all, err) < 0)
        return -1;
    out->is_partial = !all;
    json_array_foreach(list, i, thread) add_discussion(out, thread, login);
    json_decref(list);
    return 0;
}

static void set_lines(json_t *object, const struct diff_line *line)
{
    uint32_t old_line, new_line;

    diff_line_pair(line, &old_line, &new_line);
    if (old_line)
        json_object_set_new(object, "old_line", json_integer(old_line));
    if (new_line)
        json_object_set_new(object, "new_line", json_integer(new_line));
}

static json_t *range_end(const struct diff_place *place,
                         const struct diff_line *line)
{
    char code[DIFF_LINE_CODE_SIZE];
    json_t *end = json_pack("{s:s}", "line_code",
                            diff_line_code(place->file, line, code));

    if (line->kind != DIFF_CONTEXT)
        json_object_set_new(
            end, "type",
            json_string(line->kind == DIFF_REMOVED ? "old" : "new"));
    set_lines(end, line);
    return end;
}

json_t *gitlab_position(const struct forge_diff *diff,
                        const struct diff_place *place)
{
    json_t *position = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s}", "position_type", "text", "base_sha",
        diff->base_sha, "start_sha", diff->start_sha, "head_sha",
        diff->head_sha, "old_path", diff_file_path(place->file, DIFF_OLD),
        "new_path", diff_file_path(place->file, DIFF_NEW));

    set_lines(position, place->end);
    if (place->start != place->end)
        json_object_set_new(position, "line_range",
                            json_pack("{s:o, s:o}", "start",
                                      range_end(place, place->start), "end",
                                      range_end(place, place->end)));
    return position;
}

int gitlab_review(struct api *api, const struct forge_target *target,
                  const struct forge_diff *diff, struct forge_remark *remarks,
                  size_t count, bool request_changes, struct err *err)
{
    CLEANUP(mem) char *path = change_path(api, target, "/discussions");

    (void)request_changes; /* its REST has no such thing */
    for (size_t i = 0; i < count; i++) {
        json_t *body =
            json_pack("{s:s, s:o}", "body", remarks[i].body, "position",
                      gitlab_position(diff, remarks[i].place));
        struct err failed = {0};
        struct api_failure failure;

        if (write_send(api, "POST", path, body, NULL, &failed) == 0)
            continue;
        failure = api_failed(api);
        if (failure.kind != API_REFUSED ||
            (failure.status != 400 && failure.status != 422)) {
            if (err)
                *err = failed;
            return -1;
        }
        remarks[i].refused = true;
    }
    return 0;
}

static char *discussion_path(const struct api *api,
                             const struct forge_target *target,
                             const struct forge_comment *comment)
{
    CLEANUP(mem) char *thread = api_encode(comment->thread);
    CLEANUP(mem) char *rest = xasprintf("/discussions/%s", thread);

    return change_path(api, target, rest);
}

int gitlab_edit(struct api *api, const struct forge_target *target,
                const struct forge_comment *comment, const char *body,
                struct err *err)
{
    CLEANUP(mem) char *thread = discussion_path(api, target, comment);
    CLEANUP(mem) char *path = xasprintf("%s/notes/%s", thread, comment->id);

    return write_send(api, "PUT", path, json_pack("{s:s}", "body", body), NULL,
                      err);
}

int gitlab_resolve(struct api *api, const struct forge_target *target,
                   const struct forge_comment *comment, bool resolved,
                   struct err *err)
{
    CLEANUP(mem) char *path = discussion_path(api, target, comment);

    return write_send(api, "PUT", path,
                      json_pack("{s:b}", "resolved", (int)resolved), NULL, err);
}
