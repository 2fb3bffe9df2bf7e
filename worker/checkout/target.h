/* worker/checkout/target.h - which commit a request means. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CHECKOUT_TARGET_H
#define WORKER_CHECKOUT_TARGET_H

#include "worker/checkout/mirror.h"
#include "worker/checkout/refs_state.h"

/** Start zeroed. */
struct target {
    char commit[OID_HEX_SIZE];
    char *branch;   /* owned; "" when HEAD is to be detached */
    char *kept_ref; /* owned; refs/pull/5/head as asked for, or "" */
    char *base;     /* owned; the short name of the base, or "" */
    char base_oid[OID_HEX_SIZE];
    bool fetched;
    char state[REFS_STATE_SIZE]; /* of the mirror's when `refs` were read */
    struct refs refs; /* the mirror's, below the request's prefix and not */
};

/**
 * Find the commit, fetching only when the mirror cannot answer: a whole commit
 * id (as `commit`, or as `ref`) that it has needs no fetch and no lock, a name
 * always does, and so does a base that it lacks. A name is a branch before it
 * is a tag.
 *
 * ERR_USER: no such commit, ref or base, or it is no commit; else as
 * remote_fetch().
 */
MUST_USE int target_find(struct mirror *mirror, const struct request *request,
                         struct target *out_target, struct err *err);
void target_clear(struct target *target);
UNUSED static inline void target_freep(struct target *target)
{
    target_clear(target);
}

#endif
