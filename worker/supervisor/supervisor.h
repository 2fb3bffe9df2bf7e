/* worker/supervisor/supervisor.h - leases jobs, one run-job process each. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SUPERVISOR_SUPERVISOR_H
#define WORKER_SUPERVISOR_SUPERVISOR_H

#include "base/frame.h"
#include "base/loop.h"
#include "scheduler/queue/lease.h"

#include <jansson.h>
#include <stdbool.h>

struct supervisor;

/** All called from the loop. Any may be NULL. */
struct supervisor_events {
    /** A job was leased and its run-job process started. */
    void (*on_started)(void *arg, const char *job_id);
    /** A frame from run-job (worker/job/events.h), as it came. */
    void (*on_frame)(void *arg, const char *job_id, const struct frame *frame);
    /**
     * The job ended and its result is in Redis. `state` is passed, failed or
     * cancelled; `result_json` as schemas/result.schema.json has it.
     */
    void (*on_ended)(void *arg, const char *job_id, const char *state,
                     const char *result_json);
    /**
     * The supervisor gave the job up: lease lost (ERR_LOST), Redis away until
     * the lease's deadline (ERR_TRANSIENT). No on_ended follows.
     */
    void (*on_failed)(void *arg, const char *job_id, const struct err *err);
    void *arg;
};

struct supervisor_options {
    const char *worker;    /* this worker's name in Redis; copied */
    const char *state_dir; /* sandboxes are in <state_dir>/sandboxes; copied */
    unsigned capacity;     /* jobs at a time; at least 1 */
    uint32_t renew_ms;     /* 0: 20000 */
    uint32_t kill_ms;      /* after the send time of the last good renewal, less
                              than the queue's lease_ms; 0: 110000 */
    uint32_t poll_ms; /* pause between two looks at an empty queue; 0: 250 */
    /*
     * What is secret of the jobs that this supervisor runs, or NULL: an object
     * whose members take the place of those in the payload ("username",
     * "password", "env" of worker/job/events.h) in the message to run-job. It
     * is never stored: neither in Redis nor anywhere else. Borrowed; must
     * outlive the supervisor. For who submits its own job to its own pool.
     */
    const json_t *secrets;
};

/**
 * `queue` was opened with `loop`; both must outlive it. Events are copied. The
 * queue's payloads are JOB_FRAME_START objects (worker/job/events.h) without
 * job_id and epoch, which are added here.
 */
MUST_USE int supervisor_new(struct loop *loop, struct queue *queue,
                            const struct supervisor_options *options,
                            const struct supervisor_events *events,
                            struct supervisor **out_supervisor,
                            struct err *err);

/**
 * Sweep what dead predecessors left on this host (`run-job --sweep DIR`, a
 * process), then lease and run jobs until supervisor_drain().
 */
MUST_USE int supervisor_start(struct supervisor *supervisor, struct err *err);
/** Take no further job; running ones go on. */
void supervisor_drain(struct supervisor *supervisor);
/**
 * Cancel every running job: TERM, grace, KILL inside; `always()` steps run.
 * The second call kills at once.
 */
void supervisor_cancel(struct supervisor *supervisor, const char *reason);

/**
 * Kills what runs: closes its sockets (run-job destroys its sandbox at end of
 * file), waits 15 s at most, then kills run-job itself and sweeps. No event
 * comes after it; results not yet in Redis are lost. Not from
 * inside an event. NULL is fine.
 */
void supervisor_free(struct supervisor *supervisor);
OWNER(supervisor)

#endif
