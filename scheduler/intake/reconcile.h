/* scheduler/intake/reconcile.h - what Git hosts failed to send. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_INTAKE_RECONCILE_H
#define SCHEDULER_INTAKE_RECONCILE_H

#include "scheduler/intake/event_work.h"
#include "scheduler/queue/delivery.h"

/*
 * Every so often each host is asked: a GitHub App has what failed sent again;
 * all others tell the open changes of each repository that something was ever
 * heard of (scheduler/queue/seen.h), or that a trigger names in full. A change
 * whose head was not seen the last time, and has no job, becomes a delivery of
 * our own (EVENT_FOUND), whose key follows from its commit: so none comes
 * twice. One scheduler does this at a time, whoever sets the stamp first.
 */
struct reconcile;

/** All borrowed; must outlive the reconcile. */
struct reconcile_options {
    struct loop *loop;
    struct queue *queue;
    const int64_t *offset_ms;
    const struct event_host *hosts;
    size_t host_count;
    const struct trigger_list *triggers;
    struct queue_delivery_limits limits;
    int64_t every_ms; /* 0: never */
};

MUST_USE struct reconcile *
reconcile_new(const struct reconcile_options *options);
/** Must be called after queue_free(). NULL is fine. */
void reconcile_free(struct reconcile *reconcile);
OWNER(reconcile)

/** From now on; see above. Of the options only the last three count. */
void reconcile_configure(struct reconcile *reconcile,
                         const struct reconcile_options *options);
/** Ask nothing more. */
void reconcile_stop(struct reconcile *reconcile);

#endif
