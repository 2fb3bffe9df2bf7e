/* worker/supervisor/impl.h - what the supervisor's own files share. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SUPERVISOR_IMPL_H
#define WORKER_SUPERVISOR_IMPL_H

#include "scheduler/queue/outage.h"
#include "worker/artifacts/sender.h"
#include "worker/logs/archiver.h"
#include "worker/supervisor/cache_store.h"
#include "worker/supervisor/connections.h"
#include "worker/supervisor/faults.h"
#include "worker/supervisor/health.h"
#include "worker/supervisor/job.h"
#include "worker/supervisor/leftovers.h"
#include "worker/supervisor/warm_pool.h"

#include <sys/queue.h>
#include <sys/types.h>

/** A job of ours; the slot is there before it starts, and after it ended. */
struct slot {
    TAILQ_ENTRY(slot) link;
    struct job *job; /* owned */
};

struct supervisor {
    struct loop *loop;                 /* borrowed */
    struct queue *queue;               /* borrowed */
    struct supervisor_options options; /* strings below */
    struct supervisor_events events;
    char *worker;    /* owned */
    char *state_dir; /* owned */
    char *labels;    /* owned */
    char host[65];
    int64_t started_at_ms; /* wall clock */
    TAILQ_HEAD(, slot) slots;
    unsigned running; /* slots */
    bool up;          /* what predecessors left is dealt with */
    bool introduced;  /* a renewal was answered: whether to drain is known */
    bool draining;    /* the caller said so */
    bool told_drain;  /* the queue said so */
    struct outage outage;
    struct health health;
    struct faults faults;
    struct connections connections;
    struct archiver *archiver;  /* owned; NULL: whole logs are not kept */
    struct sender *sender;      /* owned; NULL: artifacts stay here */
    struct cache_store *caches; /* owned; NULL: caches are this host's only */
    struct warm_pool *warm;     /* owned */

    /* taking jobs (take.c) */
    bool asking;              /* a queue_lease() is under way */
    bool rung;                /* a bell came while we could not ask */
    struct loop_source *ask;  /* borrowed; the next look at the queue */
    struct loop_source *ears; /* borrowed; the next queue_listen() */
    struct lease_wish wish;   /* strings borrowed */

    /* keeping them (renew.c) */
    bool renewing;             /* a queue_renew() is under way */
    bool renew_again;          /* as soon as it is answered */
    int64_t renew_sent_ms;     /* monotonic */
    struct loop_source *renew; /* borrowed; the next one */

    /* what was left (supervisor.c) */
    int lock_fd;                    /* -1: none */
    struct leftovers *leftovers;    /* owned; NULL: one_shot, or not started */
    struct loop_source *sweeper;    /* borrowed */
    struct loop_source *impatience; /* borrowed; a sweep takes too long */
    pid_t sweep_pid;                /* -1: none */
};

/* ---- supervisor.c -------------------------------------------------------- */

/** Run a job that was leased. */
void supervisor_take(struct supervisor *s, struct lease *lease);
/** An answer of Redis: told to the log (outage.h), and a refusal to who runs
 * us. */
void supervisor_heard(struct supervisor *s, enum outage_call call,
                      const struct err *err);
bool supervisor_is_draining(const struct supervisor *s);

/* ---- take.c -------------------------------------------------------------- */

/** Whether the host has room for another job, and sandboxes work on it. */
bool take_has_room(struct supervisor *s);
/** Lease what there is room for, as long as jobs come. */
void take_jobs(struct supervisor *s);
/** The same in `wait_ms`, unless it is due before. */
void take_jobs_in(struct supervisor *s, int64_t wait_ms);
/** What a job that ends asks for in the same breath; job_spec.on_store. */
const struct lease_wish *take_with_result(void *supervisor, bool again);
/** Hear the bell from now on. */
void take_listen(void *supervisor);

/* ---- renew.c ------------------------------------------------------------- */

/** Renew all leases, and say how we are, at once. */
void renew_now(void *supervisor);

#endif
