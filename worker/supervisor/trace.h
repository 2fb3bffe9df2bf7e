/* worker/supervisor/trace.h - what a successor has to know of a job. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SUPERVISOR_TRACE_H
#define WORKER_SUPERVISOR_TRACE_H

#include "scheduler/queue/lease.h"
#include "worker/supervisor/job_log.h"

#include <sys/types.h>

/**
 * Write down that run-job `pid` has this lease (held.h); blocks for as long as
 * a small file takes. False: the log was told that it cannot be.
 */
bool trace_write(const struct lease *lease, const char *pool,
                 const char *worker, const char *state_dir, pid_t pid);

/**
 * Bring the job's log into the store, and remove what was written down when it
 * is there, or cannot be: after the job is freed, too. `log` may be NULL, and
 * `lease`: nothing was written down.
 */
void trace_put_away(struct job_log *log, const struct lease *lease,
                    const char *state_dir);

#endif
