/* worker/job/result.h - what a job came to, step by step. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_JOB_RESULT_H
#define WORKER_JOB_RESULT_H

#include "pipelines/reason.h"
#include "worker/gateway/relay/client.h"
#include "worker/job/start.h"
#include "worker/sandbox/sandbox.h"

enum outcome {
    OUTCOME_PENDING,
    OUTCOME_PASSED,
    OUTCOME_FAILED,
    OUTCOME_SKIPPED,
    OUTCOME_CANCELLED
};

/** How one step ended; all zeros is one that has not run. */
struct step_result {
    char *name; /* owned; expanded */
    enum outcome outcome;
    enum reason reason;
    char message[256]; /* "" when there is nothing to say */
    int exit_code;     /* -1: none */
    int signal;        /* 0: none */
    unsigned attempts;
    int64_t started_at_ms; /* wall clock; 0: never */
    int64_t duration_ms;   /* over all attempts */
    int64_t cpu_ms;        /* -1: not known */
    uint64_t peak_bytes;   /* 0: not known */
    uint64_t output_bytes;
    struct model_usage model; /* of a step with a model, over all attempts */
    json_t *review;   /* owned: facts of a review, as the result has them; or
                         NULL */
    json_t *findings; /* owned: schemas/findings.schema.json; NULL: none */
};

/** Findings that a result tells of, of all steps, and bytes of their JSON. */
#define RESULT_MAX_FINDINGS       1000
#define RESULT_MAX_FINDINGS_BYTES ((size_t)256 << 10)

/** The result tells of this many; all are kept. */
#define RESULT_MAX_ARTIFACTS 200

struct artifact {
    size_t step;
    char *path; /* owned; a stranger's */
    uint64_t size_bytes;
};

struct job_result {
    enum reason reason;    /* REASON_NONE while all went well */
    bool final;            /* the reason came from outside */
    char message[1024];    /* of the reason */
    char commit[41];       /* what was checked out, or "" */
    char *branch;          /* owned, or NULL */
    char *subject;         /* owned, or NULL: of the commit message */
    int64_t started_at_ms; /* wall clock */
    int64_t started_mono_ms;
    struct step_result *steps; /* owned; as many as the pipeline has */
    size_t step_count;
    uint64_t output_bytes;
    uint64_t dropped_bytes;
    struct sandbox_usage usage; /* zeros when there was no sandbox */
    bool has_usage;
    char *unenforced;           /* owned, or NULL */
    struct artifact *artifacts; /* owned */
    size_t artifact_count, artifact_cap;
};

/** Steps get their names from the pipeline. Owned by the caller. */
MUST_USE struct job_result *job_result_new(const struct job_start *start);
void job_result_free(struct job_result *result);
OWNER(job_result)

/** "passed" … Static. */
const char *outcome_name(enum outcome outcome);

/**
 * Note a failure because of which the job does not pass. The first one stays,
 * but that the infrastructure's take the place of a step's.
 */
void job_result_fail(struct job_result *result, enum reason reason,
                     const char *fmt, ...) PRINTF_LIKE(3, 4);
/** The job is ended from outside: nothing takes the place of this reason. */
void job_result_end(struct job_result *result, enum reason reason,
                    const char *fmt, ...) PRINTF_LIKE(3, 4);

/** Whether somebody wanted the job's end: cancelled, superseded. */
bool reason_is_cancel(enum reason reason);

/** Note a file that step `index` left. `path` is copied. */
void job_result_add_artifact(struct job_result *result, size_t index,
                             const char *path, uint64_t size_bytes);
/** Forget what step `index` left. */
void job_result_drop_artifacts(struct job_result *result, size_t index);
/** How many files step `index` (SIZE_MAX: all) left, and their bytes. */
unsigned job_result_count_artifacts(const struct job_result *result,
                                    size_t index, uint64_t *out_bytes);

/**
 * What the reports of step `index` say (schemas/findings.schema.json; a
 * reference is taken), in place of what was there; NULL: nothing. -1: it is no
 * such document, or larger than what is left.
 */
int job_result_set_findings(struct job_result *result, size_t index,
                            json_t *findings);
/** What is left of the limits for step `index`. */
void job_result_findings_left(const struct job_result *result, size_t index,
                              size_t *out_count, size_t *out_bytes);

/** One step, without findings, as schemas/result.schema.json has it. Owned by
 * the caller. */
MUST_USE json_t *step_result_json(const struct job_result *result,
                                  const struct job_start *start, size_t index);
/** The whole document, ended now. Owned by the caller. */
MUST_USE json_t *job_result_json(const struct job_result *result,
                                 const struct job_start *start,
                                 const char *driver);

#endif
