/* worker/sandbox/dirs.h - what a sandbox can write: directories of its disk. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SANDBOX_DIRS_H
#define WORKER_SANDBOX_DIRS_H

#include "worker/sandbox/sandbox.h"

/* <disk>/workspace, home, tmp and vartmp; rootfs.c binds them. */
struct dirs;

/**
 * Make them on the disk mounted at `disk`, for `uid`; `layered`: they can have
 * layers. ERR_TRANSIENT.
 */
MUST_USE int dirs_make(const char *disk, unsigned uid, bool layered,
                       struct dirs **out_dirs, struct err *err);
/** Mounts go with the disk. NULL is fine. */
void dirs_free(struct dirs *dirs);
OWNER(dirs)

/** sandbox_driver's push_layers, frozen and reset_dir. */
MUST_USE int dirs_push(struct dirs *dirs, enum sandbox_dir dir,
                       const char *const *lowers, size_t count,
                       struct err *err);
int dirs_frozen(const struct dirs *dirs, enum sandbox_dir dir);
MUST_USE int dirs_clear(struct dirs *dirs, enum sandbox_dir dir,
                        struct err *err);

/**
 * Take all layers away, or mount them again: what is bound elsewhere in between
 * is the plain directories, and gets all later mounts from them.
 */
void dirs_hide(struct dirs *dirs);
MUST_USE int dirs_show(struct dirs *dirs, struct err *err);

#endif
