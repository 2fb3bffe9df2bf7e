/* worker/checkout/tree.h - a stranger's tree: look first, then write. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CHECKOUT_TREE_H
#define WORKER_CHECKOUT_TREE_H

#include "base/err.h"

#include <git2.h>
#include <stdbool.h>
#include <stdint.h>

#define TREE_MAX_ENTRIES    1000000
#define TREE_MAX_PATH_BYTES ((size_t)256 << 20) /* of all paths together */

struct tree_link {
    char *path; /* owned */
    git_oid oid;
};

/** What tree_check found. Start zeroed. */
struct tree_facts {
    unsigned files;          /* files, symbolic links and submodules */
    struct tree_link *links; /* owned: its submodules */
    size_t link_count;
    bool has_modules; /* a regular file .gitmodules at the top */
    git_oid modules;
    bool has_attributes; /* a file .gitattributes anywhere */
    bool damaged;        /* an object is missing: the mirror's fault */
};

/**
 * Walk the whole tree before anything is written; with `base`, a commit that
 * passed before, only what is another there (`files` counts that alone then).
 * ERR_USER, naming the path, for what no honest git makes: names of names.h,
 * two entries of one name or out of order (a symbolic link `a` beside a
 * directory `a` would lead files out), modes that are none, .gitmodules as a
 * symbolic link; and for more than TREE_MAX_ENTRIES or paths that are too long
 * or too deep.
 */
MUST_USE int tree_check(git_repository *repo, const git_oid *commit,
                        const git_oid *base, struct tree_facts *out_facts,
                        struct err *err);
void tree_facts_clear(struct tree_facts *facts);
UNUSED static inline void tree_facts_freep(struct tree_facts *facts)
{
    tree_facts_clear(facts);
}

/**
 * Add to `*bytes` about what a checked tree takes on disk (layer_cost).
 * ERR_TRANSIENT: an object cannot be read; ERR_USER: more than `max_bytes`.
 */
MUST_USE int tree_measure(git_repository *repo, const git_oid *commit,
                          uint64_t max_bytes, uint64_t *bytes, struct err *err);

/**
 * Write a checked tree to the work tree of `repo`, which is empty, and its
 * index, with `inside_uid` as the owner of all files. As tree_check for errors.
 */
MUST_USE int tree_write(git_repository *repo, const git_oid *commit,
                        unsigned inside_uid, struct tree_facts *facts,
                        struct err *err);

#endif
