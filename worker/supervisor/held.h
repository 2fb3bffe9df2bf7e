/* worker/supervisor/held.h - the leases that a worker holds, on its disk. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SUPERVISOR_HELD_H
#define WORKER_SUPERVISOR_HELD_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * <state>/leases/<id>-<epoch>, one file (0600) a lease, written when its
 * run-job has been started and removed when the lease has ended: what is there
 * when a worker starts is what its predecessor of this name left behind.
 */
struct held {
    char pool[65], worker[65], job_id[65], nonce[33];
    uint64_t epoch;
    pid_t pid;             /* of run-job; 0: it has none */
    uint64_t began;        /* proc_began(pid) */
    int64_t started_at_ms; /* wall clock */
};

/** ERR_TRANSIENT: then the lease has to expire by itself, should we die. */
MUST_USE int held_write(const char *state_dir, const struct held *held,
                        struct err *err);
/** What is missing is fine. */
void held_remove(const char *state_dir, const char *job_id, uint64_t epoch);

#define HELD_MAX 1024

/**
 * Those of `worker` in `pool`, at most HELD_MAX; owned by the caller (free).
 * Files that cannot be read, and those that are older than a week, whoever left
 * them, are removed.
 */
size_t held_list(const char *state_dir, const char *pool, const char *worker,
                 struct held **out_list);

/** Whether its run-job is still there. */
bool held_is_alive(const struct held *held);

#endif
