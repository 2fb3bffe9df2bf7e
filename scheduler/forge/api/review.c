/* scheduler/forge/api/review.c - a review, whatever one comment of it costs. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/forge/api/write.h"

#include <string.h>

struct review {
    struct api *api;
    const struct review_spec *spec;
    bool request_changes;
    unsigned tries; /* left */
};

static json_t *review_body(const struct review *review,
                           const struct forge_remark *remarks, size_t count)
{
    json_t *comments = json_array();
    char title[64];

    for (size_t i = 0; i < count; i++)
        json_array_append_new(comments, review->spec->comment(&remarks[i]));
    snprintf(title, sizeof(title), "%zu new finding%s.", count,
             count == 1 ? "" : "s");
    return json_pack("{s:s, s:s, s:s, s:o}", "commit_id", review->spec->commit,
                     "event",
                     review->request_changes ? "REQUEST_CHANGES" : "COMMENT",
                     "body", title, "comments", comments);
}

/* Hosts answer 422 (some versions of Gitea 400) for what they cannot place. */
static bool is_about_comments(const struct api *api)
{
    struct api_failure failure = api_failed(api);

    return failure.kind == API_REFUSED &&
           (failure.status == 422 || failure.status == 400);
}

static void refuse(struct forge_remark *remarks, size_t count)
{
    for (size_t i = 0; i < count; i++)
        remarks[i].refused = true;
}

static int send_some(struct review *review, struct forge_remark *remarks,
                     size_t count, struct err *err);

static int send_halves(struct review *review, struct forge_remark *remarks,
                       size_t count, struct err *err)
{
    size_t half = count / 2;

    if (send_some(review, remarks, half, err) < 0)
        return -1;
    return send_some(review, remarks + half, count - half, err);
}

static int send_some(struct review *review, struct forge_remark *remarks,
                     size_t count, struct err *err)
{
    struct err failed = {0};

    if (!review->tries) {
        refuse(remarks, count);
        return 0;
    }
    review->tries--;
    if (write_send(review->api, "POST", review->spec->path,
                   review_body(review, remarks, count), NULL, &failed) == 0)
        return 0;
    if (!is_about_comments(review->api)) {
        if (err)
            *err = failed;
        return -1;
    }
    /* Nobody may ask for changes of what is theirs. */
    if (review->request_changes && strcasestr(failed.msg, "your own pull")) {
        review->request_changes = false;
        return send_some(review, remarks, count, err);
    }
    if (count > 1)
        return send_halves(review, remarks, count, err);
    refuse(remarks, count);
    return 0;
}

int review_put(struct api *api, const struct review_spec *spec,
               struct forge_remark *remarks, size_t count, struct err *err)
{
    struct review review = {.api = api,
                            .spec = spec,
                            .request_changes = spec->request_changes,
                            .tries = REVIEW_MAX_TRIES};

    return count ? send_some(&review, remarks, count, err) : 0;
}
