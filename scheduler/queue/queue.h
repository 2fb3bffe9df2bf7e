/* scheduler/queue/queue.h - jobs on Redis: submit, lease, complete. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_QUEUE_QUEUE_H
#define SCHEDULER_QUEUE_QUEUE_H

#include "base/err.h"
#include "base/loop.h"

#include <stddef.h>
#include <stdint.h>

/*
 *   submit ─▶ ready ─▶ lease ─▶ running ─▶ complete ─▶ passed | failed |
 *               └───── cancel ────┴──────────────────▶ cancelled
 *
 * Every key of a pool carries one hash tag, `berth:{pool}:…`
 * (schemas/redis-keys.md). Each function is one Lua script: one transition,
 * one round trip; time comes from Redis. A lease is fenced by the job's epoch
 * (grows with every lease) and a random nonce: who lost it can write no more.
 * All calls may be repeated after a failure: a lost answer does no harm.
 *
 * There are two ways to use a queue:
 * - what one-shot commands need (queue_submit, queue_status, queue_cancel,
 *   queue_log) blocks, some seconds at most, on a connection of its own,
 *   made at the first such call. Never call these in a daemon's loop;
 * - what a worker needs (queue_lease and lease_…) is asynchronous in `loop`:
 *   the answer comes by callback, exactly once, never from inside the call,
 *   and never after queue_free() or lease_free().
 */
struct queue;
struct lease;

struct queue_options {
    const char *url;        /* of Redis (base/redis_url.h); copied */
    const char *pool;       /* [A-Za-z0-9_.-], 1 to 64 bytes; copied */
    unsigned max_instances; /* jobs of the pool that run at once; at least 1 */
    uint32_t lease_ms;      /* a lease lasts this long unrenewed; 0: 120000 */
    uint32_t kill_grace_ms; /* then until its slot is free; 0: 15000 */
    uint32_t keep_ms;       /* an ended job is kept; 0: 604800000 (7 days) */
};

/** What queue_submit() takes at most: the payload, and an id. */
#define QUEUE_MAX_PAYLOAD ((size_t)1000 << 10)
#define QUEUE_MAX_ID      40

/** ERR_USER unless `id` is what the id of a job may be (queue_submit). */
MUST_USE int queue_check_id(const char *id, struct err *err);

/**
 * Open a pool. Does not wait for Redis. `loop` (NULL: only the blocking calls
 * will be used) must outlive the queue. ERR_USER: a bad option.
 *
 * Whoever wants to be sure that no other worker takes its job uses a pool of
 * its own: pools cost nothing and leave nothing once their jobs have expired.
 */
MUST_USE int queue_open(struct loop *loop, const struct queue_options *options,
                        struct queue **out_queue, struct err *err);
/** Closes the connections. Leases must be freed before. NULL is fine. */
void queue_free(struct queue *queue);
OWNER(queue)

/* ---- one-shot commands: these block ------------------------------------ */

/**
 * Put a job in (submit.lua). `id` ([a-z0-9][a-z0-9-]*, QUEUE_MAX_ID bytes at
 * most) comes from the caller, so that a repeat is a no-op. `payload` is the
 * JSON object that run-job gets. ERR_USER: malformed or too large;
 * ERR_TRANSIENT.
 */
MUST_USE int queue_submit(struct queue *queue, const char *id,
                          const char *payload, struct err *err);

/**
 * Ask for the job's end (cancel.lua): a ready job ends at once, the holder of
 * a running one learns it at its next renewal; an ended one stays as it is.
 * `reason`: "cancelled" or "superseded". ERR_USER: no such job.
 */
MUST_USE int queue_cancel(struct queue *queue, const char *id,
                          const char *reason, struct err *err);

/** A job as it is now; free with queue_status_free(). */
struct queue_status {
    char *state;    /* owned: ready, running, passed, failed, cancelled */
    char *reason;   /* owned: why it did not pass, while known; or NULL */
    char *worker;   /* owned: who has or had it; or NULL */
    char *result;   /* owned: JSON (schemas/result.schema.json), or NULL: not
                       ended, or ended without a worker's word */
    uint64_t epoch; /* of the last lease; 0: never leased */
    int64_t submitted_at_ms, started_at_ms, ended_at_ms; /* 0: not yet */
};

