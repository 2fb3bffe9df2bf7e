/* worker/cache/check.h - read again, in the background, what is kept. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CACHE_CHECK_H
#define WORKER_CACHE_CHECK_H

#include "worker/cache/store.h"

struct check_limits {
    int64_t every_ms; /* what was good since then is left alone until a boot */
    uint64_t bytes;   /* no further entry once so much was read */
    int64_t ms;       /* nor when it took so long */
};

struct check_count {
    unsigned read;
    unsigned damaged; /* of these; they are out of their places */
};

/**
 * One turn: read the entries that have a digest (worker/cache/verified.h), one
 * at a time, those first whose last time is longest ago. An entry that takes
 * too long, so that we are killed, is not the first one of the next turn. What
 * another holds may be read, and condemned; uses are not counted.
 */
void cache_check(struct cache *cache, const struct check_limits *limits,
                 struct check_count *out_count);

#endif
