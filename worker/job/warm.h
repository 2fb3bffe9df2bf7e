/* worker/job/warm.h - a sandbox that runs and waits for its job. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_JOB_WARM_H
#define WORKER_JOB_WARM_H

#include "worker/job/machine.h"

struct warm;

/** From the loop: `err` NULL: it waits, once; else it could not, or died. */
typedef void warm_fn(void *arg, const struct err *err);

/**
 * Make and start a sandbox as JOB_FRAME_PREPARE asks, `len` bytes at `data`.
 * Nothing of it is any job's: neither files nor environment.
 */
MUST_USE int warm_new(struct loop *loop, const void *data, size_t len,
                      warm_fn *fn, void *arg, struct warm **out_warm,
                      struct err *err);

/**
 * Give its machine, owned by the caller, to the job `start`, whatever it asks
 * for: if it is not this one, a new one is made. Frees `warm`, which may be
 * NULL. Errors as machine_new().
 */
MUST_USE int warm_give(struct warm *warm, struct loop *loop,
                       const struct job_start *start,
                       const struct machine_events *events,
                       struct machine **out_machine, struct err *err);

/** Destroys the sandbox; -1 says what is left. NULL is fine. */
int warm_end(struct warm *warm, struct err *err);

#endif
