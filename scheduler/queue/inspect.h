/* scheduler/queue/inspect.h - what is in a queue, and why; all of it blocks. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_QUEUE_INSPECT_H
#define SCHEDULER_QUEUE_INSPECT_H

#include "scheduler/queue/queue.h"

#include <jansson.h>
#include <stdbool.h>

/** A job as it is now; free with queue_status_free(). */
struct queue_status {
    char *state;   /* owned: delayed, blocked, ready, running, passed, failed,
                      cancelled, skipped */
    char *reason;  /* owned: why it did not pass, while known; or NULL */
    char *worker;  /* owned: who has or had it; or NULL */
    char *result;  /* owned: JSON (schemas/result.schema.json), or NULL: not
                      ended, or ended without a worker's word */
    char *parent;  /* owned: the run it is one of; or NULL */
    char *payload; /* owned: what was to be done; NULL: forgotten */
    char *about;   /* owned: JSON for people; or NULL */
    bool is_run;
    bool cancelling; /* somebody asked for its end */
    uint64_t epoch;  /* of the last lease; 0: never leased */
    int64_t submitted_at_ms, started_at_ms, ended_at_ms; /* 0: not yet */
    int64_t not_before_ms;                               /* 0: at once */
};

/** `*out_status` is owned by the caller. ERR_USER: no such job. */
MUST_USE int queue_status(struct queue *queue, const char *id,
                          struct queue_status **out_status, struct err *err);
void queue_status_free(struct queue_status *status);
OWNER(queue_status)
/** Whether a state is one that a job stays in. */
bool queue_has_ended(const char *state);

/** Rows are no more than that, whatever is asked for. */
#define QUEUE_MAX_ROWS 1000

/**
 * Some jobs, as rows for people (list.lua): an object with `now_ms` (Redis'
 * clock, to tell ages by) and `jobs`, an array of objects with id, state, kind
 * ("job" or "run"), priority ("urgent"…), tenant, pipeline, labels, worker,
 * epoch, reason, exhausted (true: its attempts are used up), cancel (why
 * somebody asked for its end), group, parent, about (an object),
 * infra_failures, job_failures and …_at_ms, not_before_ms; what is not there
 * is left out. `which`: running (with runs), ready, delayed, blocked, done,
 * dead; the last two newest first. json_decref().
 */
MUST_USE int queue_list(struct queue *queue, const char *which, unsigned limit,
                        json_t **out_rows, struct err *err);
/**
 * The same of the jobs of a run, in their order: those that were begun, and
 * those that were skipped, of which only id and state are known. None is fine.
 */
MUST_USE int queue_children(struct queue *queue, const char *run,
                            json_t **out_rows, struct err *err);
/**
 * One such row, with `now_ms`, and `result` as an object
 * (schemas/result.schema.json) if there is one. ERR_USER: no such job.
 * json_decref().
 */
MUST_USE int queue_job(struct queue *queue, const char *id, json_t **out_job,
                       struct err *err);

/**
 * Why a job does not run (why.lua): an object with `state` and the members
 *   delayed: until_ms, infra_failures, infra_retries, job_failures,
 *     job_retries
 *   blocked: group, held_by, before
 *   ready: workers (alive ones that have its labels and take jobs), running,
 *     max_instances (0: nobody configured the pool), tenant_cap and
 *     pipeline_cap ({name, running, cap}, if at the cap), before (in its own
 *     lane), lanes_before
 * ERR_USER: no such job. json_decref().
 */
MUST_USE int queue_why(struct queue *queue, const char *id, json_t **out_why,
                       struct err *err);

/**
 * Numbers of the pool (depths.lua), and its workers: an object with now_ms,
 * inbox, inbox_held, delayed, blocked, ready_urgent … ready_low, running,
 * max_instances, runs, done, dead, rejected, outbox, log_bytes, and `workers`,
 * an array of objects of what they said at their last renewal (`name`,
 * `seen_at_ms`, `drain` and their facts), 200 at most. json_decref().
 */
MUST_USE int queue_depths(struct queue *queue, json_t **out_depths,
                          struct err *err);

/**
 * One such worker, with now_ms and `leases`: how many jobs it has in hand.
 * ERR_USER: there is none. json_decref().
 */
MUST_USE int queue_worker(struct queue *queue, const char *name,
                          json_t **out_worker, struct err *err);

/** What does not fit together (audit.lua); an empty array is good. */
MUST_USE int queue_audit(struct queue *queue, json_t **out_complaints,
                         struct err *err);

/**
 * Rejected documents, the newest first: an array of objects with id, reason,
 * rejected_at_ms, scheduler and bytes. With `id`, that one, and its `document`:
 * ERR_USER if there is none. json_decref().
 */
MUST_USE int queue_rejected(struct queue *queue, const char *id, unsigned limit,
                            json_t **out_rows, struct err *err);

#endif
