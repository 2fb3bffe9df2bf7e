/* worker/job/expand.h - a step's texts, with what ${{ }} stands for. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_JOB_EXPAND_H
#define WORKER_JOB_EXPAND_H

#include "pipelines/expr.h"
#include "worker/job/result.h"

/** All zeros at first. */
struct expanded {
    struct strv env;          /* owned */
    char *cwd;                /* owned, as the following; absolute, inside */
    char *path;               /* "" where the step has none */
    char *content;            /* the same */
    char *key;                /* the same */
    struct strv restore_keys; /* owned */
};

/**
 * Fill `out` anew for step `index`, and the step's name in `result`. ERR_USER
 * where an expression does not work out.
 */
MUST_USE int expand_step(const struct job_start *start,
                         struct job_result *result, size_t index,
                         enum expr_status status, struct expanded *out,
                         struct err *err);
void expanded_clear(struct expanded *expanded);

#endif
