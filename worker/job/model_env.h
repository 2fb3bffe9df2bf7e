/* worker/job/model_env.h - what a step can know of its model. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_JOB_MODEL_ENV_H
#define WORKER_JOB_MODEL_ENV_H

#include "worker/job/start.h"
#include "worker/sandbox/sandbox.h"

/** What a step can know of its model; all borrowed, of job_start. */
struct model_info {
    const char *name;         /* of the worker's configuration */
    const char *url;          /* for clients: http://127.0.0.1:809/v1 */
    const char *dialect;      /* "openai" or "anthropic" */
    const char *id;           /* what to ask for by "model" */
    uint64_t context, output; /* tokens; 0: not known */
};

/**
 * The model of step `index`. -1 with ERR_USER: the step asks for none, or this
 * worker has none of that name, or not that id.
 */
MUST_USE int model_info(const struct job_start *start, size_t index,
                        struct model_info *out_info, struct err *err);
/**
 * Whether each step that asks for a model can have it: ERR_USER if not,
 * ERR_TRANSIENT when it is the worker that lacks its key.
 */
MUST_USE int models_check(const struct job_start *start,
                          const struct sandbox_driver *driver, struct err *err);
/**
 * Add BERTH_MODEL_URL, BERTH_MODEL, BERTH_MODEL_CONTEXT, BERTH_MODEL_OUTPUT,
 * BERTH_MODEL_DIALECT, and what clients of its dialect look for
 * (OPENAI_BASE_URL, OPENAI_API_KEY=unused; ANTHROPIC_BASE_URL,
 * ANTHROPIC_API_KEY=unused) to the environment of step `index`, but what it has
 * of these already; and keep its clients from asking a proxy for 127.0.0.1.
 * Nothing for a step without a model.
 */
void models_env(const struct job_start *start, size_t index, struct strv *env);

/** RELAY_FRAME_BEGIN of step `index`, which has a model. The caller's. */
MUST_USE json_t *model_step_json(const struct job_start *start, size_t index);

#endif
