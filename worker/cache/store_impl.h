/* worker/cache/store_impl.h - what the files of the store share. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CACHE_STORE_IMPL_H
#define WORKER_CACHE_STORE_IMPL_H

#include "worker/cache/store.h"

struct cache {
    char *dir; /* owned */
};

bool cache_name_ok(const char *name);
/** Open and flock (LOCK_SH or LOCK_EX) the directory `path`; -1: no. */
int cache_hold(const char *path, int how);
/** The object in its `meta`, owned by the caller, or NULL. */
json_t *cache_read_meta(const char *path);

typedef void cache_item_fn(void *arg, const char *path);
/** Call `fn` for each entry; what is empty above them is removed. */
void cache_each(struct cache *cache, cache_item_fn *fn, void *arg);

#endif
