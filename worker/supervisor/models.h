/* worker/supervisor/models.h - which models a job gets, and their keys. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SUPERVISOR_MODELS_H
#define WORKER_SUPERVISOR_MODELS_H

#include "base/err.h"

#include <jansson.h>

/*
 * `models` is everywhere supervisor_limits.models: model_list_to_json() of
 * pipelines/models.h, or NULL.
 */

/**
 * Take the keys that are variables ("env:NAME") out of this process'
 * environment, once, so that nothing it starts has them; their values are wiped
 * where /proc would still show them.
 */
void models_take_keys(const json_t *models);

/**
 * "models" of JOB_FRAME_START (worker/job/events.h), with keys, for the job of
 * this payload: those that its steps name, and their fallbacks. One whose key
 * cannot be had says so ("unusable"), and one that a step names ("asked"). The
 * caller's (models_wipe); NULL: no step wants any.
 */
MUST_USE json_t *models_gather(const char *payload, const json_t *models);
/** Wipes the keys in it. NULL is fine. */
void models_wipe(json_t *gathered);

#endif
