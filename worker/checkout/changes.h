/* worker/checkout/changes.h - what differs between two trees. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CHECKOUT_CHANGES_H
#define WORKER_CHECKOUT_CHANGES_H

#include "base/mem.h"

#include <git2.h>
#include <stdbool.h>
#include <sys/stat.h>

/** A file, symbolic link or submodule; `mode` 0: there is none. */
struct change_side {
    git_oid oid;
    unsigned mode; /* as git has it */
};

struct change {
    char *path; /* owned; no two are the same */
    struct change_side before;
    struct change_side after;
    struct stat written; /* of what `after` became; see index_patch.h */
};

/** In no order. Start zeroed. */
struct changes {
    struct change *items; /* owned */
    size_t count;
};
void changes_clear(struct changes *changes);

/**
 * Add what differs between `from` and `to`. Returns 0; 1 when there are more
 * than `max`; libgit2's code (below 0) on failure. Trees that are the same are
 * not read. Both have been through tree_check().
 */
MUST_USE int changes_find(git_repository *repo, const git_oid *from,
                          const git_oid *to, size_t max,
                          struct changes *changes);
/** Sort by path, as an index is. */
void changes_sort(struct changes *changes);

#endif
