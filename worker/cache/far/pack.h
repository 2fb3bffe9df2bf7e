/* worker/cache/far/pack.h - an entry's root/ as one file, and back. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CACHE_FAR_PACK_H
#define WORKER_CACHE_FAR_PACK_H

#include "base/err.h"
#include "base/hmac.h"
#include "base/strbuf.h"

#include <jansson.h>
#include <stdint.h>

/*
 *   "berthC1\n"   8 bytes
 *   HMAC          32 bytes: of the entry's name and the SHA-256 of the rest
 *   the rest, compressed with zstd:
 *     length (4 bytes), the head, JSON: {"uid": N, "meta": {…}}
 *     records: kind, 0, length of the name (2), mode (4), mtime in ns (8),
 *       size (8), the name; little endian. Of a file ('f') `size` bytes follow,
 *       of a link ('l') as many of its target; a directory ('d') is followed by
 *       what is in it, up to an 'u'. One more 'u' is the end.
 *
 * Names are sorted, and nothing else of the host is in it: the same files are
 * the same bytes. A name is one component. It is no tar: there is nothing that
 * an entry may have that it could say, no link to another record, no path.
 */
#define PACK_KEY_MIN 16 /* bytes */

/** What it is signed with. */
struct pack_key {
    struct strbuf secret;
};

/**
 * From a file, but for the end of its line. ERR_USER: there is none, it is open
 * to others, or shorter than PACK_KEY_MIN.
 */
MUST_USE int pack_key_read(const char *path, struct pack_key *out_key,
                           struct err *err);
void pack_key_clear(struct pack_key *key);

/**
 * Write what is in directory `root` to the file `fd`, and sign it as `name`
 * ("kind/scope/key"). `meta` is borrowed; `uid` is whose its files are, 0: the
 * host's own. ERR_USER: something is in it that is not kept; ERR_TRANSIENT.
 */
struct pack {
    const char *name;
    const struct pack_key *key; /* both borrowed */
    uint64_t max_bytes;         /* of what is unpacked, as seal.h counts */
};
MUST_USE int pack_write(const struct pack *pack, int root, unsigned uid,
                        json_t *meta, int fd, struct err *err);

/**
 * Whether it was signed as this entry: before anything else is looked at.
 * ERR_USER: it was not; ERR_TRANSIENT.
 */
MUST_USE int pack_check(const struct pack *pack, int fd, struct err *err);
/**
 * Unpack it in the empty directory `root`, which gets its owner, too;
 * `*out_meta` is owned by the caller. ERR_USER: it is damaged, or too large.
 */
MUST_USE int pack_read(const struct pack *pack, int fd, int root,
                       json_t **out_meta, struct err *err);

#endif
