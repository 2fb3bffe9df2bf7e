/* cli/report.h - what a run came to, for people. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include "cli/display.h"

struct report_options {
    struct style style;
    bool verbose;                  /* a column for cpu and memory */
    const struct display *display; /* borrowed; whose excerpts; or NULL */
    const char *job_id; /* borrowed: of a queue, for the advice; NULL: it ran
                           here and now */
};

/**
 * Add the table of `result` (schemas/result.schema.json; what is missing in it
 * is left out), the totals, and for each failed step the first and last lines
 * it printed; then why the job failed and what to do about it.
 */
void report_add(const json_t *result, const struct report_options *options,
                struct strbuf *out);

/**
 * The exit status of berth for a job's state and reason (NULL: none): 0
 * passed, 1 failed, 3 failed by the infrastructure's fault, 130 cancelled.
 */
int report_exit_status(const char *state, const char *reason);

#endif
