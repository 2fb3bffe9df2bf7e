/* worker/supervisor/run_job.h - starting and ending run-job processes. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SUPERVISOR_RUN_JOB_H
#define WORKER_SUPERVISOR_RUN_JOB_H

#include "base/err.h"
#include "scheduler/queue/lease.h"

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

/**
 * The JOB_FRAME_START of a lease: its payload with job_id and epoch, and, in
 * the text alone, `gateway` (supervisor_options; NULL: none) and the members
 * of `secrets` (NULL: none). ERR_USER when the
 * payload is no JSON object, or too large for a frame. Both are owned by the
 * caller (json_decref; mem_wipe and free).
 */
MUST_USE int run_job_message(const struct lease *lease, const json_t *gateway,
                             const json_t *secrets, json_t **out_start,
                             char **out_json, struct err *err);

/**
 * Start run-job in a process group of its own, with one end of a socket pair
 * as descriptor 3. `*out_fd` is the other end, owned by the caller. ERR_USER:
 * there is no run-job.
 */
MUST_USE int run_job_spawn(pid_t *out_pid, int *out_fd, struct err *err);

/** `run-job --sweep <state_dir>/sandboxes`, the same way. */
MUST_USE int run_job_spawn_sweep(const char *state_dir, pid_t *out_pid,
                                 struct err *err);

/** SIGKILL to it and its group; a `pid` below 1 is fine. */
void run_job_kill(pid_t pid);

/**
 * Wait for it `timeout_ms` at most, then kill it and its group. Returns
 * whether it was killed, by whomever. Blocks.
 */
bool run_job_reap(pid_t pid, int64_t timeout_ms);

#endif
