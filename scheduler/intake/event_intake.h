/* scheduler/intake/event_intake.h - from stored deliveries to jobs. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_INTAKE_EVENT_INTAKE_H
#define SCHEDULER_INTAKE_EVENT_INTAKE_H

#include "scheduler/intake/event_work.h"

/*
 * Takes deliveries that wait, each with a claim that it renews, and settles
 * them: any number of schedulers may, and none gets one that another has. Who
 * dies leaves its own to the others after EVENT_CLAIM_MS. What is away is asked
 * again, less and less often, for EVENT_PATIENCE_MS; then the delivery has
 * failed, and the host may send it again, or somebody replay it.
 */
struct event_intake;

/** Deliveries at work at once. */
#define EVENT_MAX_HELD    16
#define EVENT_CLAIM_MS    30000
#define EVENT_PATIENCE_MS 3600000
/** Taken so often, a delivery has failed: it may be what schedulers die of. */
#define EVENT_MAX_ATTEMPTS 40

/** All borrowed; must outlive the intake. */
struct event_intake_options {
    struct admit_options admit; /* `retries` mean nothing */
    const char *scheduler;      /* its name (keeper.h) */
    const int64_t *offset_ms;   /* Redis' clock is ahead of ours by that */
    const struct event_host *hosts;
    size_t host_count;
    const struct trigger_list *triggers;
    int64_t keep_ms;     /* deliveries that are settled */
    int64_t patience_ms; /* 0: EVENT_PATIENCE_MS */
    int64_t claim_ms;    /* 0: EVENT_CLAIM_MS */
};

MUST_USE struct event_intake *
event_intake_new(const struct event_intake_options *options);
/** Must be called after queue_free(). NULL is fine. */
void event_intake_free(struct event_intake *intake);
OWNER(event_intake)

/** From now on; borrowed until the next call. */
void event_intake_configure(struct event_intake *intake,
                            const struct trigger_list *triggers,
                            int64_t keep_ms);

/** Something may have come. */
void event_intake_wake(struct event_intake *intake);

/** Take no more, and give back what is held. */
void event_intake_stop(struct event_intake *intake);

#endif
