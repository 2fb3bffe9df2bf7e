/* scheduler/daemon/scheduler.h - all that a scheduler does, in a loop. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_DAEMON_SCHEDULER_H
#define SCHEDULER_DAEMON_SCHEDULER_H

#include "pipelines/schedule.h"
#include "scheduler/forge/client.h"
#include "scheduler/intake/event_work.h"
#include "scheduler/queue/control.h"
#include "scheduler/report/reporter.h"

/*
 * A scheduler tells the pool its configuration, keeps it by the clock, advances
 * runs, admits what comes into the inbox, fires schedules, makes jobs of what
 * Git hosts sent, and tells these how jobs are. There may be any number of
 * them: each step is compared and set in Redis, and there is no leader. While
 * Redis is away it waits, and says so once.
 */
struct scheduler;

/** All borrowed: until the next scheduler_configure(), or the end. */
struct scheduler_options {
    const char *name; /* unique; [A-Za-z0-9_.-], at most 64 bytes; copied */
    const char *state_dir; /* absolute; stays as it was first; copied */
    unsigned uid; /* whose the mirrors are, for root; 0: ourselves; the same */
    uint32_t tick_ms;
    uint32_t aging_ms;
    unsigned keep_count;
    size_t max_bytes; /* of a document of the inbox */
    struct pool_conf pool;
    const struct schedule_list *schedules;
    /* Who makes tokens for workers (credentials.h, enrolled.h), and is told of
     * jobs. The forges stay as they were first, and outlive the scheduler. */
    struct forge *const *forges;
    size_t forge_count;
    const struct strv *workers; /* NULL: none */
    /* Git hosts whose deliveries it deals with; as they were first. A `forge`
     * must outlive the scheduler. */
    const struct event_host *hosts;
    size_t host_count;
    const struct trigger_list *triggers;     /* NULL: none */
    struct queue_delivery_limits deliveries; /* as webhooks have them */
    int64_t reconcile_ms; /* asks hosts so often what was missed; 0: never */
    struct report_style report;
};

MUST_USE struct scheduler *scheduler_new(struct loop *loop, struct queue *queue,
                                         const struct scheduler_options *o);
/** Go by other options from now on. */
void scheduler_configure(struct scheduler *scheduler,
                         const struct scheduler_options *options);

/** Give back what is held; `fn` comes when Redis knows, or is away, and what
 * hosts are being told was told. */
void scheduler_stop(struct scheduler *scheduler, queue_done_fn *fn, void *arg);

/** Must be called after queue_free(). NULL is fine. */
void scheduler_free(struct scheduler *scheduler);
OWNER(scheduler)

#endif
