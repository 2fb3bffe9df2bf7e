/* scheduler/intake/event_work.h - what is done for one delivery. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_INTAKE_EVENT_WORK_H
#define SCHEDULER_INTAKE_EVENT_WORK_H

#include "pipelines/trigger.h"
#include "scheduler/forge/client.h"
#include "scheduler/intake/admit.h"
#include "scheduler/queue/delivery.h"

/*
 * An event that pipelines run for: they are those that the configuration's
 * triggers name, and those of .berth/ that say `on:`, at the commit itself; of
 * a fork's change at the branch that it goes into. Whose the change is, the
 * delivery tells, else the host is asked; who does not get an answer takes it
 * for a fork's. A closed change's jobs end. Comments and the button "approve"
 * count from people only who may write to the repository, as the host says when
 * it is asked.
 *
 * Each step may be done again after a crash: jobs have ids that follow from the
 * delivery, and who ends jobs ends none twice.
 */
struct event_work;

/** Pipelines that one event may start. */
#define EVENT_MAX_PIPELINES 16

/** A Git host, as it is configured. All borrowed. */
struct event_host {
    enum forge_kind kind;
    const char *base_url; /* what its clone addresses begin with */
    struct forge *forge;  /* NULL: it cannot be asked anything */
    int64_t app_id;       /* of our GitHub App; 0: none, or not known */
};

/** All borrowed; must outlive what is given them. */
struct event_work_options {
    const struct admit_options *admit; /* loop and queue, too */
    const int64_t *offset_ms;          /* Redis' clock is ahead by that */
    const struct event_host *hosts;
    size_t host_count;
    const struct trigger_list *triggers; /* the configuration's */
    int64_t patience_ms; /* with what is away; then it is taken as it is */
};

enum event_outcome {
    EVENT_DONE,    /* and `jobs` were made */
    EVENT_NOTHING, /* nothing follows from it */
    EVENT_FAILED,
    EVENT_LATER, /* something is away: all of it again, after `after_ms` */
};

/** Borrowed, for the duration of the callback. */
struct event_result {
    enum event_outcome outcome;
    const char *reason; /* "" with nothing to say */
    const char *jobs;   /* ids with blanks between; "" */
    int64_t after_ms;   /* at least; 0: as the caller likes */
};
typedef void event_work_fn(void *arg, const struct event_result *result);

/**
 * Begin. All of `taken` is copied. `fn` comes once, from the loop and never
 * from inside this call; event_work_free() is allowed in it, and needed
 * afterwards. `options` may change in between (triggers).
 */
MUST_USE struct event_work *
event_work_new(const struct event_work_options *options,
               const struct queue_taken *taken, event_work_fn *fn, void *arg);
/** Gives up; see admission_free(). NULL is fine. */
void event_work_free(struct event_work *work);
OWNER(event_work)

#endif
