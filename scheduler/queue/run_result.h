/* scheduler/queue/run_result.h - what a run came to; for the queue alone. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_QUEUE_RUN_RESULT_H
#define SCHEDULER_QUEUE_RUN_RESULT_H

#include "pipelines/plan.h"

/** How a job ended; all zero: it is skipped now. */
struct run_row {
    char state[16];
    char reason[32];                    /* "": it passed */
    int64_t started_at_ms, ended_at_ms; /* 0: not known */
};

/** All borrowed. */
struct run_ended {
    const char *id;
    const struct plan *plan;
    const struct plan_facts *facts;
    const struct run_row *rows; /* one a job of the plan */
    enum plan_outcome outcome;
    const char *cancel; /* why its end was asked for; "": nobody did */
    int64_t started_at_ms;
};

struct run_result {
    const char *state; /* static */
    char reason[32];   /* "": it passed */
    char *json;        /* owned; schemas/run-result.schema.json */
};

void run_result_make(const struct run_ended *ended, struct run_result *out);

/** Of a run that cannot be planned: failed, and `message` says why. */
void run_result_invalid(const char *id, const char *message,
                        int64_t started_at_ms, struct run_result *out);

#endif
