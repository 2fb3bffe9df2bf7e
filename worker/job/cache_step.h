/* worker/job/cache_step.h - the step `cache:`: directories put back. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_JOB_CACHE_STEP_H
#define WORKER_JOB_CACHE_STEP_H

#include "worker/job/attempt.h"

struct cache_step;

/**
 * From the loop, once. `err`: the step itself is wrong (ERR_USER), or was
 * stopped; that nothing was put back is no error, and the job's log says why.
 */
typedef void cache_step_end_fn(void *arg, const struct err *err);

/**
 * Look for the step's key, then for what restore_keys name, in the scopes that
 * the job may read (trust.h), and put what is found back, by the agent, as the
 * sandbox's user; note in `spec->caches` what is to be kept in the end. The
 * sandbox runs. Never fails as a call. Borrows `spec`. Owned by the caller.
 */
MUST_USE struct cache_step *cache_step_start(const struct attempt_spec *spec,
                                             cache_step_end_fn *end, void *arg);
/** Give up, with stop_files() of the driver; the end still comes, soon. */
void cache_step_stop(struct cache_step *step);
/** Only once it has ended, or with the sandbox. NULL is fine. */
void cache_step_free(struct cache_step *step);
OWNER(cache_step)

#endif
