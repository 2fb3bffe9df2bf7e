/* worker/checkout/gitdir.h - the .git of a tree, for those who work in it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CHECKOUT_GITDIR_H
#define WORKER_CHECKOUT_GITDIR_H

#include "worker/checkout/modules.h"
#include "worker/checkout/target.h"

/**
 * Make an empty .git in the current directory and open it, with the mirror's
 * objects to read from. HEAD is unborn until gitdir_finish.
 */
MUST_USE int gitdir_make(const struct mirror *mirror, git_repository **out_repo,
                         struct err *err);

/**
 * Fill it in: objects by the request's `alternates`; refs/remotes/origin/…
 * and refs/tags/… as in the mirror; HEAD on the target's branch, which tracks
 * origin's, or detached; the base as refs/heads/<base> too, so that
 * `git diff <base>...` runs; origin and `modules` in the configuration, no
 * credential anywhere. `modules` may be NULL.
 */
MUST_USE int gitdir_finish(git_repository *repo, const struct request *request,
                           const struct target *target,
                           const char *default_branch,
                           const struct modules *modules, struct err *err);

#endif
