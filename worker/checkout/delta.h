/* worker/checkout/delta.h - a tree as what differs from another one. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CHECKOUT_DELTA_H
#define WORKER_CHECKOUT_DELTA_H

#include "worker/checkout/layer.h"
#include "worker/checkout/tree.h"

struct delta;

/**
 * Compare `commit` with `base`, both of them in `mirror`. Returns 1 and sets
 * `*out_delta`, owned by the caller and borrowing `base`; 0 when there is too
 * much to do, or it could not be known to be the same (.gitattributes changed);
 * -1 as tree_check.
 */
MUST_USE int delta_open(git_repository *mirror, const git_oid *commit,
                        const struct layer_base *base, struct delta **out_delta,
                        struct tree_facts *facts, struct err *err);
void delta_free(struct delta *delta);
OWNER(delta)

/**
 * Write to the work tree of `repo`, which is empty, what an overlay needs above
 * the base's whole tree to be that of the commit: changed files, and devices
 * 0:0 (whiteouts) for what is gone; and the index of all of it, made from the
 * base's, which must be that of its commit. Adds to `layer->bytes`. As
 * tree_check for errors, and ERR_TRANSIENT for more than `layer->max_bytes`:
 * half of it may be there.
 */
MUST_USE int delta_write(struct delta *delta, git_repository *repo,
                         unsigned inside_uid, struct layer *layer,
                         struct tree_facts *facts, struct err *err);

#endif
