/* worker/checkout/remote.h - bring a mirror up to date. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CHECKOUT_REMOTE_H
#define WORKER_CHECKOUT_REMOTE_H

#include "worker/checkout/mirror.h"

/** What must be there afterwards, if the remote has it. */
struct remote_want {
    const char *commit; /* 40 digits or "" */
    const char *ref;    /* as the request has it; "" */
    bool head;          /* the remote's HEAD, also a detached one */
    /* Commits that others will ask for soon: 40 digits each. They come with it
     * where a reference of the remote is at them. */
    const char *const *also;
    size_t also_count;
};

/** Where a mirror keeps a remote's detached HEAD, behind the prefix. */
#define REMOTE_HEAD_NAME "berth-head"

/**
 * Fetch all heads and tags, and of the others those that `want` names: the
 * ref, or whatever reference is at a commit of it. The commit that this did not
 * bring is then asked for by its id, where the server allows it. Needs the
 * lock; replaces the mirror's references below the request's prefix. Blocks
 * until the remote answers: only the client's deadline ends that.
 *
 * ERR_USER: no such repository, an empty one, authentication; ERR_TRANSIENT:
 * the network, the disk. That a commit or ref is not there is no error.
 */
MUST_USE int remote_fetch(struct mirror *mirror, const struct request *request,
                          const struct remote_want *want, struct err *err);

/**
 * The full names that a request's short `ref` may mean, best first, without
 * the leading "refs/": heads/x, tags/x, x. Owned by the caller.
 */
void remote_candidates(const char *ref, struct strv *out_names);

#endif
