/* scheduler/queue/job_args.h - a job as submit.lua and advance.lua take it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_QUEUE_JOB_ARGS_H
#define SCHEDULER_QUEUE_JOB_ARGS_H

#include "scheduler/queue/impl.h"
#include "scheduler/queue/submit.h"

/** Add what lua/lib/accept.lua takes; the strings are borrowed. */
void job_args_add(struct queue_args *args, const struct queue_job *job);

#endif
