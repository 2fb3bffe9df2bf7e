/* worker/supervisor/result.h - a job's result: checked, or made up. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SUPERVISOR_RESULT_H
#define WORKER_SUPERVISOR_RESULT_H

#include "base/err.h"
#include "pipelines/reason.h"

#include <jansson.h>
#include <stdint.h>

/** How a job ended, and the document that says so. */
struct job_verdict {
    char *state;        /* owned: passed, failed, cancelled */
    const char *reason; /* static; NULL: it passed */
    json_t *document;   /* owned: as schemas/result.schema.json has it */
};

/**
 * Check what run-job sent: one JSON object, of this job, whose state and
 * reason are known and fit each other. ERR_USER says what is wrong with it:
 * the bytes may be a stranger's. `*out_result` is owned by the caller.
 */
MUST_USE int job_verdict_read(const char *job_id, const void *data, size_t len,
                              struct job_verdict **out_result, struct err *err);

/** A result for a job whose run-job gave none. All borrowed. */
struct job_verdict_spec {
    const char *job_id;
    uint64_t epoch;
    const json_t *start; /* the JOB_FRAME_START object; NULL: not readable */
    enum reason reason;  /* cancelled, superseded: the state cancelled */
    const char *message; /* UTF-8, at most 1000 bytes */
    int64_t started_at_ms, ended_at_ms; /* wall clock */
};
/** Owned by the caller. */
struct job_verdict *job_verdict_make(const struct job_verdict_spec *spec);

/**
 * Write the document, with where its log is: the key in Redis, and what the log
 * store calls it (NULL: it has none); `lost_bytes` of it are nowhere, besides
 * what run-job left out. Owned by the caller.
 */
MUST_USE char *job_verdict_write(struct job_verdict *result,
                                 const char *log_stream, const char *log_stored,
                                 uint64_t lost_bytes);

/** Whether a JOB_FRAME_STEP_END tells of a step that ended in the sandbox: a
 * checkout is done outside of it. */
bool job_step_ran(const void *data, size_t len);

void job_verdict_free(struct job_verdict *result);
OWNER(job_verdict)

#endif
