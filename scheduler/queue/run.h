/* scheduler/queue/run.h - runs of several jobs: what is to be done next. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_QUEUE_RUN_H
#define SCHEDULER_QUEUE_RUN_H

#include "pipelines/plan.h"
#include "scheduler/queue/queue.h"

#include <stdbool.h>

/*
 * A run is a job of its own whose payload holds a document and the facts
 * (pipelines/plan.h), so that anybody can make its plan again. Its jobs are
 * called <run>-1, <run>-2 … in the order of the plan, and are put in when
 * their turn comes. Who decides reads the run with its revision, and Redis
 * takes the decision only if nothing happened to the run meanwhile.
 */

/**
 * The payload of a run: {"document": …, "facts": …, "common": …}; `common` is
 * what all its jobs are told besides pipeline, matrix and name. Takes nothing.
 * NULL: it cannot be written. Owned by the caller (free).
 */
MUST_USE char *run_payload(const struct document *document,
                           const struct plan_facts *facts,
                           const json_t *common);

/**
 * The payload of job `job` of a plan, alone or of a run: what run-job is
 * started with. NULL: it cannot be written. Owned by the caller (free).
 */
MUST_USE char *run_job_payload(const struct plan *plan, size_t job,
                               const json_t *common);

/**
 * `err` NULL: nothing is left to be done now; `ended`: the run is over, or was
 * gone. Else ERR_TRANSIENT, ERR_TIMEOUT: try again.
 */
typedef void run_advance_fn(void *arg, bool ended, const struct err *err);

/**
 * Decide what is to be done with a run now (run_decide.h), and have it done
 * (advance.lua), again and again until nothing is left. Any number of
 * schedulers may do so at once. A run whose payload makes no sense ends as
 * failed, pipeline_invalid.
 *
 * When all its jobs have ended, so does the run: `failed` with the reason of
 * the first job that failed, if any did; else `cancelled` if somebody asked for
 * its end and not all had passed, or a job was; else `skipped` if all were;
 * else `passed`. Its result is schemas/run-result.schema.json.
 */
void run_advance(struct queue *queue, const char *id, run_advance_fn *fn,
                 void *arg);

#endif
