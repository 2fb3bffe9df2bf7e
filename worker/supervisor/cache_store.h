/* worker/supervisor/cache_store.h - asks the store of caches, for run-jobs. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SUPERVISOR_CACHE_STORE_H
#define WORKER_SUPERVISOR_CACHE_STORE_H

#include "base/frame.h"
#include "base/loop.h"
#include "base/mem.h"

/*
 * `cache-store`, a process a question, which has the keys, brings what is there
 * into the cache of this host. A store that does not answer is left alone for a
 * while, 15 s at first and up to 5 minutes, in which all is a miss at once: no
 * job waits again for what is away.
 */
struct cache_store;

/** Both copied; `loop` is borrowed. */
MUST_USE struct cache_store *
cache_store_new(struct loop *loop, const char *store, const char *key_file);
/** Ends what runs; nobody is told. NULL is fine. */
void cache_store_free(struct cache_store *store);
OWNER(cache_store)

/** `answer` is the body of JOB_FRAME_CACHE_ANSWER, borrowed. From the loop. */
typedef void cache_store_fn(void *arg, uint32_t id, const char *answer);

/**
 * Answer a JOB_FRAME_CACHE_WANTED; `store` NULL: there is none. One that makes
 * no sense is a miss, too.
 */
void cache_store_ask(struct cache_store *store, const struct frame *frame,
                     cache_store_fn *fn, void *arg);
/** Nobody is told that was to be with `arg`. NULL is fine. */
void cache_store_forget(struct cache_store *store, const void *arg);

#endif
