/* worker/job/job.h - one job from its start frame to its result. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_JOB_JOB_H
#define WORKER_JOB_JOB_H

#include "base/err.h"

/**
 * Speak worker/job/events.h on descriptor `fd` (owned from now on): take the
 * job, run its steps in a sandbox, send the result, leave nothing behind.
 * Blocks until then.
 *
 * Returns 0 when a result was sent, or end-of-file came before any job; -1
 * when there was nobody to send it to (end of file from above, a deadline that
 * passed), the start frame was never whole, or not all of the sandbox could be
 * removed: a sweep is due then. The sandbox is destroyed in every case.
 */
MUST_USE int job_run(int fd, struct err *err);

#endif
