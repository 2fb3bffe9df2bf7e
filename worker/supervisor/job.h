/* worker/supervisor/job.h - one leased job, until its result is stored. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SUPERVISOR_JOB_H
#define WORKER_SUPERVISOR_JOB_H

#include "worker/artifacts/sender.h"
#include "worker/logs/archiver.h"
#include "worker/supervisor/supervisor.h"

struct cache_store;
struct connections;
struct job;
struct warm_pool;

/** All borrowed; they must outlive the job. */
struct job_spec {
    struct loop *loop;
    const struct supervisor_options *options;
    struct queue *queue;
    struct archiver *archiver;  /* NULL: whole logs are not kept */
    struct sender *sender;      /* NULL: artifacts stay on this host */
    struct cache_store *caches; /* NULL: caches are this host's only */
    const struct supervisor_events *events;
    struct warm_pool *warm; /* NULL: none */
    struct connections *connections;
    /**
     * Something of the job runs in its sandbox (`failure` NULL, once), or it
     * ended without: why. Before on_store.
     */
    void (*on_sandbox)(void *arg, const char *failure);
    /**
     * The job's result goes to Redis now: what may come back with the answer,
     * valid during the call, or NULL: nothing. `again`: the last call asked
     * for one, and its answer was lost, so this one must ask again.
     */
    const struct lease_wish *(*on_store)(void *arg, bool again);
    /**
     * The job is over, told to the events already; job_free() it. `next` is
     * owned by the callee, or NULL; `asked`: one was asked for.
     */
    void (*on_over)(void *arg, struct job *job, struct lease *next, bool asked);
    void *arg;
};

/** Take on `lease`, which the job owns from now on. */
struct job *job_new(const struct job_spec *spec, struct lease *lease);
/**
 * Start run-job (or options->execute). Never fails: a job that cannot be
 * started is completed as failed. on_over comes from the loop only.
 */
void job_start(struct job *job);

/** Borrowed. */
struct lease *job_lease(const struct job *job);
/** What a renewal said of its lease. */
void job_take_news(struct job *job, const struct lease_news *news);
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
