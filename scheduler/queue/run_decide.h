/* scheduler/queue/run_decide.h - the next step of a run: pure, no I/O. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_QUEUE_RUN_DECIDE_H
#define SCHEDULER_QUEUE_RUN_DECIDE_H

#include "pipelines/plan.h"

/** How a job of a run stands. */
enum run_state {
    RUN_NOT_BEGUN, /* it is no job of the queue yet */
    RUN_ACTIVE,    /* put in, not ended */
    RUN_PASSED,
    RUN_FAILED,
    RUN_CANCELLED,
    RUN_SKIPPED,
};

/** What is to be done, as indices of the plan's jobs, each in one list only. */
struct run_decision {
    size_t *start, *skip, *cancel; /* owned */
    size_t start_count, skip_count, cancel_count;
    bool more; /* there was no room for all that can start: ask again then */
    /* Of the whole run, once that is done; PLAN_PENDING: it goes on. */
    enum plan_outcome outcome;
};

/**
 * Decide all that can be decided now; `states` has one entry a job. At most
 * `max_start` jobs are started. The rules:
 *
 * - A job starts when the groups that it needs have ended and its condition
 *   holds (plan_decide()), while fewer than max-parallel of its group are
 *   active. What does not hold is skipped, and what needs it is decided, too.
 * - fail-fast: one of a group failed: those of it that are active are to be
 *   cancelled, those that were not begun are skipped.
 * - `cancelled`: somebody asked for the end of the run. Who asked cancelled
 *   what was active already; of what was not begun only jobs with always() or
 *   cancelled() in their condition are started, the others are skipped.
 *
 * Returns 0 and `*out`, whose lists the caller frees by run_decision_clear();
 * ERR_USER: a condition cannot be worked out.
 */
MUST_USE int run_decide(const struct plan *plan, const struct plan_facts *facts,
                        const enum run_state *states, bool cancelled,
                        size_t max_start, struct run_decision *out,
                        struct err *err);
void run_decision_clear(struct run_decision *decision);
UNUSED static inline void run_decision_freep(struct run_decision *decision)
{
    run_decision_clear(decision);
}

#endif
