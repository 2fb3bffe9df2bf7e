/* scheduler/intake/cron.h - documents that a clock puts into the inbox. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_INTAKE_CRON_H
#define SCHEDULER_INTAKE_CRON_H

#include "pipelines/schedule.h"
#include "scheduler/queue/keeper.h"

/*
 * Which due time of a schedule was the last stands in Redis; only who knows it
 * may set the next, in one script with the documents. So any number of
 * schedulers may do this at once. A schedule that was never seen before begins
 * now.
 */
struct intake_cron;

/**
 * `offset_ms`: Redis' clock is ahead of ours by that. All is borrowed, and must
 * outlive the cron.
 */
MUST_USE struct intake_cron *intake_cron_new(struct loop *loop,
                                             struct queue *queue,
                                             const int64_t *offset_ms);
/** Must be called after queue_free(). NULL is fine. */
void intake_cron_free(struct intake_cron *cron);
OWNER(intake_cron)

/**
 * The schedules from now on, in place of others; borrowed until the next call.
 */
void intake_cron_set(struct intake_cron *cron,
                     const struct schedule_list *schedules);

/**
 * The document of a schedule's job for a due time (JSON); owned by the caller.
 * Its id is always the same: `cron-<name>-<minutes since 1970>`, a name of more
 * than 18 bytes cut and with a hash of it, since ids are JOB_MAX_ID bytes.
 */
MUST_USE char *intake_cron_document(const struct schedule *schedule,
                                    int64_t due_ms);

#endif
