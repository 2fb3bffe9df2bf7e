/* scheduler/intake/admit_job.h - from a resolved request to a queue's job. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_INTAKE_ADMIT_JOB_H
#define SCHEDULER_INTAKE_ADMIT_JOB_H

#include "pipelines/resolve.h"
#include "scheduler/queue/submit.h"

/** A job for the queue, and all that it borrows. Pure, no I/O. */
struct admit_job {
    struct queue_job job; /* borrows from the rest, and from the request */
    char *id, *payload, *tenant, *pipeline, *report, *about; /* owned */
    struct strv labels;
    struct concurrency concurrency; /* its group is owned */
};

/**
 * Make the job: a plain one if that is what comes of the document, else a run.
 * Delays count from `now_ms` (since 1970). A request without an id gets one:
 * the pipeline's name and ten random digits. ERR_USER: the expressions of the
 * document, or the size.
 */
MUST_USE int admit_job_make(const struct job_request *request,
                            const struct resolved *resolved, int64_t now_ms,
                            struct admit_job *out, struct err *err);
/** Start zeroed. */
void admit_job_clear(struct admit_job *job);
UNUSED static inline void admit_job_freep(struct admit_job *job)
{
    admit_job_clear(job);
}

#endif
