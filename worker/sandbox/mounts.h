/* worker/sandbox/mounts.h - private mounts, which die with their process. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SANDBOX_MOUNTS_H
#define WORKER_SANDBOX_MOUNTS_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* Uids (and gids) of the host that root's sandboxes use: inside they are
 * 0 to 65535. One range for all: two sandboxes never share a file system. */
#define SANDBOX_UID_BASE  1900000000u
#define SANDBOX_UID_COUNT 65536u

/**
 * Give this process mounts of its own, once; later calls do nothing. Mounts of
 * the host still appear in it, but none goes out, and all made in it are gone
 * when its last process is: nothing to clean up after kill -9.
 *
 * An ordinary user gets a user namespace for that, in which the uid stays what
 * it is; `*out_rootless` says so. It must be called from the only thread.
 * ERR_TRANSIENT, saying which kernel setting forbids it.
 */
MUST_USE int mounts_enter(bool *out_rootless, struct err *err);

/** A tmpfs, nosuid and nodev, of at most so many bytes and files. */
MUST_USE int mounts_tmpfs(const char *target, uint64_t bytes, uint64_t inodes,
                          unsigned mode, struct err *err);

/**
 * Show the file or directory `source`, with what is mounted below it, at
 * `target`, which exists: nosuid, nodev and, if asked, read-only throughout.
 */
MUST_USE int mounts_bind(const char *source, const char *target, bool readonly,
                         struct err *err);

/** Let others see what is mounted below the mount at `target` from now on. */
MUST_USE int mounts_share(const char *target, struct err *err);

#endif
