/* scheduler/queue/lease.h - a worker's proof that it alone may run a job. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_QUEUE_LEASE_H
#define SCHEDULER_QUEUE_LEASE_H

#include "pipelines/reason.h"
#include "scheduler/queue/queue.h"

#include <stdbool.h>

struct lease;

/** Who asks for jobs; all borrowed, and copied by the calls. */
struct lease_wish {
    const char *worker; /* [A-Za-z0-9_.-], at most 64 bytes */
    const char *labels; /* "" or ",a,b,": what the worker has */
    uint32_t idle_ms;   /* got nothing: it listens for a bell for that long; 0:
                           it does not */
};

/**
 * `err` NULL: `lease` is owned by the callee, and borrows the queue; NULL when
 * no job or no slot is free. Else ERR_TRANSIENT or ERR_TIMEOUT: Redis is away.
 */
typedef void queue_lease_fn(void *arg, struct lease *lease,
                            const struct err *err);

/**
 * Lease the next job that fits (lease.lua). One call at a time. After a failure
 * the next call asks again for the same lease, so that none is lost with an
 * answer.
 */
void queue_lease(struct queue *queue, const struct lease_wish *wish,
                 queue_lease_fn *fn, void *arg);

const char *lease_job_id(const struct lease *lease);
uint64_t lease_epoch(const struct lease *lease);
const char *lease_payload(const struct lease *lease);
/** 32 hexadecimal digits: whoever has them may write for the lease. */
const char *lease_nonce(const struct lease *lease);
/**
 * When the request was sent that got or last prolonged it (clock_mono_ms): the
 * moment from which its end must be counted.
 */
int64_t lease_sent_mono_ms(const struct lease *lease);

/**
 * The lease that a predecessor of this process left behind, to complete it as
 * worker_lost: what its sandbox was is gone. Owned by the caller.
 */
MUST_USE struct lease *lease_adopt(struct queue *queue, const char *job_id,
                                   uint64_t epoch, const char *nonce);

/* ---- keeping them -------------------------------------------------------- */

/**
 * A name and a value, for people (berth ps, berth queue); borrowed. `labels`,
 * as in a wish, is read by the queue too: which bells are for this worker.
 */
struct worker_fact {
    const char *name;
    const char *value;
};

#define QUEUE_MAX_FACTS 16

/** What became of a lease at a renewal. */
struct lease_news {
    struct lease *lease; /* borrowed */
    bool lost;           /* another holds it, or it ended: kill the sandbox */
    enum reason cancel;  /* why it is to end; REASON_NONE: it goes on */
};

/**
 * `err` NULL: done; `drain`: take no further jobs; `news` has one entry for
 * each lease that was not freed meanwhile. Else ERR_TRANSIENT, ERR_TIMEOUT: try
 * again.
 */
typedef void queue_renew_fn(void *arg, bool drain,
                            const struct lease_news *news, size_t count,
                            const struct err *err);

/**
 * Say that the worker is alive, and prolong `leases` (renew.lua): one call for
 * all of them, at most 1024. One call at a time. It is also the authoritative
 * word on cancellation.
 */
void queue_renew(struct queue *queue, const char *worker,
                 const struct worker_fact *facts, size_t fact_count,
                 struct lease *const *leases, size_t count, queue_renew_fn *fn,
                 void *arg);

/* ---- giving them back ---------------------------------------------------- */

/** How an attempt ended. */
struct lease_result {
    const char *state;  /* passed, failed, cancelled */
    enum reason reason; /* REASON_NONE: it passed */
    const char *json;   /* as schemas/result.schema.json has it */
};

/**
 * `err` NULL: stored; `next` is the job that came with the answer, if one was
 * wished for (owned by the callee), or NULL. ERR_LOST: another holds the lease,
 * or it ended. ERR_TRANSIENT, ERR_TIMEOUT: call again, with the same wish;
 * nothing is done twice. Without it, a job that the lost answer held runs
 * nowhere until its lease is over.
 */
typedef void lease_completed_fn(void *arg, struct lease *next,
                                const struct err *err);

/**
 * Store the result, release the slot, and take the next job (`wish` NULL: take
 * none), all in one script (complete.lua). A failed attempt whose reason is the
 * infrastructure's fault, or whose job allows it, is tried again. `worker` is
 * who had the lease.
 */
void lease_complete(struct lease *lease, const char *worker,
                    const struct lease_result *result,
                    const struct lease_wish *wish, lease_completed_fn *fn,
                    void *arg);

/**
 * Free without I/O: what is not completed expires. Callbacks that are still
 * due do not come. NULL is fine.
 */
void lease_free(struct lease *lease);
OWNER(lease)

/* ---- the bell ------------------------------------------------------------ */

/** What a worker is told between its renewals. */
enum queue_bell {
    QUEUE_BELL_NONE,  /* nothing came within `wait_ms` */
    QUEUE_BELL_JOB,   /* a job may be there: lease */
    QUEUE_BELL_RENEW, /* something was cancelled, or is to drain: renew */
};
typedef void queue_bell_fn(void *arg, enum queue_bell bell,
                           const struct err *err);

/**
 * Listen for a word to `worker`, `wait_ms` at most, on a connection of its own
 * (BLPOP ctl:<worker>). One call at a time. It may ring for nothing, and what
 * it says may be lost: it saves time, no more.
 */
void queue_listen(struct queue *queue, const char *worker, uint32_t wait_ms,
                  queue_bell_fn *fn, void *arg);

/**
 * `worker` was rung for a job and takes none now: another that waits is rung
 * in its place. Nobody is told whether that worked.
 */
void queue_pass_bell(struct queue *queue, const char *worker);

#endif
