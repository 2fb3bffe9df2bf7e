/* worker/sandbox/disk.h - a file system of its own, of bounded size. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SANDBOX_DISK_H
#define WORKER_SANDBOX_DISK_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum disk_kind {
    DISK_LOOP, /* ext4 in a sparse file without a name, on a loop device */
    DISK_TMPFS /* in memory: what is written counts as memory */
};

/**
 * Mount a file system of at most `bytes` at `target`. The image of a loop
 * device is made in `image_dir` and has no name when this returns: with the
 * mount, the device and the space are gone. DISK_TMPFS where `rootless` or
 * where the host has no loop devices or no mkfs.ext4: `*out_why` tells then.
 * ERR_TRANSIENT when neither works.
 */
MUST_USE int disk_mount(const char *target, const char *image_dir,
                        uint64_t bytes, bool rootless, enum disk_kind *out_kind,
                        struct err *out_why, struct err *err);

/**
 * Make `path`, a sparse file with an empty ext4 of at most `bytes`. For
 * disk_mount_file(). ERR_TRANSIENT.
 */
MUST_USE int disk_make_file(const char *path, uint64_t bytes, struct err *err);
/**
 * Mount such a file, nosuid and nodev, on a loop device that goes with the
 * mount. What the file gives back when files are removed in it is free again.
 * ERR_TRANSIENT.
 */
MUST_USE int disk_mount_file(const char *path, const char *target,
                             bool readonly, struct err *err);

/** Fewer than 1 % of the blocks or of the inodes are left. */
bool disk_is_full(const char *target);

/**
 * Unmount, throwing away what was not written yet: nobody will read it.
 * Nothing mounted is fine.
 */
void disk_unmount(const char *target);

#endif
