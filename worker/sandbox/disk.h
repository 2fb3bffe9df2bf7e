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

/** All borrowed, for the duration of the call. */
struct disk_spec {
    const char *target;    /* where it is mounted */
    const char *image_dir; /* where the image of a loop device is made */
    /* A directory of ours alone, on the file system of image_dir; or NULL. */
    const char *templates;
    uint64_t bytes;
    bool rootless;
};

/**
 * Mount a file system of at most `bytes` at `target`. The image of a loop
 * device has no name when this returns: with the mount, the device and the
 * space are gone. An empty one of each size is kept in `templates` (some
 * 100 KiB), so that mkfs.ext4 is run once. DISK_TMPFS where `rootless` or
 * where the host has no loop devices or no mkfs.ext4: `*out_why` tells then.
 * ERR_TRANSIENT when neither works.
 */
MUST_USE int disk_mount(const struct disk_spec *spec, enum disk_kind *out_kind,
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
 * Throw away what was not written yet, and have nothing written any more: the
 * file system is about to be unmounted for good. Nothing mounted is fine.
 */
void disk_drop(const char *target);

#endif
