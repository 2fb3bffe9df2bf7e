/* worker/supervisor/supervisor.h - leases jobs, one run-job process each. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SUPERVISOR_SUPERVISOR_H
#define WORKER_SUPERVISOR_SUPERVISOR_H

#include "base/config.h"
#include "base/frame.h"
#include "base/loop.h"
#include "scheduler/queue/lease.h"
#include "worker/logs/store.h"

#include <jansson.h>
#include <stdbool.h>

struct checkout_credentials; /* worker/secrets/checkout.h */
struct seal_key;             /* base/seal.h */
struct secret_store;         /* worker/secrets/store.h */
struct supervisor;

/** All called from the loop. Any may be NULL. */
struct supervisor_events {
    /** A job was leased and its run-job process started. */
    void (*on_started)(void *arg, const char *job_id);
    /**
     * A frame from run-job (worker/job/events.h), masked as what is stored.
     * Output may come in other pieces than run-job's: a secret could begin at
     * the end of one.
     */
    void (*on_frame)(void *arg, const char *job_id, const struct frame *frame);
    /**
     * The attempt ended and its result is in Redis. `state` is passed, failed
     * or cancelled; `result_json` as schemas/result.schema.json has it.
     */
    void (*on_ended)(void *arg, const char *job_id, const char *state,
                     const char *result_json);
    /**
     * The supervisor gave the job up: lease lost (ERR_LOST), Redis away until
     * the lease's deadline (ERR_TRANSIENT). No on_ended follows.
     */
    void (*on_failed)(void *arg, const char *job_id, const struct err *err);
    /**
     * Redis is there and refuses what it is told (ERR_USER, ERR_BUG): a wrong
     * password, missing rights. It is asked again and again all the same.
     */
    void (*on_refused)(void *arg, const struct err *err);
    void *arg;
};

/** What can be changed while it runs. */
struct supervisor_limits {
    unsigned capacity;  /* jobs at a time; 1 to SUPERVISOR_MAX_CAPACITY */
    const char *labels; /* "" (or NULL), or ",a,b,": what it has; copied */
    uint32_t poll_ms;   /* how often an empty queue is looked at unasked: a bell
                           says when there is something; 0: 5000 */
    uint64_t min_disk_bytes;   /* with less free where the state is, or */
    uint64_t min_memory_bytes; /* less available, no job is taken; 0: any */
    uint64_t log_budget_bytes; /* of all logs of the pool in Redis; 0: 256 MiB
                                */
    /* How many sandboxes of which kinds (warm_pool.h) wait for jobs, when the
     * host has room; NULL: none; copied. */
    const struct config_numbers *warm_pool;
    /* What the gateway of every job that starts from now on gets of this
     * worker, or NULL: an object, "gateway" of worker/job/events.h, whatever a
     * payload says. A reference is taken. */
    json_t *gateway;
    /*
     * The models that steps may ask for, or NULL: model_list_to_json() of
     * pipelines/models.h. Keys that are variables are taken out of this
     * process' environment. A reference is taken.
     */
    json_t *models;
};

#define SUPERVISOR_MAX_CAPACITY 1000

/** The job ended so; the strings are copied. */
typedef void supervisor_done_fn(void *job, const struct lease_result *result);
/**
 * Do a job in place of run-job, and call `done(job, …)` once: from the loop, or
 * from inside of this call. It is not told of deadlines and cancellation, and
 * must not call when the supervisor has been freed. It has no log, and should
 * we die, its lease has to expire.
 */
typedef void supervisor_execute_fn(void *arg, const struct lease *lease,
                                   supervisor_done_fn *done, void *job);

