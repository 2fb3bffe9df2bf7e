/* scheduler/queue/run_decide.c - the next step of a run: pure, no I/O. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/run_decide.h"

#include <stdlib.h>
#include <string.h>

/* A decision being made. */
struct round {
    const struct plan *plan;
    const struct plan_facts *facts;
    bool cancelled;
    size_t max_start;
    enum run_state *states;      /* owned; as they will be */
    enum plan_outcome *outcomes; /* owned; of groups */
    struct run_decision *out;
    bool changed; /* something was skipped: others may be decided now */
};

void run_decision_clear(struct run_decision *decision)
{
    free(decision->start);
    free(decision->skip);
    free(decision->cancel);
    memset(decision, 0, sizeof(*decision));
}

static enum plan_outcome outcome_of(enum run_state state)
{
    static const enum plan_outcome outcomes[] = {
        [RUN_NOT_BEGUN] = PLAN_PENDING,   [RUN_ACTIVE] = PLAN_PENDING,
        [RUN_PASSED] = PLAN_SUCCESS,      [RUN_FAILED] = PLAN_FAILURE,
        [RUN_CANCELLED] = PLAN_CANCELLED, [RUN_SKIPPED] = PLAN_SKIPPED,
    };

    return outcomes[state];
}

static void update_outcomes(struct round *r)
{
    enum plan_outcome jobs[DOCUMENT_MAX_ROWS];

    for (size_t g = 0; g < r->plan->group_count; g++) {
        const struct plan_group *group = &r->plan->groups[g];

        for (size_t i = 0; i < group->count; i++)
            jobs[i] = outcome_of(r->states[group->first + i]);
        r->outcomes[g] = plan_aggregate(jobs, group->count);
    }
}

static size_t count_of(const struct round *r, const struct plan_group *group,
                       enum run_state state)
{
    size_t count = 0;

    for (size_t i = 0; i < group->count; i++)
        count += r->states[group->first + i] == state;
    return count;
}

static void skip(struct round *r, size_t job)
{
    r->states[job] = RUN_SKIPPED;
    r->out->skip[r->out->skip_count++] = job;
    r->changed = true;
}

static void start(struct round *r, const struct plan_group *group, size_t job)
{
    struct run_decision *out = r->out;

    if (group->max_parallel &&
        count_of(r, group, RUN_ACTIVE) >= group->max_parallel)
        return;
    if (out->start_count == r->max_start) {
        out->more = true;
        return;
    }
    r->states[job] = RUN_ACTIVE;
    out->start[out->start_count++] = job;
}

static void fail_fast(struct round *r, const struct plan_group *group)
{
    for (size_t job = group->first; job < group->first + group->count; job++)
        if (r->states[job] == RUN_NOT_BEGUN)
            skip(r, job);
}

static int decide_group(struct round *r, const struct plan_group *group,
                        struct err *err)
{
    enum plan_decision decision;

    if (group->fail_fast && count_of(r, group, RUN_FAILED) > 0) {
        fail_fast(r, group);
        return 0;
    }
    for (size_t job = group->first; job < group->first + group->count; job++) {
        if (r->states[job] != RUN_NOT_BEGUN)
            continue;
        if (plan_decide(r->plan, job, r->facts, r->outcomes, r->cancelled,
                        &decision, err) < 0)
            return -1;
        if (decision == PLAN_SKIP)
            skip(r, job);
        else if (decision == PLAN_START)
            start(r, group, job);
    }
    return 0;
}

/* Each turn that changes something skips a job at least. */
static int decide_all(struct round *r, struct err *err)
{
    do {
        r->changed = false;
        r->out->more = false;
        for (size_t g = 0; g < r->plan->group_count; g++) {
            update_outcomes(r);
            if (decide_group(r, &r->plan->groups[g], err) < 0)
                return -1;
        }
    } while (r->changed);
    return 0;
}

static void cancel_siblings(struct round *r)
{
    for (size_t g = 0; g < r->plan->group_count; g++) {
        const struct plan_group *group = &r->plan->groups[g];

        if (!group->fail_fast || !count_of(r, group, RUN_FAILED))
            continue;
        for (size_t i = group->first; i < group->first + group->count; i++)
            if (r->states[i] == RUN_ACTIVE)
                r->out->cancel[r->out->cancel_count++] = i;
    }
}

int run_decide(const struct plan *plan, const struct plan_facts *facts,
               const enum run_state *states, bool cancelled, size_t max_start,
               struct run_decision *out, struct err *err)
{
    struct run_decision decision = {0};
    struct round r = {plan, facts, cancelled, max_start,
                      NULL, NULL,  &decision, false};
    int rc;

    r.states = xmemdup(states, plan->job_count * sizeof(*states));
    r.outcomes = xcalloc(plan->group_count, sizeof(*r.outcomes));
    decision.start = xcalloc(plan->job_count, sizeof(size_t));
    decision.skip = xcalloc(plan->job_count, sizeof(size_t));
    decision.cancel = xcalloc(plan->job_count, sizeof(size_t));
    rc = decide_all(&r, err);
    if (rc == 0) {
        cancel_siblings(&r);
        update_outcomes(&r);
        decision.outcome = plan_aggregate(r.outcomes, plan->group_count);
        *out = decision;
    } else {
        run_decision_clear(&decision);
    }
    free(r.states);
    free(r.outcomes);
    return rc;
}
