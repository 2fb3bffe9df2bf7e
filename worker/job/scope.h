/* worker/job/scope.h - what conditions and templates of a job can see. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_JOB_SCOPE_H
#define WORKER_JOB_SCOPE_H

#include "pipelines/expr.h"
#include "worker/job/result.h"

/** What one step's expressions are evaluated with; all borrowed. */
struct step_scope {
    const struct job_start *start;
    const struct job_result *result;
    enum expr_status status;
    const struct strv *env; /* the environment made so far */
};

/** The form that pipelines/expr.h takes; borrows `scope`. */
struct expr_scope step_scope_expr(const struct step_scope *scope);

/**
 * Build the whole environment of step `index`: the host's (PATH, CA store),
 * CI and CI_* , the sandbox's, the pipeline's, what was given beside it, the
 * step's; later ones win, but CI, BERTH and CI_* always stand. ERR_USER when a
 * template cannot be expanded. `env` is the caller's (strv_clear).
 */
MUST_USE int step_env(const struct job_start *start,
                      const struct job_result *result, size_t index,
                      enum expr_status status, struct strv *env,
                      struct err *err);

#endif
