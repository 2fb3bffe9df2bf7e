/* worker/job/caches.h - what `cache:` steps keep when a job has passed. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_JOB_CACHES_H
#define WORKER_JOB_CACHES_H

#include "worker/job/far_ask.h"
#include "worker/job/machine.h"
#include "worker/job/trust.h"

/*
 * caches/<scope>/<name>/ has in its CACHE_ROOT (store.h) a directory <n>/: the
 * nth of the step's paths, as the agent brought it out; none where there was
 * none.
 *
 * Scopes are those of installs (trust.h), names those of cache_key.h. `meta`
 * has the key itself, and the digest of root/. Nothing here fails a job: the
 * job's log has a line that says what became of each key.
 */
#define CACHES_KIND   "caches"
#define CACHES_FORMAT 1

/** A key that a step named. */
struct cache_wish {
    size_t index;             /* of the step */
    const struct strv *paths; /* borrowed: of the pipeline */
    char *key;                /* owned */
    struct trust trust;       /* owned */
    bool is_there;            /* it was found: nothing is to be kept */
};
void cache_wish_clear(struct cache_wish *wish);

/** All borrowed and alive until caches_free(). */
struct caches_spec {
    struct loop *loop;
    struct machine *machine;
    struct output *output;
    struct channel *up;
};

struct caches;

MUST_USE struct caches *caches_new(const struct caches_spec *spec);
/** The way to the store of caches. Borrowed. */
struct far_ask *caches_far(struct caches *caches);
/** JOB_FRAME_CACHE_ANSWER came. NULL is fine. */
void caches_answer(struct caches *caches, const struct frame *frame);
/** Note a step's wish, in place of an earlier one of that step; it is taken. */
void caches_add(struct caches *caches, struct cache_wish *wish);

/**
 * Copy out of the sandbox, in which nothing runs any more, what was wished for
 * and was not there; within a minute. `done` comes from the loop, once; it is
 * machine_finish_saves() that gives the copies their places.
 */
void caches_save(struct caches *caches, void (*done)(void *arg), void *arg);
/** Copy no more: `done` comes soon. */
void caches_stop(struct caches *caches);

/** Only once all is done, or the sandbox is lost. NULL is fine. */
void caches_free(struct caches *caches);
OWNER(caches)

#endif
