/* worker/job/snapshot.h - the tree of a checkout from the cache. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_JOB_SNAPSHOT_H
#define WORKER_JOB_SNAPSHOT_H

#include "worker/checkout/client.h"
#include "worker/job/attempt.h"

/*
 * A checkout whose tree is kept for the next ones: found in the cache, or
 * written there instead of into the workspace, which then shows it. Whatever
 * goes wrong: the caller does a checkout of the ordinary kind.
 */
struct snapshot;

/** NULL: not here (no cache, or the sandbox runs). Borrows `spec`. */
MUST_USE struct snapshot *snapshot_new(const struct attempt_spec *spec);
/** The tree stays in the workspace. NULL is fine. */
void snapshot_free(struct snapshot *snapshot);
OWNER(snapshot)

/**
 * Whether the very tree is kept, and is in the workspace now. Strings of
 * `*out_result` are borrowed from the snapshot.
 */
MUST_USE bool snapshot_find(struct snapshot *snapshot,
                            struct checkout_result *out_result);

/**
 * Set the request's tree and layer to what the cache has for it; borrowed from
 * the snapshot. ERR_TRANSIENT.
 */
MUST_USE int snapshot_prepare(struct snapshot *snapshot,
                              struct checkout_request *request,
                              struct err *err);
/**
 * Keep what that checkout wrote, and put it into the workspace. Any error:
 * there is none, and the workspace is as it was.
 */
MUST_USE int snapshot_keep(struct snapshot *snapshot,
                           const struct checkout_result *result,
                           struct err *err);

#endif
