/* worker/opencode/tree.h - the copy of a tree that a model may read. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_OPENCODE_TREE_H
#define WORKER_OPENCODE_TREE_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* What is beyond is left out, and counted. */
#define TREE_MAX_FILES 100000u
#define TREE_MAX_BYTES ((uint64_t)1 << 30)
#define TREE_MAX_FILE  ((uint64_t)4 << 20)
#define TREE_MAX_DEPTH 64

struct tree_counts {
    uint32_t files, left_out;
    uint64_t bytes;
};

/**
 * Whether a name, of a file or a directory, is left out at any depth: what
 * opencode and other agents take instructions, plugins and settings from, .git,
 * what has secrets in it (.env), and what was installed (node_modules). Without
 * regard to case: some file systems have none.
 */
bool tree_is_left_out(const char *name);

/**
 * Copy the regular files below `from` to `to`, which is made, without the
 * above, without links, devices and sockets, and make all of it read-only.
 * ERR_TRANSIENT: the disk is full; ERR_USER: `from` cannot be read.
 */
MUST_USE int tree_copy(const char *from, const char *to,
                       struct tree_counts *out, struct err *err);
/** Remove such a copy: it is made writable first. What is left is ignored. */
void tree_drop(const char *path);

#endif
