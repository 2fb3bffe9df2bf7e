/* pipelines/job.h - what somebody asks the queue to do: a job document. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINES_JOB_H
#define PIPELINES_JOB_H

#include "pipelines/document.h"

/*
 * schemas/job.schema.json says the same to editors. A document is one request,
 * or a list of them, which is admitted as a whole or not at all.
 */

#define JOB_MAX_BATCH             1000
#define JOB_MAX_ID                32 /* bytes; what a matrix makes has a suffix */
#define JOB_MAX_INPUTS            64
#define JOB_MAX_RETRIES           10
#define JOB_MAX_REPORT_BYTES      ((size_t)16 << 10)
#define JOB_MAX_TITLE_BYTES       ((size_t)1 << 10)
#define JOB_MAX_DESCRIPTION_BYTES ((size_t)8 << 10)
#define JOB_MAX_PREVIOUS_BYTES    ((size_t)256 << 10)
#define JOB_MAX_WAIT_MS           ((int64_t)365 * 24 * 3600 * 1000)
#define JOB_DEDUPE_MS             ((int64_t)3600 * 1000) /* unless said otherwise */

enum job_priority { JOB_URGENT, JOB_HIGH, JOB_NORMAL, JOB_LOW };

/** "urgent" … "low". Static. */
const char *job_priority_name(enum job_priority priority);

/** Where the pipeline comes from. */
enum job_source {
    JOB_KIND,     /* `pipeline_name` ships with berth (pipelines/library.h) */
    JOB_PIPELINE, /* of the repository (see job_pipeline_path()), or ships */
    JOB_INLINE,   /* `document` */
};

/** A moment, or a delay that starts when the request is admitted. */
struct job_moment {
    enum { JOB_NO_MOMENT, JOB_AT, JOB_AFTER } kind;
    int64_t ms; /* since 1970, or from then on */
};

struct job_request {
    char *id; /* owned; [a-z0-9][a-z0-9-]*, or NULL: intake makes one */
    enum job_source source;
    char *pipeline_name;       /* owned; NULL when it is inline */
    struct document *document; /* owned; JOB_INLINE, else NULL */
    char *repo; /* owned, as are the following; NULL when left out */
    char *commit;
    char *ref;
    char *branch;
    char *base;
    char *change; /* the number of a pull request, as text */
    char *title;  /* of the change; a stranger's, for reviewers alone: in no
                     variable and no expression; as the next */
    char *description;
    json_t *previous; /* owned, or NULL: the last review: {"commit", "findings":
                         findings.schema.json, or none} */
    bool fork; /* trust: a stranger's; also when there is a change, or ref
                  is one of a change, and nothing is said about trust */
    struct env_list inputs, env; /* plain text, no ${{ }} in it */
    enum job_priority priority;
    char *dedupe_key; /* owned; or NULL */
    int64_t dedupe_ms;
    struct concurrency concurrency; /* in place of the pipeline's, if a group */
    bool concurrency_yields; /* … only where the pipeline has none; of a request
                                that the scheduler makes itself */
    int64_t as_of_ms; /* scheduler/queue/submit.h; of such a request, too */
    struct job_moment not_before;
    struct job_moment deadline; /* not started by then: it expires */
    struct strv labels;         /* besides those of the pipeline */
    unsigned retries; /* further attempts after failures of its own fault */
    json_t *report;   /* owned; an object with `forge`, or NULL: nowhere */
};

struct job_batch {
    struct job_request *items; /* owned; at least one */
    size_t count;
    bool is_list; /* written as a list */
};

/**
 * Load a job document: YAML, or JSON, which is YAML too. `text` need not be
 * NUL-terminated and may be anything at all. Returns 0 and `*out_batch`, owned
 * by the caller; -1 with every error found in `diags`.
 */
MUST_USE int job_load(const char *file, const char *text, size_t len,
                      struct diag_list *diags, struct job_batch **out_batch);

/**
 * A request with every default filled in and an inline document normalised;
 * job_load() of its text gives an equal one. Owned by the caller (json_decref).
 */
MUST_USE json_t *job_to_json(const struct job_request *request);

/**
 * Where a named pipeline is in the repository, `.berth/NAME.yml`; a name that
 * is a path already (it ends with .yml or .yaml) stays. Owned by the caller.
 */
MUST_USE char *job_pipeline_path(const char *name);

/** Since 1970; 0 for none. */
int64_t job_moment_at(const struct job_moment *moment, int64_t now_ms);

void job_batch_free(struct job_batch *batch);
OWNER(job_batch)

#endif
