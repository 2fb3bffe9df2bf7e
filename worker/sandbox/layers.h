/* worker/sandbox/layers.h - a directory of a sandbox, as a stack of others. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SANDBOX_LAYERS_H
#define WORKER_SANDBOX_LAYERS_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * <disk>/<name> is what the sandbox sees. At first it is a plain directory;
 * with each push an overlay is mounted on it, of a new directory that takes
 * what is written from now on, over the layers given, over what was there
 * before. So layers of others stay as they are, all that is written is on the
 * sandbox's disk, within its limit, and the last directory but one does not
 * change any more.
 */
struct layers;

/** `owner`: who owns what is made; -1: nobody else. */
MUST_USE struct layers *layers_new(const char *disk, const char *name,
                                   long owner);
/** Closes what it holds; mounts go with the disk. NULL is fine. */
void layers_free(struct layers *layers);
OWNER(layers)

/**
 * Put `count` directories of the host, the topmost first, over what is shown,
 * and a new one over them that takes what is written. They may not change, nor
 * go away, while they are used. Nothing may use the directory meanwhile:
 * it is unmounted and mounted again. ERR_TRANSIENT: no overlay can be mounted,
 * or there are too many layers; what was shown is shown again.
 */
MUST_USE int layers_push(struct layers *layers, const char *const *lowers,
                         size_t count, struct err *err);

/**
 * What was written between the last two pushes (or before the only one): an
 * O_PATH descriptor, borrowed, of a directory that does not change; -1 before
 * the first.
 */
int layers_frozen(const struct layers *layers);

/** Back to a plain directory, and an empty one. ERR_TRANSIENT. */
MUST_USE int layers_clear(struct layers *layers, struct err *err);

/**
 * Take the overlay away, or mount it again: what is bound elsewhere in between
 * is the plain directory, and gets all later mounts from it.
 */
void layers_hide(struct layers *layers);
MUST_USE int layers_show(struct layers *layers, struct err *err);

#endif
