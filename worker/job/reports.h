/* worker/job/reports.h - what `results:` of a step names, read when it ends. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_JOB_REPORTS_H
#define WORKER_JOB_REPORTS_H

#include "worker/job/attempt.h"

struct reports;

#define REPORTS_OUTPUT_MAX_BYTES ((uint64_t)8 << 20)  /* of standard output */
#define REPORTS_FILES_MAX_BYTES  ((uint64_t)16 << 20) /* of all files */
#define REPORTS_MAX_MS           30000

/** From the loop, once; reports_free() is allowed in it. */
typedef void reports_end_fn(void *arg);

/**
 * For one try of step `spec->index`, which has some; what an earlier try left
 * is forgotten. Borrows `spec`. Owned by the caller.
 */
MUST_USE struct reports *reports_new(const struct attempt_spec *spec);
/** Bytes that the step printed on standard output. */
void reports_output(struct reports *reports, const void *data, size_t len);
/**
 * The step's commands are gone: bring its files out, have the program
 * findings-read (worker/findings/protocol.h) read all, and put what it found
 * into `spec->result`. What cannot be read is told in the log. Ends within
 * REPORTS_MAX_MS, or somewhat later. The limits of findings are shared with the
 * steps that are still to come.
 */
void reports_collect(struct reports *reports, reports_end_fn *end, void *arg);
/** Give up; the end still comes, soon. */
void reports_stop(struct reports *reports);
/** Only once it has ended, before it began, or with the sandbox. NULL is fine.
 */
void reports_free(struct reports *reports);
OWNER(reports)

#endif
