/* worker/cache/store.h - a directory of snapshots that jobs share. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CACHE_STORE_H
#define WORKER_CACHE_STORE_H

#include "base/err.h"
#include "base/mem.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * <dir>/<kind>/<scope>/<key>/    an entry: `meta`, written last, and what its
 *                                kind puts there; root's alone (0700)
 * <dir>/staging/<random>/        one that is being made
 * <dir>/trash/<random>/          one that is going
 *
 * An entry comes into its place by rename and is never changed there. Whoever
 * uses one, or makes one, holds a shared flock on its directory; who removes
 * needs the exclusive one. An entry with a digest in its `meta` has what the
 * digest (seal.h) is of in CACHE_ROOT: who brings one from elsewhere, as one
 * file, unpacks that in a stage, compares, and publishes it. So a kill at any
 * moment leaves whole entries, and rubbish in staging/ and trash/ that nobody
 * holds, which the next cache_trim removes. What is damaged is a miss. Nothing
 * here is thread-safe.
 */
#define CACHE_ROOT "root" /* what the digest is of */

struct cache;

struct cache_settings {
    uint64_t bytes;       /* of all entries; 0: keep none */
    int64_t keep_ms;      /* since its last use */
    uint64_t entry_bytes; /* of one that a job asks for (`cache:`) */
};

/**
 * Open the directory, made where it is missing. ERR_TRANSIENT when it cannot
 * be made.
 */
MUST_USE int cache_open(const char *dir, struct cache **out_cache,
                        struct err *err);
void cache_free(struct cache *cache);
OWNER(cache)

/** Names of an entry; each [A-Za-z0-9._-], 1 to 200 bytes, the first no '.'. */
struct cache_name {
    const char *kind;
    const char *scope;
    const char *key;
};

/** A held entry. Start zeroed with `lock` -1 (CACHE_ENTRY_INIT). */
struct cache_entry {
    char *path;   /* owned */
    json_t *meta; /* owned; an object */
    int lock;     /* the open directory, owned: -1 when there is none */
};
#define CACHE_ENTRY_INIT                                                       \
    {                                                                          \
        .lock = -1                                                             \
    }
/** Let it go. One without anything is fine. */
void cache_entry_release(struct cache_entry *entry);
UNUSED static inline void cache_entry_freep(struct cache_entry *entry)
{
    cache_entry_release(entry);
}

/**
 * Hold an entry and note the use. False: there is none, or it is damaged (then
 * it is removed).
 */
MUST_USE bool cache_find(struct cache *cache, const struct cache_name *name,
                         struct cache_entry *out_entry);
enum cache_order {
    CACHE_LAST_USED, /* the one used last first */
    CACHE_NEWEST     /* the one made last first */
};

/** Which entries; all borrowed. */
struct cache_query {
    const char *kind;
    const char *scope;
    const char *prefix; /* what their keys begin with */
    enum cache_order order;
    size_t most;
};

/** Add the keys of those to `out_keys` (strv_clear). */
void cache_list(struct cache *cache, const struct cache_query *query,
                struct strv *out_keys);

/**
 * A directory to make an entry in, held; others may pass through it (0711)
 * until it is published. ERR_TRANSIENT.
 */
MUST_USE int cache_stage(struct cache *cache, struct cache_entry *out_stage,
                         struct err *err);
/** Give up a stage: into the trash, which cache_trim empties. */
void cache_drop(struct cache *cache, struct cache_entry *stage);
/**
 * Give the stage its place, with `meta` (borrowed; "bytes" counts for
 * cache_trim). It is a held entry from now on, or, where somebody came first,
 * becomes his. ERR_TRANSIENT: the stage is as it was.
 */
MUST_USE int cache_publish(struct cache *cache, const struct cache_name *name,
                           json_t *meta, struct cache_entry *stage,
                           struct err *err);
/** Take a damaged entry out of the way of others; it stays held. */
void cache_condemn(struct cache *cache, const struct cache_entry *entry);

/**
 * Remove what was not used for `keep_ms`, then what was used longest ago until
 * no more than `bytes` are left; and all rubbish. What is in use stays. Does
 * nothing while another process does it. Blocks as long as it takes.
 */
void cache_trim(struct cache *cache, const struct cache_settings *settings);

#endif
