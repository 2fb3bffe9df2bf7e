/* worker/sandbox/rootfs.h - the tree that a sandbox sees as its root. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SANDBOX_ROOTFS_H
#define WORKER_SANDBOX_ROOTFS_H

#include "worker/sandbox/sandbox.h"

/** All borrowed, for the duration of the call. */
struct rootfs_spec {
    const char *image;        /* as in struct sandbox_spec */
    const char *mounted;      /* its tree, if it was fetched; or NULL */
    const char *state_dir;    /* the same */
    const char *run_dir;      /* a private tmpfs: skel and root are made here */
    const char *disk_dir;     /* with workspace, home, tmp and vartmp */
    const char *agent;        /* path of the agent on the host */
    const struct strv *binds; /* pairs: host path, path inside; read-only */
    enum sandbox_network network;
};

/** Whether `image` can be one: ERR_USER with the reason if not (image.h). */
MUST_USE int rootfs_check(const char *image, const char *state_dir,
                          struct err *err);

/** Whether something may be bound at `inside`: ERR_USER if not. */
MUST_USE int rootfs_check_target(const char *inside, struct err *err);

/**
 * Assemble the tree with mounts of this process (mounts_enter), read-only but
 * for the disk; a rootfs directory is only read. Returns its path in
 * `*out_root`, owned by the caller.
 */
MUST_USE int rootfs_build(const struct rootfs_spec *spec, char **out_root,
                          struct err *err);

/**
 * The directories of the disk: their names there, and where they are inside
 * (without the first '/'). Those that can have layers are mounted by the OCI
 * runtime (bundle.c), which alone can let later mounts through.
 */
struct rootfs_dir {
    const char *name, *inside;
    bool by_runtime;
};
#define ROOTFS_DIRS 4
extern const struct rootfs_dir rootfs_dirs[ROOTFS_DIRS];

/**
 * Where `inside` is before all is mounted: in a directory of the disk, or below
 * `top`. Owned by the caller.
 */
MUST_USE char *rootfs_target(const char *disk_dir, const char *top,
                             const char *inside);
/** A place to mount `source` on: a directory or an empty file. */
MUST_USE int rootfs_make_target(const char *source, const char *target,
                                struct err *err);

/* The directory below `run_dir` that is SANDBOX_LATE inside. */
#define ROOTFS_LATE_DIR "late"
/** Make it; the runtime binds it as a slave (bundle.c), so that whatever is
 * mounted below later appears inside as well. */
MUST_USE int rootfs_make_late(const char *run_dir, struct err *err);
/** Whether `inside` is below SANDBOX_LATE: it is bound after the start. */
bool rootfs_is_late(const char *inside);
/** Bind it, read-only. `inside` passed rootfs_check_target(), too. */
MUST_USE int rootfs_bind_late(const char *run_dir, const char *host_path,
                              const char *inside, struct err *err);

/** Put what image `host` shows of the host below `skel`. For rootfs.c. */
MUST_USE int rootfs_add_host(const char *skel, struct err *err);
/** Hide those configuration files of npm, pip and git below /usr, at eight
 * known paths, that hold a password or token; `empty` is a file. */
MUST_USE int rootfs_mask_secrets(const char *root, const char *empty,
                                 struct err *err);
/** Whether a configuration file seems to hold a password or token. */
bool rootfs_holds_secret(const char *text);

#endif
