/* scheduler/forge/api/gitea_post.c - Gitea, Forgejo: statuses and reviews. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/header.h"
#include "base/json_texts.h"
#include "scheduler/forge/api/write.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define PAGE 50 /* the host's default maximum */

/* ---- reading ------------------------------------------------------------- */

int gitea_diff(struct api *api, const struct forge_target *target,
               struct forge_diff *out, struct err *err)
{
    CLEANUP(mem)
    char *path = write_path(api, target, "/pulls/%" PRId64, target->change);
    CLEANUP(mem) char *text = xasprintf("%s.diff", path);
    const struct api_request request = {
        .method = "GET", .path = text, .accept = "text/plain"};
    CLEANUP(api_answer) struct api_answer answer = {0};
    json_t *pull = NULL;

    if (api_get(api, path, &pull, err) < 0)
        return -1;
    snprintf(out->head_sha, sizeof(out->head_sha), "%s",
             json_text_at(json_object_get(pull, "head"), "sha"));
    snprintf(out->base_sha, sizeof(out->base_sha), "%s",
             json_text_at(json_object_get(pull, "base"), "sha"));
    snprintf(out->start_sha, sizeof(out->start_sha), "%s", out->base_sha);
    json_decref(pull);
    if (api_send(api, &request, &answer, err) < 0)
        return -1;
    out->truncated = answer.text.truncated;
    out->len = answer.text.len;
    out->text = strbuf_take(&answer.text);
    return 0;
}

/*
 * All reviews: this list has no Link in its answers, only the number of all.
 * A page may be shorter than was asked for.
 */
static int list_reviews(struct api *api, const char *path, json_t *all,
                        bool *out_partial, struct err *err)
{
    for (unsigned page = 1; page <= API_MAX_PAGES; page++) {
        CLEANUP(mem)
        char *one = xasprintf("%s?limit=%d&page=%u", path, PAGE, page);
        const struct api_request request = {.method = "GET", .path = one};
        CLEANUP(api_answer) struct api_answer answer = {0};
        const char *total;
        size_t got;

        if (api_send(api, &request, &answer, err) < 0)
            return -1;
        got = json_array_size(answer.json);
        json_array_extend(all, answer.json);
        total = header_find(&answer.headers, "X-Total-Count");
        if (!got || (total ? json_array_size(all) >= strtoul(total, NULL, 10)
                           : got < PAGE))
            return 0;
    }
    *out_partial = true;
    return 0;
}

static int add_review(struct api *api, const char *reviews,
                      const json_t *review, const char *login,
                      struct forge_comments *out, struct err *err)
{
    CLEANUP(mem) char *id = write_id(review, "id");
    CLEANUP(mem) char *path = xasprintf("%s/%s/comments", reviews, id);
    json_t *list = NULL, *item;
    size_t i;

    if (api_get(api, path, &list, err) < 0)
        return -1;
    json_array_foreach(list, i, item)
    {
        CLEANUP(mem) char *comment = write_id(item, "id");
        const struct forge_comment made = {
            .id = comment,
            .thread = id,
            .body = json_text_at(item, "body"),
            .is_resolved = json_is_object(json_object_get(item, "resolver")),
            .resolver =
                write_resolver(json_object_get(item, "resolver"), login),
            .is_outdated =
                !json_integer_value(json_object_get(item, "position")) &&
                !json_integer_value(
                    json_object_get(item, "original_position"))};

        if (write_is_by(item, login))
            comments_add(out, &made);
    }
    json_decref(list);
    return 0;
}

int gitea_comments(struct api *api, const struct forge_target *target,
                   struct forge_comments *out, struct err *err)
{
    CLEANUP(mem)
    char *path =
        write_path(api, target, "/pulls/%" PRId64 "/reviews", target->change);
    json_t *reviews = json_array(), *review;
    const char *login;
    size_t i;
    int rc = api_self(api, &login, err);

    if (rc == 0)
        rc = list_reviews(api, path, reviews, &out->is_partial, err);
    if (rc == 0)
        json_array_foreach(reviews, i, review)
        {
            const json_t *comments = json_object_get(review, "comments_count");

            if (!write_is_by(review, login) ||
                (comments && !json_integer_value(comments)))
                continue;
            rc = add_review(api, path, review, login, out, err);
            if (rc < 0)
                break;
        }
    json_decref(reviews);
    return rc;
}

/* ---- writing ------------------------------------------------------------- */

int gitea_check(struct api *api, const struct forge_target *target,
                const struct forge_check *check, struct err *err)
{
    CLEANUP(mem)
    char *post = write_path(api, target, "/statuses/%s", target->commit);
    CLEANUP(mem)
    char *list = xasprintf("%s?sort=highestindex&limit=%d", post, PAGE);

    return status_put(api, check, list, post, forge_gitea.max_description, err);
}

/* Only one line, the last one, which hosts show a comment under. */
static json_t *review_comment(const struct forge_remark *remark)
{
    const struct diff_place *place = remark->place;
    uint32_t line = diff_line_number(place->end, place->side);
    bool is_old = place->side == DIFF_OLD;

    return json_pack("{s:s, s:s, s:I, s:I}", "path",
                     diff_file_path(place->file, DIFF_NEW), "body",
                     remark->body, "new_position",
                     is_old ? (json_int_t)0 : (json_int_t)line, "old_position",
                     is_old ? (json_int_t)line : (json_int_t)0);
}

int gitea_review(struct api *api, const struct forge_target *target,
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

/* Comments of reviews are comments of the issue to it. */
int gitea_edit(struct api *api, const struct forge_target *target,
               const struct forge_comment *comment, const char *body,
               struct err *err)
{
    CLEANUP(mem)
    char *path = write_path(api, target, "/issues/comments/%s", comment->id);

    return write_send(api, "PATCH", path, json_pack("{s:s}", "body", body),
                      NULL, err);
}
