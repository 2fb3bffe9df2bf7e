/* worker/job/model.h - the models that steps of a job may ask. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_JOB_MODEL_H
#define WORKER_JOB_MODEL_H

#include "worker/gateway/relay/client.h"
#include "worker/job/machine.h"
#include "worker/job/model_env.h"

/*
 * A step whose `step.model.name` (pipelines/pipeline.h) is not NULL may use a
 * model while it runs, whatever kind it is of. attempt.h and job.h do all that
 * is said here for every such step, so a new kind of step has no call to make:
 *
 *   models_check()   before the job begins: is there such a model at all?
 *   models_env()     when its environment is made
 *   models_begin()   when the sandbox runs, before its first command
 *   models_end()     when its last command is gone; the usage is in its result
 *
 * In between, http://127.0.0.1:SANDBOX_MODEL_PORT/v1 of the sandbox is the
 * relay (worker/gateway/relay/); at other times it answers 403. When the relay
 * is through with the step (a budget is used up, the model has failed), the
 * attempt is stopped with that reason and message.
 */
struct models;

struct models_spec {
    struct loop *loop;             /* these four borrowed; they outlive it */
    const struct job_start *start; /* models_check() was fine */
    struct machine *machine;
    struct channel *up; /* JOB_FRAME_SPENT goes there */
    /**
     * The relay is through with the step that uses it: REASON_BUDGET_EXCEEDED
     * or REASON_MODEL_FAILED. From the loop; models_end() tells it, too.
     */
    void (*on_over)(void *arg, enum reason reason, const char *message);
    void *arg;
};

MUST_USE struct models *models_new(const struct models_spec *spec);
/** Kills the relay. NULL is fine. */
void models_free(struct models *models);
OWNER(models)

/** `err` NULL: it may ask. ERR_TRANSIENT. */
typedef void models_ready_fn(void *arg, const struct err *err);
/**
 * Step `index` may use its model from now on; the sandbox runs. Starts the
 * relay with the first one. `ready` comes from the loop, once, unless
 * models_forget() is called. One step at a time.
 */
void models_begin(struct models *models, size_t index, models_ready_fn *ready,
                  void *arg);

/** What became of it. */
struct models_end {
    struct model_usage usage; /* since models_begin() */
    enum reason reason; /* why the relay was through with it; REASON_NONE */
    const char *message;
};
typedef void models_end_fn(void *arg, const struct models_end *end);
/** It may not any more; `done` comes from the loop within seconds. */
void models_end(struct models *models, models_end_fn *done, void *arg);
/** Who waits is gone: tell nothing. */
void models_forget(struct models *models);

#endif
