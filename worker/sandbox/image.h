/* worker/sandbox/image.h - what may be a sandbox's image. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SANDBOX_IMAGE_H
#define WORKER_SANDBOX_IMAGE_H

#include "base/err.h"

/* A setting of the worker, "a,b", in the environment of its run-jobs. */
#define REGISTRIES_VARIABLE "BERTH_WORKER_REGISTRIES"

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

/** The same for a directory that need not have a root file system. */
MUST_USE int image_open_directory(const char *image, const char *state_dir,
                                  int *out_fd, struct err *err);
/**
 * The same for a directory of ours, with the tree of what a stranger calls
 * `image`: only whether there is a root file system in it is looked at.
 */
MUST_USE int image_open_own(const char *path, const char *image, int *out_fd,
                            struct err *err);

/**
 * Whether an image of this name may be fetched: its registry is one that
 * REGISTRIES_VARIABLE lists (unset: docker.io), since a stranger's pipeline
 * makes this host talk to it. ERR_USER: no, or it is no name.
 */
MUST_USE int image_check_name(const char *name, struct err *err);

/** open() inside: an image's links cannot lead to the host's files. */
MUST_USE int image_open_inside(int image, const char *path, int flags);

#endif
