/* worker/job/throttle.h - how fast a job may print. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_JOB_THROTTLE_H
#define WORKER_JOB_THROTTLE_H

#include "worker/job/machine.h"
#include "worker/job/output.h"

/*
 * Output of all commands is held back, which lets them wait, while the way up
 * is full, and beyond THROTTLE_BYTES_A_SECOND once THROTTLE_BURST_BYTES more
 * than that have come. Nothing of it is lost.
 */
#define THROTTLE_BYTES_A_SECOND ((int64_t)16 << 20)
#define THROTTLE_BURST_BYTES    ((int64_t)64 << 20)

struct throttle;

/** Borrows all. */
MUST_USE struct throttle *
throttle_new(struct loop *loop, struct machine *machine, struct output *output);
/** Lets go of what is held. NULL is fine. */
void throttle_free(struct throttle *throttle);
OWNER(throttle)

/** `len` bytes came, and are with `output`. */
void throttle_count(struct throttle *throttle, size_t len);

#endif
