/* worker/sandbox/rootfs.h - the tree that a sandbox sees as its root. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SANDBOX_ROOTFS_H
#define WORKER_SANDBOX_ROOTFS_H

#include "worker/sandbox/sandbox.h"

/** All borrowed, for the duration of the call. */
struct rootfs_spec {
    const char *image;        /* as in struct sandbox_spec */
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

/*
 * Directories below `run_dir` that the runtime binds as a slave (bundle.c):
 * whatever is mounted on them or below later appears inside as well.
 */
struct rootfs_live {
    const char *inside, *dir;
    bool readonly;
};
#define ROOTFS_LIVE 3
extern const struct rootfs_live rootfs_live[ROOTFS_LIVE];

/** Make the one of SANDBOX_LATE; that of the disk is there already. */
MUST_USE int rootfs_make_late(const char *run_dir, struct err *err);
/** Whether `inside` is below one of them: it is bound after the start. */
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
