/* scheduler/queue/outage.h - what a daemon's log is told of Redis. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_QUEUE_OUTAGE_H
#define SCHEDULER_QUEUE_OUTAGE_H

#include "scheduler/queue/queue.h"

#include <stdbool.h>

/*
 * A daemon asks again and again while Redis is away. Its log is told once that
 * it is, once that it refuses us (a wrong password, missing rights) and again
 * when it refuses for another reason, and once that all is well again.
 */

/** Kinds of calls: one may be refused, and another not. */
enum outage_call {
    OUTAGE_ROUND, /* renewals; rounds of the keeper */
    OUTAGE_LEASE,
    OUTAGE_WAIT, /* for a bell, or for a run */
    OUTAGE_INBOX,
    OUTAGE_CALLS
};

/** Start zeroed. */
struct outage {
    struct {
        bool failing;
        char refused[256]; /* why; "": it is away */
    } calls[OUTAGE_CALLS];
};

/**
 * A call was answered (`err` NULL), or failed. That a call which waits failed
 * is no news, a connection that idles is cut at times: of OUTAGE_WAIT and
 * OUTAGE_INBOX only refusals are told.
 */
void outage_note(struct outage *outage, const struct queue *queue,
                 enum outage_call call, const struct err *err);

/** Whether calls of this kind fail. */
bool outage_has(const struct outage *outage, enum outage_call call);

#endif