/** `*out_status` is owned by the caller. ERR_USER: no such job. */
MUST_USE int queue_status(struct queue *queue, const char *id,
                          struct queue_status **out_status, struct err *err);
void queue_status_free(struct queue_status *status);
OWNER(queue_status)

/** A piece of a job's log, in order. */
struct queue_log_entry {
    unsigned step;      /* index of the step */
    const char *stream; /* "stdout", "stderr", "note", or "gap" */
    const char *data;   /* not NUL-terminated; empty for a gap */
    size_t len;
    uint64_t gap_bytes; /* of a gap: bytes of output that were dropped here */
};
typedef void queue_log_fn(void *arg, const struct queue_log_entry *entry);

/**
 * Read what Redis holds of the log of lease `epoch` of a job: its head
 * (256 KiB), a gap if something was dropped, its tail (1 MiB). None is fine.
 */
MUST_USE int queue_log(struct queue *queue, const char *id, uint64_t epoch,
                       queue_log_fn *fn, void *arg, struct err *err);

/* ---- a worker's side: asynchronous -------------------------------------- */

/**
 * `err` NULL: `lease` is owned by the callee, and borrows the queue; NULL when
 * no job or no slot is free. Else ERR_TRANSIENT or ERR_TIMEOUT: Redis is away.
 */
typedef void queue_lease_fn(void *arg, struct lease *lease,
                            const struct err *err);

/**
 * Lease the next job for `worker` (lease.lua). One call at a time. After a
 * failure the next call asks again for the same lease, so that none is lost
 * with an answer.
 *
 * It also reaps: a job whose lease expired, kill grace included, ends as
 * failed with worker_lost.
 */
void queue_lease(struct queue *queue, const char *worker, queue_lease_fn *fn,
                 void *arg);

/**
 * The callback of a queue_lease() under way does not come any more; a job that
 * it is granted expires as any other whose worker died.
 */
void queue_lease_forget(struct queue *queue);

const char *lease_job_id(const struct lease *lease);
uint64_t lease_epoch(const struct lease *lease);
const char *lease_payload(const struct lease *lease);
/** Where its log is: the common part of its keys. Owned by the caller. */
MUST_USE char *lease_log_stream(const struct lease *lease);
/**
 * When the request was sent that got or last prolonged it (clock_mono_ms): the
 * moment from which its end must be counted.
 */
int64_t lease_sent_mono_ms(const struct lease *lease);

/**
 * `err` NULL: done. ERR_LOST: another holds it, or it ended; kill the sandbox.
 * ERR_TRANSIENT, ERR_TIMEOUT: try again.
 */
typedef void lease_done_fn(void *arg, const struct err *err);
/** The same; `cancel` is NULL, or why somebody asked for the job's end. */
typedef void lease_renewed_fn(void *arg, const char *cancel,
                              const struct err *err);

/** Prolong (renew.lua). One call at a time. */
void lease_renew(struct lease *lease, lease_renewed_fn *fn, void *arg);

/** How a job ended. */
struct lease_result {
    const char *state;  /* passed, failed, cancelled */
    const char *reason; /* pipelines/reason.h; NULL: it passed */
    const char *json;   /* as schemas/result.schema.json has it */
};

/**
 * Store the result and release the slot, in one script (complete.lua). A
 * repeat with the same lease is a success: the answer was lost.
 */
void lease_complete(struct lease *lease, const struct lease_result *result,
                    lease_done_fn *fn, void *arg);

/**
 * Append some entries to the job's log (log.lua), dropping the oldest of the
 * tail to stay within bounds. At most LEASE_LOG_MAX_ENTRIES and
 * LEASE_LOG_MAX_BYTES. `batch` (1, 2, 3…) is the caller's number of this call:
 * one that was stored already is a success, so that a repeat adds nothing
 * twice.
 */
#define LEASE_LOG_MAX_ENTRIES 64
#define LEASE_LOG_MAX_BYTES   ((size_t)256 << 10)
void lease_log(struct lease *lease, uint64_t batch,
               const struct queue_log_entry *entries, size_t count,
               lease_done_fn *fn, void *arg);

/**
 * Free without I/O: what is not completed expires. Callbacks that are still
 * due do not come. NULL is fine.
 */
void lease_free(struct lease *lease);
OWNER(lease)

#endif
