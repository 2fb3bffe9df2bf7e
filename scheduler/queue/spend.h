/* scheduler/queue/spend.h - what jobs may spend on models, pool-wide. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_QUEUE_SPEND_H
#define SCHEDULER_QUEUE_SPEND_H

#include "scheduler/queue/lease.h"

#include <stdbool.h>

struct spend_amount {
    uint64_t requests, tokens, micro_usd; /* of a limit, 0: any */
};

/** All borrowed. */
struct spend_wish {
    const char *job_id;
    uint64_t epoch;
    const char *model, *repository;
    struct spend_amount most;             /* that the job will spend */
    struct spend_amount repository_limit; /* of a day, by the clock of Redis */
    struct spend_amount day_limit;        /* the same, of all repositories */
};

#define SPEND_DATE_SIZE 16

/**
 * `err` NULL and `refused` NULL: it is reserved, on that `date`; `refused`: why
 * not, for a person. Borrowed.
 */
typedef void spend_reserved_fn(void *arg, const char *date, const char *refused,
                               const struct err *err);
/**
 * Reserve what a job may spend at most before it begins (reserve.lua), so that
 * several that run at once cannot spend more than there is. May be repeated.
 * What is never settled counts as spent.
 */
void spend_reserve(struct queue *queue, const struct spend_wish *wish,
                   spend_reserved_fn *fn, void *arg);
/**
 * What it did spend (spent.lua), in place of what was reserved on `date`. May
 * be repeated; nobody is told of failures: what is reserved stays so.
 */
void spend_settle(struct queue *queue, const struct spend_wish *wish,
                  const char *date, const struct spend_amount *spent);

/* ---- a job's own ---------------------------------------------------------
 */

/** `err` NULL: `text` is what is kept, "" for nothing. Borrowed. */
typedef void spend_charged_fn(void *arg, const char *text,
                              const struct err *err);
/**
 * Keep `text` (JSON) with the job, as what all its attempts have spent so far,
 * for the next one (charge.lua); "": only say what is kept. Of no effect when
 * another has the lease.
 */
void spend_charge(struct queue *queue, const struct lease *lease,
                  const char *text, spend_charged_fn *fn, void *arg);

#endif
