/* worker/supervisor/spending.h - a job's share of what models may cost. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SUPERVISOR_SPENDING_H
#define WORKER_SUPERVISOR_SPENDING_H

#include "base/loop.h"
#include "scheduler/queue/lease.h"
#include "worker/supervisor/result.h"

#include <jansson.h>

/*
 * What a job may spend on models: of the budgets that it shares with others,
 * for which this is reserved before it begins (spend.h), and of its own, of
 * which earlier attempts had a part.
 */
struct spending;

/**
 * All is reserved (`refused` and `err` NULL); there is not enough left:
 * `refused` says so to a person; or Redis did not answer for now. From the
 * loop, or from inside spending_begin().
 */
typedef void spending_fn(void *arg, const char *refused, const struct err *err);

/** All borrowed; they outlive it. */
struct spending_spec {
    struct queue *queue;
    const struct lease *lease;
    const json_t *models; /* supervisor_limits.models */
    json_t *gathered;     /* of models_gather(), or NULL: it wants none */
    struct strbuf *note;  /* what the job's log is to say is added to it */
};

/** NULL: none of the job's steps wants a model. */
struct spending *spending_new(const struct spending_spec *spec);
/**
 * Tell the models that are gathered what is spent ("spent"), and reserve what
 * is not yet; may be repeated after an `err`. A fallback for which there is not
 * enough is taken from them. NULL is fine: there is nothing to do.
 */
void spending_begin(struct spending *spending, spending_fn *fn, void *arg);
/**
 * What the job has spent so far (JOB_FRAME_SPENT of worker/job/events.h): Redis
 * is told, for the next attempt. NULL is fine.
 */
void spending_take(struct spending *spending, const void *data, size_t len);
/** Tell Redis once more, before the result is stored. NULL is fine. */
void spending_charge(struct spending *spending);
/**
 * Give back what the job did not need of what it shares with others. `result`
 * (schemas/result.schema.json) is run-job's; without one all counts as spent,
 * as it does without this call.
 */
void spending_end(struct spending *spending, const json_t *result);
/** The end of a job that is `refused`. Owned by the caller. */
struct job_verdict *spending_refusal(const struct lease *lease,
                                     const char *refused);
/** No callback comes any more. NULL is fine. */
void spending_free(struct spending *spending);
OWNER(spending)

#endif
