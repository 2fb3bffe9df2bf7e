/* scheduler/queue/queue.h - a pool of jobs on Redis: open it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_QUEUE_QUEUE_H
#define SCHEDULER_QUEUE_QUEUE_H

#include "base/err.h"
#include "base/loop.h"

#include <stddef.h>
#include <stdint.h>

/*
 *   submit ─▶ delayed ─▶ blocked ─▶ ready ─▶ lease ─▶ running ─▶ complete ─▶
 *      passed | failed | cancelled | skipped      (▲ retry: delayed again)
 *
 * Every key of a pool carries one hash tag, `berth:{pool}:…`
 * (schemas/redis-keys.md). Each function is one Lua script: one transition,
 * one round trip; time comes from Redis. A lease is fenced by the job's epoch
 * (grows with every lease) and a random nonce: who lost it can write no more.
 * All calls may be repeated after a failure: a lost answer does no harm.
 *
 *   submit.h   jobs go in                     scheduler, command line
 *   lease.h    jobs are taken, kept, ended    worker
 *   log.h      what they printed              worker, command line
 *   control.h  cancel, retry, drain…          command line, scheduler
 *   inspect.h  what there is, and why         command line
 *   keeper.h   what must be done by the clock scheduler
 *   run.h      runs of several jobs           scheduler
 *   spend.h    what jobs spend on models      worker
 *
 * There are two ways to use a queue. What says "blocks" waits for the answer,
 * some seconds at most, on a connection of its own, made at the first such
 * call: for one-shot commands, never in a daemon's loop. All else is
 * asynchronous in `loop`: the answer comes by callback, exactly once, never
 * from inside the call, and never after queue_free().
 */
struct queue;

struct queue_options {
    const char *url;        /* of Redis (base/redis_url.h); copied */
    const char *pool;       /* [A-Za-z0-9_.-], 1 to 64 bytes; copied */
    unsigned max_instances; /* jobs of the pool that run at once, unless
                               queue_configure() said so; at least 1 */
    uint32_t lease_ms;      /* a lease lasts this long unrenewed; 0: 120000 */
    uint32_t kill_grace_ms; /* then until its slot is free; 0: 15000 */
    uint32_t wait_replicas; /* of Redis that must have what a call changed
                               before it is answered; 0: none */
    uint32_t wait_ms;       /* for them, then it is to be repeated; 0: 1000 */
};

#define QUEUE_MAX_ID 64 /* bytes: [a-z0-9][a-z0-9-]* */

/** ERR_USER unless `id` is what the id of a job may be (queue_submit). */
MUST_USE int queue_check_id(const char *id, struct err *err);

/**
 * Open a pool. Does not wait for Redis. `loop` (NULL: only blocking calls will
 * be used) must outlive the queue. ERR_USER: a bad option.
 *
 * Whoever wants to be sure that no other worker takes its job uses a pool of
 * its own: pools cost nothing and leave nothing once their jobs have expired.
 */
MUST_USE int queue_open(struct loop *loop, const struct queue_options *options,
                        struct queue **out_queue, struct err *err);
/** Closes the connections. Leases must be freed before. NULL is fine. */
void queue_free(struct queue *queue);
OWNER(queue)

/**
 * The callbacks with this `arg` that are still due do not come any more: its
 * owner is about to go. A job that such a call is granted expires as any other
 * whose worker died.
 */
void queue_forget_calls(struct queue *queue, const void *arg);

/**
 * Whether an asynchronous call failed because Redis refuses us: it does not let
 * us in, or forbids the call. Why; or NULL: it is away. Borrowed, until the
 * loop runs. `err` NULL: whether it did not let us in when we last tried.
 */
const char *queue_refusal(const struct queue *queue, const struct err *err);

/** "default"; borrowed. */
const char *queue_pool(const struct queue *queue);

#endif
