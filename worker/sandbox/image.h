/* worker/sandbox/image.h - which directories may be a sandbox's image. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SANDBOX_IMAGE_H
#define WORKER_SANDBOX_IMAGE_H

#include "base/err.h"

/**
 * Open a directory of the host as an image. A stranger names it, so it is
 * refused (ERR_USER, with the reason) where it leads through a link of /proc,
 * is the host's root, is or lies below /proc, /sys or /dev, holds or lies in
 * berth's state, lies outside BERTH_IMAGE_DIRS (colon-separated; unset: any
 * place will do), or has no bin/sh, etc and usr. `state_dir` as in struct
 * sandbox_spec. What was looked at is what `*out_fd` (O_PATH, owned by the
 * caller) stands for, whatever the path means later.
 */
MUST_USE int image_open(const char *image, const char *state_dir, int *out_fd,
                        struct err *err);

/** open() inside: an image's links cannot lead to the host's files. */
MUST_USE int image_open_inside(int image, const char *path, int flags);

#endif
