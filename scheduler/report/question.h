/* scheduler/report/question.h - what a Git host is told of a job. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_REPORT_QUESTION_H
#define SCHEDULER_REPORT_QUESTION_H

#include "scheduler/queue/report.h"

/** How reports are to look; borrowed. */
struct report_style {
    unsigned max_comments, max_rows;
    bool request_changes;
    const char *url; /* where people see jobs, as URL/jobs/ID; NULL, "": no
                        link */
};

/**
 * The document of FORGE_OP_REPORT (scheduler/forge/protocol.h), owned by the
 * caller. `findings` is taken over; NULL: none were looked for, or the job has
 * not ended. ERR_USER: the job does not say where (repo, commit).
 */
MUST_USE int report_question(const struct queue_report *report,
                             json_t *findings, const struct report_style *style,
                             json_t **out_question, struct err *err);

/**
 * Whether the result of an ended job is of its last attempt: a worker that was
 * lost leaves none, and the one before it stays.
 */
bool report_has_result(const struct queue_report *report);

#endif
