/* worker/cache/verified.h - when an entry was last read in full. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CACHE_VERIFIED_H
#define WORKER_CACHE_VERIFIED_H

#include "worker/cache/store.h"

/*
 * The file `verified` of an entry: in it the boot (boot.h) in which all of it
 * was read and had the digest of its `meta`; its time is when that was tried
 * last. It is written in place, so that the time of the entry's directory
 * stays that of its last use.
 */

/**
 * The seal: an entry of ours, closed to all others, with the digest of what is
 * in its `root/`.
 */
bool verified_is_sealed(const struct cache_entry *entry);
/** Whether it was read since the host booted, and was good. */
bool verified_since_boot(const char *path);
/** When that was tried last: wall clock, ms; 0: never. */
int64_t verified_at_ms(const char *path);
/** Note that it is tried now. ERR_TRANSIENT. */
MUST_USE int verified_try(const char *path, struct err *err);
/** Note, in an entry or a stage, that it is good. ERR_TRANSIENT. */
MUST_USE int verified_note(const char *path, struct err *err);
/**
 * Whether `digest` (NULL: it could not be read) is the entry's; then that is
 * noted, where it can be.
 */
MUST_USE bool verified_judge(const struct cache_entry *entry,
                             const char *digest);

#endif
