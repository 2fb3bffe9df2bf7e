/* scheduler/queue/control.h - telling the queue what to do; it blocks. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_QUEUE_CONTROL_H
#define SCHEDULER_QUEUE_CONTROL_H

#include "scheduler/queue/queue.h"

#include <stdbool.h>

enum queue_cancelled {
    QUEUE_CANCELLED,    /* it had not begun, and never will */
    QUEUE_CANCEL_ASKED, /* it runs: its worker learns it at once */
    QUEUE_CANCEL_ENDED, /* it had ended, and stays as it was */
};

/**
 * Ask for the end of a job, or of a run and all its jobs (cancel.lua).
 * `reason`: "cancelled" or "superseded". ERR_USER: no such job.
 */
MUST_USE int queue_cancel(struct queue *queue, const char *id,
                          const char *reason, enum queue_cancelled *out,
                          struct err *err);

/**
 * Run an ended job, or run, again as the same job (retry.lua): both budgets
 * are full again. ERR_USER: no such job, not ended, one of a run (only all of
 * it can be), or passed, so that it is not known any more what was to be done.
 */
MUST_USE int queue_retry(struct queue *queue, const char *id, struct err *err);

/**
 * A worker takes no further jobs until it is told otherwise, even if it is
 * restarted (drain.lua). ERR_USER: there is no such worker.
 */
MUST_USE int queue_drain(struct queue *queue, const char *worker, bool drain,
                         struct err *err);

/** A repository's or pipeline's number: a weight, or how many may run. */
struct queue_number {
    const char *name; /* borrowed; "*": all that are not named (caps only) */
    unsigned value;   /* at least 1 */
};

/** What all workers and schedulers of a pool go by. All borrowed. */
struct pool_conf {
    unsigned max_instances; /* at least 1 */
    int64_t keep_ms;        /* ended jobs are kept */
    int64_t dead_keep_ms;   /* those that the infrastructure failed */
    uint32_t infra_retries; /* of a job that does not say */
    uint32_t backoff_ms;    /* before the first; doubles each time */
    uint32_t backoff_max_ms;
    const struct queue_number *weights; /* by tenant; 1 unless named */
    size_t weight_count;
    const struct queue_number *caps; /* by tenant */
    size_t cap_count;
    const struct queue_number *pipeline_caps;
    size_t pipeline_cap_count;
};

/** Set it, in place of what was set before (configure.lua). */
MUST_USE int queue_configure(struct queue *queue, const struct pool_conf *conf,
                             struct err *err);

typedef void queue_done_fn(void *arg, const struct err *err);
/** The same, asynchronously; `fn` may be NULL. */
void queue_configure_async(struct queue *queue, const struct pool_conf *conf,
                           queue_done_fn *fn, void *arg);

/**
 * queue_cancel() and queue_retry() asynchronously. That there is no such job,
 * or that it is not one that can be ended or run again, is no error: `did` says
 * whether anything was done.
 */
typedef void queue_did_fn(void *arg, bool did, const struct err *err);
void queue_cancel_async(struct queue *queue, const char *id, const char *reason,
                        queue_did_fn *fn, void *arg);
void queue_retry_async(struct queue *queue, const char *id, queue_did_fn *fn,
                       void *arg);

/** Remove a rejected document. ERR_USER: there is none with this id. */
MUST_USE int queue_forget_rejected(struct queue *queue, const char *id,
                                   struct err *err);

#endif
