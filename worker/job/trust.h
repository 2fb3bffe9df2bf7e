/* worker/job/trust.h - whose cache a job may read, and which one it writes. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_JOB_TRUST_H
#define WORKER_JOB_TRUST_H

#include "worker/checkout/client.h"
#include "worker/job/attempt.h"

#include <jansson.h>

/*
 * A scope belongs to a repository, to who may read that (the credential), and
 * to a branch of members, a change of members, or a change of a fork. A job
 * writes its own only. It reads its own, and those of the branch that it goes
 * to or, where none is named, of the repository's default branch: what members
 * had run there. So nobody reads what a fork wrote but the fork.
 */
#define TRUST_MAX_READERS 2

struct trust_scope {
    char *name; /* owned: for a path */
    char *text; /* owned: what it is made from, compared where it matters */
};

struct trust {
    struct checkout_identity identity;
    struct trust_scope writer;
    struct trust_scope readers[TRUST_MAX_READERS]; /* the first is the writer */
    size_t reader_count;
};

/** ERR_USER: the job has no repository. */
MUST_USE int trust_of(const struct attempt_spec *spec, struct trust *out_trust,
                      struct err *err);
void trust_clear(struct trust *trust);

/** A meta for what is written; owned by the caller. */
json_t *trust_meta(const struct trust *trust, int format);
/** Whether `meta` is of an entry of that very scope. */
bool trust_owns(const struct trust *trust, const struct trust_scope *scope,
                const json_t *meta);

#endif
