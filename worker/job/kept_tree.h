/* worker/job/kept_tree.h - the tree of a checkout from the cache. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_JOB_KEPT_TREE_H
#define WORKER_JOB_KEPT_TREE_H

#include "worker/checkout/client.h"
#include "worker/job/attempt.h"

/*
 * A checkout whose tree is kept for the next ones: found in the cache, or
 * written there instead of into the workspace, which then shows it. Whatever
 * goes wrong: the caller does a checkout of the ordinary kind.
 */
struct kept_tree;

/** NULL: not here (no cache, or the sandbox runs). Borrows `spec`. */
MUST_USE struct kept_tree *kept_tree_new(const struct attempt_spec *spec);
/** The tree stays in the workspace. NULL is fine. */
void kept_tree_free(struct kept_tree *tree);
OWNER(kept_tree)

/**
 * Whether the very tree is kept, and is in the workspace now. Strings of
 * `*out_result` are borrowed from it.
 */
MUST_USE bool kept_tree_find(struct kept_tree *tree,
                             struct checkout_result *out_result);

/**
 * Set the request's tree and layer to what the cache has for it; borrowed from
 * the snapshot. ERR_TRANSIENT.
 */
MUST_USE int kept_tree_prepare(struct kept_tree *tree,
                               struct checkout_request *request,
                               struct err *err);
/**
 * Keep what that checkout wrote, and put it into the workspace. Any error:
 * there is none, and the workspace is as it was.
 */
MUST_USE int kept_tree_keep(struct kept_tree *tree,
                            const struct checkout_result *result,
                            struct err *err);

#endif
