/* worker/cache/seal.h - copy a stranger's files, and know them again. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CACHE_SEAL_H
#define WORKER_CACHE_SEAL_H

#include "base/err.h"
#include "base/sha256.h"

#include <stdint.h>
#include <sys/types.h>

#define SEAL_MAX_DEPTH 128
#define SEAL_MAX_FILES 500000

/** What was copied or read. Start zeroed but for the limit. */
struct seal {
    char digest[SHA256_HEX_SIZE]; /* of names, kinds, modes, contents */
    uint64_t bytes;               /* about what it takes on disk */
    uint64_t max_bytes;
    unsigned files;
};

/**
 * Whether what is below `name` is to be taken: all of it (1), none and it does
 * not matter (0), none and then nothing can be kept (-1); 2: look at what is
 * in it, of which something has to be taken. `path` is relative to the top.
 */
typedef int seal_pick_fn(void *arg, const char *path, const char *name,
                         mode_t mode);

/**
 * Copy what `pick` takes from directory `from` to the empty directory `to`,
 * for `uid`: files (no link leads out of `from`; without setuid bits; times
 * kept), directories, symbolic links as they are. ERR_USER, naming the path:
 * something of another kind, or that pick() refuses; too much, or too deep.
 * ERR_TRANSIENT: reading, writing.
 */
MUST_USE int seal_copy(int from, int to, uid_t uid, seal_pick_fn *pick,
                       void *arg, struct seal *seal, struct err *err);

/** Read all that is in directory `dir`: the digest is that of seal_copy(). */
MUST_USE int seal_read(int dir, struct seal *seal, struct err *err);

#endif
