/* worker/cache/far/far.h - what cache-store does. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CACHE_FAR_FAR_H
#define WORKER_CACHE_FAR_FAR_H

#include "base/s3.h"
#include "worker/cache/far/pack.h"
#include "worker/cache/settings.h"

#include <stdbool.h>

/* worker/cache/far/program.h says what each is for. */

struct far {
    struct s3 *s3;       /* owned */
    struct cache *cache; /* owned */
    struct pack_key key; /* owned */
    const char *store;   /* borrowed: its address */
    struct cache_settings settings;
};

/** What is kept there: trees are not. */
bool far_keeps(const char *kind);
/** An empty file in the cache's staging/, without a name. ERR_TRANSIENT. */
MUST_USE int far_scratch(const struct far *far, int *out_fd, struct err *err);

/** What get is to find; all borrowed. */
struct far_wish {
    const char *kind;
    char **names; /* "scope/key" */
    size_t name_count;
    char **prefixes;
    size_t prefix_count;
};
/**
 * `notes` is an array that gets lines; what is damaged or too large is one, and
 * not found. ERR_TRANSIENT: the store cannot be asked.
 */
MUST_USE int far_get(struct far *far, const struct far_wish *wish,
                     json_t *notes, bool *out_found, struct err *err);

struct far_count {
    unsigned pushed, removed;
};
/** As long as nothing goes wrong: the next turn goes on. ERR_TRANSIENT. */
MUST_USE int far_push(struct far *far, struct far_count *out_count,
                      struct err *err);
/** The store has it: there is no need to push it. ERR_TRANSIENT. */
MUST_USE int far_mark(const struct far *far, const char *path, struct err *err);

#endif
