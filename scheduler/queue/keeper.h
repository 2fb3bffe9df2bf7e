/* scheduler/queue/keeper.h - what must be done by the clock, by anybody. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_QUEUE_KEEPER_H
#define SCHEDULER_QUEUE_KEEPER_H

#include "scheduler/queue/control.h"
#include "scheduler/queue/submit.h"

/*
 * All of it may be done by any number of schedulers at once. Asynchronous;
 * ERR_TRANSIENT, ERR_TIMEOUT: Redis is away, try again later.
 */

struct keeper_options {
    const char *scheduler; /* its name, unique; as a worker's */
    uint32_t tick_ms;      /* how often queue_keep() is called */
    uint32_t aging_ms;     /* waiting for that long raises a class; 0: never */
    uint32_t dead_ms;      /* a scheduler not seen for that long is dead */
    unsigned keep_count;   /* ended jobs beyond that many are forgotten */
};

/** What one round did. */
struct keeper_report {
    unsigned retried, lost;          /* jobs whose workers died */
    unsigned begun, expired, aged;   /* by the clock */
    unsigned forgotten;              /* jobs that ended long ago */
    unsigned given_back;             /* documents that dead schedulers held */
    int64_t next_due_ms;             /* the next delayed job; 0: none */
    int64_t now_ms;                  /* by Redis' clock, as the former */
    char runs[16][QUEUE_MAX_ID + 1]; /* that have something to be decided */
    size_t run_count;
};
typedef void queue_keep_fn(void *arg, const struct keeper_report *report,
                           const struct err *err);

/** One round: watch, reap, promote, trim, in this order. One at a time. */
void queue_keep(struct queue *queue, const struct keeper_options *options,
                queue_keep_fn *fn, void *arg);

/**
 * `err` NULL: a document, valid during the call, that is this scheduler's
 * until it is submitted, rejected or given back; `text` NULL: none came.
 */
typedef void queue_take_fn(void *arg, const void *text, size_t len,
                           const struct err *err);
/**
 * Wait `wait_ms` at most for a document of the inbox, on a connection of its
 * own (BLMOVE). One call at a time.
 */
void queue_take(struct queue *queue, const char *scheduler, uint32_t wait_ms,
                queue_take_fn *fn, void *arg);
/**
 * The callback of a queue_take() under way does not come any more. What it was
 * about to take may be held already: queue_give_back().
 */
void queue_take_forget(struct queue *queue);

/**
 * The documents that a scheduler of this name holds come back, as those that it
 * held when it died, or whose taking failed. What is under way goes on: who is
 * second to submit or reject a document gets ERR_LOST. A document that is too
 * long to be taken at all is rejected.
 */
void queue_give_back(struct queue *queue, const char *scheduler,
                     queue_done_fn *fn, void *arg);

/**
 * Keep a wrong document, the first MiB of it, with the reason, as `id`.
 * ERR_LOST: another took it over.
 */
void queue_reject(struct queue *queue, const struct queue_document *document,
                  const char *id, const char *reason, queue_done_fn *fn,
                  void *arg);

/** `woken`: there is such a run; else none came in time. */
typedef void queue_wake_fn(void *arg, bool woken, const struct err *err);
/**
 * Wait `wait_ms` at most for a run that has something to be decided, on a
 * connection of its own (BLPOP); queue_keep() then says which. One call at a
 * time.
 */
void queue_wait_run(struct queue *queue, uint32_t wait_ms, queue_wake_fn *fn,
                    void *arg);

/* ---- schedules ------------------------------------------------------------
 */

typedef void queue_cron_fn(void *arg, int64_t last_ms, const struct err *err);
/** The last due time of a schedule that was dealt with; -1: none yet. */
void queue_cron_last(struct queue *queue, const char *name, queue_cron_fn *fn,
                     void *arg);

/** `fired`: false if another scheduler was first. */
typedef void queue_fire_fn(void *arg, bool fired, const struct err *err);
/**
 * Put `documents` into the inbox and set the last due time, if it is still
 * `expected_ms` (-1: none), in one script (fire.lua).
 */
void queue_fire(struct queue *queue, const char *name, int64_t expected_ms,
                int64_t last_ms, const char *const *documents, size_t count,
                queue_fire_fn *fn, void *arg);

#endif
