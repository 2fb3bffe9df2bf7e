/* worker/supervisor/job.h - one leased job and its run-job process. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SUPERVISOR_JOB_H
#define WORKER_SUPERVISOR_JOB_H

#include "worker/supervisor/supervisor.h"

struct job;

/** The job is over, told to the events already; job_free() it. */
typedef void job_over_fn(void *arg, struct job *job);

/** All borrowed; they must outlive the job. */
struct job_spec {
    struct loop *loop;
    const struct supervisor_options *options;
    struct queue *queue;
    const struct supervisor_events *events;
    job_over_fn *on_over;
    void *arg;
};

/**
 * Start run-job for `lease`, which the job owns from now on. Never fails: a
 * job that cannot be started is completed as failed. Calls back only from the
 * loop.
 */
struct job *job_new(const struct job_spec *spec, struct lease *lease);

/** Ask run-job to end; each call is one JOB_FRAME_CANCEL. */
void job_cancel(struct job *job, const char *reason);

/** Close run-job's socket: it kills and destroys its sandbox. */
void job_close(struct job *job);
/**
 * After job_close(): wait for run-job until `until_ms` (clock_mono_ms), then
 * kill it. Blocks. Returns whether it had to be killed.
 */
bool job_wait(struct job *job, int64_t until_ms);

/** Without I/O. NULL is fine. */
void job_free(struct job *job);
OWNER(job)

#endif
