/* scheduler/forge/api/write.h - what the writing halves of drivers share. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_FORGE_API_WRITE_H
#define SCHEDULER_FORGE_API_WRITE_H

#include "scheduler/forge/api/driver.h"

/* ---- addresses ---- */

/**
 * A path below the target's repository ("/repos/o/r", "/projects/o%2Fr") with
 * `fmt` behind it; the caller's.
 */
MUST_USE char *write_path(const struct api *api,
                          const struct forge_target *target, const char *fmt,
                          ...) PRINTF_LIKE(3, 4);

/**
 * Write with `method`; `body` is taken over (json_decref). `*out` (NULL is
 * fine) is the answer, the caller's, maybe NULL.
 */
MUST_USE int write_send(struct api *api, const char *method, const char *path,
                        json_t *body, json_t **out, struct err *err);

/* ---- texts ---- */

/**
 * At most `max` characters of a line, as hosts count them (those beyond 16
 * bits twice); what is cut ends with an ellipsis. The caller's.
 */
MUST_USE char *write_cut(const char *text, size_t max);
/** Whether two bodies say the same: hosts change line ends and their end. */
bool write_same(const char *a, const char *b);
/** A number of a key as text, "" for none; the caller's. */
MUST_USE char *write_id(const json_t *object, const char *key);

/* ---- whose ---- */

/** Whether a comment, note or review is by `login` (user or author). */
bool write_is_by(const json_t *item, const char *login);
/** Add a comment of ours; one without the mark of a finding is left out. */
void comments_add(struct forge_comments *comments,
                  const struct forge_comment *comment);

/**
 * Who a user of the host's is, NULL or null for none. GraphQL has the logins of
 * Apps without their "[bot]".
 */
enum forge_resolver write_resolver(const json_t *user, const char *login);

/* ---- statuses of GitHub and Gitea ---- */

/**
 * Put a commit status, unless the one of its context says the same, or a
 * younger state of the same page. `list` and `post` are paths; all pages of the
 * list are looked at, up to the one that has it.
 */
MUST_USE int status_put(struct api *api, const struct forge_check *check,
                        const char *list, const char *post,
                        size_t max_description, struct err *err);
/** How far a state is: 0 queued, 1 running, 2 ended. */
int check_rank(enum check_state state);

/* ---- reviews of GitHub and Gitea ---- */

/** A new object with place and body of a comment, for the host. */
typedef json_t *review_comment_fn(const struct forge_remark *remark);

#define REVIEW_MAX_TRIES 24 /* requests for one review */

/**
 * POST a review, and when the host takes none of it because of one comment,
 * its halves, down to that one, which is marked. Beyond REVIEW_MAX_TRIES what
 * is left is marked, too.
 */
struct review_spec {
    const char *path;   /* of reviews */
    const char *commit; /* they are about */
    review_comment_fn *comment;
    bool request_changes;
};
MUST_USE int review_put(struct api *api, const struct review_spec *spec,
                        struct forge_remark *remarks, size_t count,
                        struct err *err);

/* ---- the one comment of a change ---- */

/**
 * Of the change's comments the eldest by us with the mark "summary" of the key
 * is the one: it gets the body. Others of it are removed: requests whose answer
 * was lost and that came late. Where there is none, one is made if `create`;
 * where there are more comments than can be listed, that is refused.
 */
MUST_USE int sticky_put(struct api *api, const struct forge_target *target,
                        const char *key, const char *body, bool create,
                        struct err *err);

/* ---- diffs of hosts that give it file by file ---- */

struct patch_file {
    const char *old_path, *new_path;
    bool is_new, is_deleted, is_renamed;
    const char *patch; /* its hunks; "": none */
};
/** Add a file with the headers that git would write. */
void patch_add(struct strbuf *out, const struct patch_file *file);

/* ---- the drivers' writing halves ---- */

#define WRITE_HALF(host)                                                       \
    int host##_diff(struct api *api, const struct forge_target *target,        \
                    struct forge_diff *out, struct err *err);                  \
    int host##_check(struct api *api, const struct forge_target *target,       \
                     const struct forge_check *check, struct err *err);        \
    int host##_comments(struct api *api, const struct forge_target *target,    \
                        struct forge_comments *out, struct err *err);          \
    int host##_review(struct api *api, const struct forge_target *target,      \
                      const struct forge_diff *diff,                           \
                      struct forge_remark *remarks, size_t count,              \
                      bool request_changes, struct err *err);                  \
    int host##_edit(struct api *api, const struct forge_target *target,        \
                    const struct forge_comment *comment, const char *body,     \
                    struct err *err)
WRITE_HALF(github);
WRITE_HALF(gitlab);
WRITE_HALF(gitea);
int github_resolve(struct api *api, const struct forge_target *target,
                   const struct forge_comment *comment, bool resolved,
                   struct err *err);
int gitlab_resolve(struct api *api, const struct forge_target *target,
                   const struct forge_comment *comment, bool resolved,
                   struct err *err);

/** GitLab's "position" of a place; new. */
MUST_USE json_t *gitlab_position(const struct forge_diff *diff,
                                 const struct diff_place *place);

#endif
