/* worker/sandbox/fetched.h - container images, kept as disks. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SANDBOX_FETCHED_H
#define WORKER_SANDBOX_FETCHED_H

#include "base/loop.h"

#include <stdbool.h>

/*
 * <dir>/<sha256>.img    ext4 with the tree of an image in rootfs/; never
 *                       changed; last used at its time of modification
 *       <sha256>.part   one that is made, and
 *       <sha256>.mnt    where, in the mounts of who makes it, who holds
 *       <sha256>.lock   the flock on this
 *
 * A file that is mounted may be removed at any time: who uses it keeps it.
 */
#define FETCHED_IMAGE ".img"
#define FETCHED_PART  ".part"
#define FETCHED_MOUNT ".mnt"
#define FETCHED_LOCK  ".lock"

/** Whether a pipeline's image is "docker://NAME" or "oci:PATH[:TAG]". */
bool fetched_is_reference(const char *image);
/**
 * Whether it may be fetched: image_check_name() of a name, or
 * image_open_directory() of a directory. ERR_USER.
 */
MUST_USE int fetched_check(const char *image, const char *state_dir,
                           struct err *err);
/** "docker://NAME@sha256:…" in place of a tag; others as they are. Owned. */
MUST_USE char *fetched_pin(const char *reference, const char *hex);

/** Whether the file is there; it counts as used now. */
bool fetched_touch(const char *path);
/**
 * Remove what was not used for 30 days, and what was used longest ago while all
 * take more than 20 GiB, but for `keep`; and what somebody who was killed left.
 */
void fetched_trim(const char *dir, const char *keep);

/** libexec/berth/image-fetch at work. */
struct fetching;

/** `path` of the .img, or `err`. */
typedef void fetching_fn(void *arg, const char *path, const struct err *err);

/** Fetch into `dir`, for at most 30 minutes; `fn` is called once. */
MUST_USE int fetching_start(struct loop *loop, const char *dir,
                            const char *image, fetching_fn *fn, void *arg,
                            struct fetching **out_fetching, struct err *err);
/** Kills it; no callback comes any more. NULL is fine. */
void fetching_free(struct fetching *fetching);
OWNER(fetching)

#endif
