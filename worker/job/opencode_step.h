/* worker/job/opencode_step.h - a step that has opencode ask a model. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_JOB_OPENCODE_STEP_H
#define WORKER_JOB_OPENCODE_STEP_H

#include "worker/job/attempt.h"
#include "worker/job/reports.h"

/*
 * One try of a step of kind STEP_OPENCODE, between attempt.c and the program
 * worker/opencode/, which runs inside: what it reads, what its output means,
 * and why it failed. All that comes from inside is a stranger's.
 */
struct opencode_step;

#define OPENCODE_STEP_MAX_ANSWER ((size_t)4 << 20) /* that goes to a file */

/** Borrows `spec`. ERR_USER: it cannot be asked so. Owned by the caller. */
MUST_USE int opencode_step_new(const struct attempt_spec *spec,
                               struct opencode_step **out_step,
                               struct err *err);
/** Fill in argv, environment and input; borrowed from `step`. */
void opencode_step_exec(struct opencode_step *step, struct sandbox_exec *exec);

/**
 * Bytes that it wrote: into the log, to `reports`, or kept for a file. Returns
 * what of it is for the log: all or nothing.
 */
bool opencode_step_output(struct opencode_step *step,
                          enum sandbox_stream stream, const void *data,
                          size_t len, struct reports *reports);

/**
 * It has ended; judge_exit() says `end`. Puts the facts of a review into the
 * result, and its own words for a failure into `end`.
 */
void opencode_step_judge(struct opencode_step *step, struct attempt_end *end);

/** Whether an answer is to be written, having passed. */
bool opencode_step_writes(const struct opencode_step *step);
/** Write it; `done` comes from the loop. */
MUST_USE int opencode_step_write(struct opencode_step *step,
                                 sandbox_file_fn *done, void *arg,
                                 struct err *err);

/** NULL is fine. */
void opencode_step_free(struct opencode_step *step);
OWNER(opencode_step)

#endif
