/* scheduler/report/reporter.h - telling Git hosts how jobs are. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_REPORT_REPORTER_H
#define SCHEDULER_REPORT_REPORTER_H

#include "base/loop.h"
#include "scheduler/forge/client.h"
#include "scheduler/queue/report.h"
#include "scheduler/report/question.h"

/*
 * Takes jobs that are due from the queue (scheduler/queue/report.h), one for
 * each kind of host at a time, asks the host's client to tell it, and says what
 * became of it. Any number of schedulers may have one. What no host is
 * configured for here is left to those who have one; if for an hour there is
 * none, it is refused, and kept as unreported.
 */
struct reporter;

/** All borrowed, for as long as the reporter lives or others are set. */
struct reporter_options {
    struct forge *const *forges; /* one a kind; the same for the whole life */
    size_t count;
    struct report_style style;
    int64_t hold_ms; /* a host, unrenewed; 0: 30 s */
    int64_t poll_ms; /* between looks for what is due; 0: 1 s */
};

/** `scheduler` is borrowed. */
MUST_USE struct reporter *reporter_new(struct loop *loop, struct queue *queue,
                                       const char *scheduler,
                                       const struct reporter_options *options);
/** Go by other options, but for the forges, from the next report on. */
void reporter_configure(struct reporter *reporter,
                        const struct reporter_options *options);

/** Take nothing any more; `fn`, never from inside the call, comes when what is
 * under way was told. */
void reporter_stop(struct reporter *reporter, void (*fn)(void *arg), void *arg);

/** Must be called after queue_free(), and before the forges go. What is under
 * way will be told again, by another. NULL is fine. */
void reporter_free(struct reporter *reporter);
OWNER(reporter)

#endif
