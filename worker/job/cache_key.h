/* worker/job/cache_key.h - names of `cache:` keys in the store. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_JOB_CACHE_KEY_H
#define WORKER_JOB_CACHE_KEY_H

#include "base/mem.h"

#include <stdbool.h>

/** Bytes of a key: more is another one's beginning. */
#define CACHE_KEY_MAX 1024

/** What is wrong with an expanded key, for a message; NULL: nothing. Static. */
const char *cache_key_problem(const char *key);

/**
 * The name of an entry (worker/cache/store.h): a digest of the paths, then the
 * key, its bytes escaped where the store has no such; of a long one only the
 * beginning, and a digest of all of it. Two keys never have one name. Owned.
 */
MUST_USE char *cache_key_name(const struct strv *paths, const char *key);
/**
 * What the names of all keys begin with that begin with `prefix`. Others' may,
 * too: compare the keys. Owned.
 */
MUST_USE char *cache_key_prefix(const struct strv *paths, const char *prefix);

/** Where `path` (of the pipeline: relative, or ~/) is inside. Owned. */
MUST_USE char *cache_key_inside(const char *path);

#endif
