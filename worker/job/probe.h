/* worker/job/probe.h - whether something answers inside. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_JOB_PROBE_H
#define WORKER_JOB_PROBE_H

#include "worker/job/machine.h"

struct probe;

/** Once, from the loop; probe_free() is allowed in it. */
typedef void probe_ready_fn(void *arg);

/**
 * Try again and again until `wait`, WAIT_PORT or WAIT_HTTP, holds. Borrows
 * all. Owned by the caller.
 */
MUST_USE struct probe *probe_start(struct loop *loop, struct machine *machine,
                                   const struct step_wait *wait,
                                   probe_ready_fn *ready, void *arg);
/** NULL is fine. */
void probe_free(struct probe *probe);
OWNER(probe)

#endif