struct supervisor_options {
    const char *worker;    /* this worker's name in Redis; copied */
    const char *state_dir; /* sandboxes are in <state_dir>/sandboxes; copied */
    struct supervisor_limits limits;
    uint32_t renew_ms; /* 0: 20000 */
    uint32_t kill_ms;  /* after the send time of the last good renewal, less
                          than the queue's lease_ms; 0: 110000 */
    /*
     * No other worker will ever have its name: it leaves nothing on disk by
     * which a successor could give its leases back.
     */
    bool one_shot;
    /*
     * What is secret of the jobs that this supervisor runs, or NULL: an object
     * whose members take the place of those in the payload ("username",
     * "password", "env" of worker/job/events.h) in the message to run-job. It
     * is never stored: neither in Redis nor anywhere else. Borrowed; must
     * outlive the supervisor. For who submits its own job to its own pool.
     * "secrets" of it is in place of the store below.
     */
    const json_t *secrets;
    /*
     * Where the values of secrets come from that steps of jobs of members name;
     * NULL: nowhere. Borrowed; must outlive the supervisor.
     */
    const struct secret_store *secret_store;
    /*
     * What reads repositories, of jobs that come without: this worker's own,
     * and whom schedulers seal theirs to. NULL: none. Borrowed; must outlive
     * the supervisor. With `secrets` neither is used.
     */
    const struct checkout_credentials *credentials;
    const struct seal_key *key;
    struct log_store *log_store;    /* where whole logs go; NULL: nowhere.
                                       Borrowed; must outlive the supervisor */
    const char *artifact_store;     /* "s3://…", where artifacts go when a job
                                       ends; NULL: they stay here. Copied */
    const char *cache_store;        /* "s3://…", where caches are looked for;
                                       NULL: only here. Copied */
    const char *cache_key;          /* the file with its key. Copied */
    supervisor_execute_fn *execute; /* NULL: run-job */
    void *execute_arg;
};

/**
 * `queue` was opened with `loop`; both must outlive it. Events are copied. The
 * queue's payloads are JOB_FRAME_START objects (worker/job/events.h) without
 * job_id and epoch, which are added here. ERR_USER: a bad option.
 */
MUST_USE int supervisor_new(struct loop *loop, struct queue *queue,
                            const struct supervisor_options *options,
                            const struct supervisor_events *events,
                            struct supervisor **out_supervisor,
                            struct err *err);

/**
 * Wait for the end of what a dead predecessor left running, sweep its
 * sandboxes (`run-job --sweep DIR`, a process), give its leases back, tell
 * Redis of itself, then, unless `berth drain` holds, lease and run jobs until
 * supervisor_drain(). ERR_USER: another worker of this
 * name runs on this state directory; there is no run-job.
 */
MUST_USE int supervisor_start(struct supervisor *supervisor, struct err *err);
/** Other limits from now on; what runs above a lower capacity goes on. */
MUST_USE int supervisor_set_limits(struct supervisor *supervisor,
                                   const struct supervisor_limits *limits,
                                   struct err *err);
/**
 * Take no further job; running ones go on. `berth drain` does the same through
 * Redis, and both must have been taken back for jobs to be taken again.
 */
void supervisor_drain(struct supervisor *supervisor);
/** Take jobs again. */
void supervisor_resume(struct supervisor *supervisor);
/**
 * Cancel every running job: TERM, grace, KILL inside; `always()` steps run.
 * The second call kills at once.
 */
void supervisor_cancel(struct supervisor *supervisor, const char *reason);

/** Jobs that run now, those whose result is being stored among them. */
unsigned supervisor_running(const struct supervisor *supervisor);
/** After supervisor_drain(): nothing runs, and none will. */
bool supervisor_is_drained(const struct supervisor *supervisor);
/** Whether Redis answered last. */
bool supervisor_is_connected(const struct supervisor *supervisor);
/**
 * Why no job is taken, or but one on trial, though there is room: low disk, low
 * memory, sandboxes that fail (faults.h); or "".
 */
const char *supervisor_refuses(const struct supervisor *supervisor);

/**
 * Kills what runs: closes its sockets (run-job destroys its sandbox at end of
 * file), waits 15 s at most, then kills run-job itself and sweeps. No event
 * comes after it; results not yet in Redis are lost. Not from
 * inside an event. NULL is fine.
 */
void supervisor_free(struct supervisor *supervisor);
OWNER(supervisor)

#endif
