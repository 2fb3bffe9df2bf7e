/* worker/sandbox/snapshot.h - the workspace as it was, to go back to. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SANDBOX_SNAPSHOT_H
#define WORKER_SANDBOX_SNAPSHOT_H

#include "worker/sandbox/sandbox.h"

/*
 * Files, directories, links, their permissions and times; owners are the
 * sandbox's user. Works over every driver. A step that runs meanwhile may
 * make it fail (ERR_USER: "it changed"), never leave the workspace.
 */
struct snapshot;

/** All borrowed, alive until the end is told or snapshot_free(). */
struct snapshot_spec {
    const struct sandbox_driver *driver;
    struct sandbox *sandbox;
    const char *host_dir; /* ours alone; to take: exists, and is empty */
    uint64_t max_bytes;   /* to take */
    uint32_t max_entries; /* the same */
    /** From the loop, once; snapshot_free() is allowed in it. */
    void (*on_end)(void *arg, const struct err *err);
    void *arg;
};

/** Copy the workspace to host_dir. ERR_USER beyond the limits. Owned. */
MUST_USE int snapshot_take(const struct snapshot_spec *spec,
                           struct snapshot **out_snapshot, struct err *err);
/** Empty the workspace and put host_dir's files there. Owned. */
MUST_USE int snapshot_restore(const struct snapshot_spec *spec,
                              struct snapshot **out_snapshot, struct err *err);
/** Only once it has ended, or the sandbox is destroyed. NULL is fine. */
void snapshot_free(struct snapshot *snapshot);
OWNER(snapshot)

#endif
