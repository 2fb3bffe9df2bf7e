/* worker/sandbox/bundle.h - the config.json of an OCI bundle. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SANDBOX_BUNDLE_H
#define WORKER_SANDBOX_BUNDLE_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/** All borrowed, for the duration of the call. */
struct bundle_spec {
    const char *root;         /* the assembled tree */
    const char *run_dir;      /* as in struct rootfs_spec */
    bool rootless;            /* one uid only, and no capability */
    unsigned host_uid;        /* rootless: ours, which becomes 1000 */
    unsigned host_gid;        /* the same */
    unsigned pids;            /* rootless: RLIMIT_NPROC */
    uint64_t memory_bytes;    /* of which /dev/shm may take half */
    const char *cgroups_path; /* or NULL */
};

/** Write `path`. ERR_TRANSIENT. */
MUST_USE int bundle_write(const struct bundle_spec *spec, const char *path,
                          struct err *err);

/** How much /dev/shm holds: half of the memory, as usual, or 64 MiB. */
uint64_t bundle_shm_bytes(uint64_t memory_bytes);

/** How many files a process of a sandbox may have open. */
unsigned bundle_max_files(void);

#endif
