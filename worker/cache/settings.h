/* worker/cache/settings.h - where this host keeps its cache, and how much. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CACHE_SETTINGS_H
#define WORKER_CACHE_SETTINGS_H

#include "worker/cache/store.h"

/*
 * A worker tells its run-jobs by their environment what its configuration has
 * (cache.dir, cache.bytes, cache.keep, cache.entry_bytes), in the words of a
 * configuration; what is missing or makes no sense has the default.
 */
#define CACHE_DIR_VARIABLE   "BERTH_CACHE_DIR"
#define CACHE_BYTES_VARIABLE "BERTH_CACHE_BYTES"
#define CACHE_KEEP_VARIABLE  "BERTH_CACHE_KEEP"
#define CACHE_ENTRY_VARIABLE "BERTH_CACHE_ENTRY_BYTES"

/** Not empty: a supervisor can be asked for what is in a store. */
#define CACHE_FAR_VARIABLE "BERTH_CACHE_FAR"

#define CACHE_BYTES_DEFAULT   ((uint64_t)10 << 30)
#define CACHE_ENTRY_DEFAULT   ((uint64_t)2 << 30)
#define CACHE_KEEP_DEFAULT_MS ((int64_t)7 * 86400000)

void cache_settings_read(struct cache_settings *out_settings);

/**
 * Open the cache of this host: below the state directory where nothing else is
 * said. NULL where there is none: 0 bytes; a directory that cannot be made,
 * with the reason in `err`.
 */
struct cache *cache_open_ours(const struct cache_settings *settings,
                              struct err *err);

/** cache_trim() on the cache of this host. Blocks as long as it takes. */
void cache_tidy(void);

#endif
