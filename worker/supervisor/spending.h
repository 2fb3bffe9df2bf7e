/* worker/supervisor/spending.h - a job's share of what models may cost. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SUPERVISOR_SPENDING_H
#define WORKER_SUPERVISOR_SPENDING_H

#include "base/loop.h"
#include "scheduler/queue/lease.h"
#include "worker/supervisor/result.h"

#include <jansson.h>

struct spending;

/**
 * All is reserved (`refused` and `err` NULL); there is not enough left:
 * `refused` says so to a person; or Redis did not answer for now. From the
 * loop.
 */
typedef void spending_fn(void *arg, const char *refused, const struct err *err);

/** All borrowed; they outlive it. */
struct spending_spec {
    struct queue *queue;
    const struct lease *lease;
    const json_t *models;   /* supervisor_limits.models */
    const json_t *gathered; /* of models_gather() */
};

/**
 * NULL: none of the job's models has a budget that it shares with others
 * (repository_budget, day_budget).
 */
struct spending *spending_new(const struct spending_spec *spec);
/** Reserve what is not yet; may be repeated after an `err`. */
void spending_begin(struct spending *spending, spending_fn *fn, void *arg);
/**
 * Give back what the job did not need, as its result
 * (schemas/result.schema.json) says. Without this call all counts as spent.
 */
void spending_end(struct spending *spending, const json_t *result);
/** The end of a job that is `refused`. Owned by the caller. */
struct job_verdict *spending_refusal(const struct lease *lease,
                                     const char *refused);
/** No callback comes any more. NULL is fine. */
void spending_free(struct spending *spending);
OWNER(spending)

#endif
