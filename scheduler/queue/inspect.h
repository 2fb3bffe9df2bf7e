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

/**
 * Some jobs, as rows for people (list.lua): a JSON array of objects with id,
 * state, kind ("job" or "run"), priority, tenant, pipeline, labels, worker,
 * epoch, reason, cancel, parent, about (an object) and …_at_ms; what is not
 * there is left out. `which`: running, ready, delayed, blocked, done, dead.
 * json_decref().
 */
MUST_USE int queue_list(struct queue *queue, const char *which, unsigned limit,
                        json_t **out_rows, struct err *err);
/** The same of the jobs of a run, those that were begun, in their order. */
MUST_USE int queue_children(struct queue *queue, const char *run,
                            json_t **out_rows, struct err *err);

/**
 * Why a job does not run (why.lua): an object with `state` and the members
 *   delayed: until_ms, failures       blocked: group, held_by, before
 *   ready: workers (alive ones that have its labels), running, max_instances,
 *     tenant_cap and pipeline_cap ({name, running, cap}, if at the cap),
 *     before (in its own lane), lanes_before
 * ERR_USER: no such job. json_decref().
 */
MUST_USE int queue_why(struct queue *queue, const char *id, json_t **out_why,
                       struct err *err);

/**
 * Numbers of the pool (depths.lua), and its workers: an object with inbox,
 * inbox_held, delayed, blocked, ready_urgent … ready_low, running,
 * max_instances, runs, done, dead, rejected, outbox, log_bytes, and `workers`,
 * an array of objects of what they said at their last renewal. json_decref().
 */
MUST_USE int queue_depths(struct queue *queue, json_t **out_depths,
                          struct err *err);

/** What does not fit together (audit.lua); an empty array is good. */
MUST_USE int queue_audit(struct queue *queue, json_t **out_complaints,
                         struct err *err);

/**
 * Rejected documents, the newest first: an array of objects with id, reason,
 * rejected_at_ms, scheduler, document. With `id`, that one: ERR_USER if there
 * is none.
 */
MUST_USE int queue_rejected(struct queue *queue, const char *id, unsigned limit,
                            json_t **out_rows, struct err *err);

/** Whether Redis is one that berth can trust, for doctor: INFO as it came. */
MUST_USE int queue_server_info(struct queue *queue, char **out_info,
                               struct err *err);

#endif
