/* worker/job/far_ask.h - entries that the cache of this host does not have. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_JOB_FAR_ASK_H
#define WORKER_JOB_FAR_ASK_H

#include "worker/job/output.h"
#include "worker/job/trust.h"

/*
 * run-job has no keys of the store of caches: its supervisor asks there
 * (JOB_FRAME_CACHE_WANTED), and has what is found put into the cache of this
 * host, where it is looked for again. The supervisor bounds it.
 */
struct far_ask;

/** From the loop, once: it may be there now. */
typedef void far_ask_fn(void *arg);

/** All borrowed; they must outlive it. */
MUST_USE struct far_ask *far_ask_new(struct channel *up, struct output *output);
/** No callback comes any more. NULL is fine. */
void far_ask_free(struct far_ask *ask);
OWNER(far_ask)

/** What is wanted; all borrowed, for the duration of the call. */
struct far_wanted {
    const char *kind;
    const char *name;            /* of an entry, in any scope */
    const struct strv *prefixes; /* of names, the best first; NULL: none */
    const struct trust *trust;   /* the scopes that may be read */
};

/**
 * One at a time. False: there is no store, nor a callback. Else what the answer
 * says of it is in the job's log before the callback comes.
 */
MUST_USE bool far_ask_begin(struct far_ask *ask,
                            const struct far_wanted *wanted, far_ask_fn *fn,
                            void *arg);
/** The answer is not waited for any more. */
void far_ask_forget(struct far_ask *ask, const void *arg);
/** JOB_FRAME_CACHE_ANSWER came. */
void far_ask_answer(struct far_ask *ask, const struct frame *frame);

#endif
