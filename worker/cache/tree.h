/* worker/cache/tree.h - trees of commits, kept to be mounted. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CACHE_TREE_H
#define WORKER_CACHE_TREE_H

#include "worker/cache/store.h"

/*
 * trees/<scope>/<key>/tree/   files of a commit: all of them, or what differs
 *                             from those of a whole tree, its base
 *                     git/    with the .git that goes with them
 *
 * An overlay of git, tree and the base's tree is what a checkout would have
 * written. Scopes are those of mirrors: a repository and who may read it. A
 * tree is good until the host boots: nothing is known to be on the disk.
 */

#define TREE_MAX_LOWERS 3

/** What a checkout is asked for. All borrowed; none NULL. */
struct tree_wish {
    const char *scope;      /* the name of the mirror's directory */
    const char *url;        /* as a mirror has it, to be sure */
    const char *credential; /* the same */
    const char *commit;     /* 40 digits */
    const char *ref;        /* as asked for */
    const char *base;       /* the same */
    const char *refs;       /* which references: checkout's refs_state() */
    bool submodules;        /* checked out, too */
};

/** One that is held. Start with TREE_SNAPSHOT_INIT. */
struct tree_snapshot {
    struct cache_entry own;
    struct cache_entry base; /* of a whole tree: nothing */
};
#define TREE_SNAPSHOT_INIT                                                     \
    {                                                                          \
        .own = CACHE_ENTRY_INIT, .base = CACHE_ENTRY_INIT                      \
    }
void tree_snapshot_release(struct tree_snapshot *snapshot);

/** What the checkout that made it said. All borrowed from the snapshot. */
struct tree_said {
    const char *commit;
    const char *branch;
    const char *subject;
    unsigned files;
    uint64_t bytes; /* what its files take on disk, those of its base too */
};
void tree_snapshot_said(const struct tree_snapshot *snapshot,
                        struct tree_said *out_said);

/** Hold exactly what is wished for. False: there is none. */
MUST_USE bool tree_find(struct cache *cache, const struct tree_wish *wish,
                        struct tree_snapshot *out_snapshot);

/**
 * Hold whole trees of the wish's scope (its commit and refs do not matter) that
 * others can be made from, those used last: `most` at most. Returns how many.
 */
size_t tree_bases(struct cache *cache, const struct tree_wish *wish,
                  struct cache_entry *out_bases, size_t most);
/** The commit of such an entry; borrowed. */
const char *tree_commit(const struct cache_entry *entry);

/**
 * Keep what a checkout wrote to <stage>/tree, its .git included. `base` is the
 * entry that it is a delta of, or NULL; it may be taken. `submodules`:
 * how many are in it. ERR_TRANSIENT: the stage, whatever it is by then, is
 * still the caller's.
 */
MUST_USE int tree_keep(struct cache *cache, const struct tree_wish *wish,
                       const struct tree_said *said, unsigned submodules,
                       struct cache_entry *stage, struct cache_entry *base,
                       struct tree_snapshot *out_snapshot, struct err *err);

/** The directories to mount, the topmost first; strings owned by the list. */
void tree_lowers(const struct tree_snapshot *snapshot, struct strv *out_lowers);

#endif
