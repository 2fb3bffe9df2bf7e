/* pipelines/document.h - a whole document of the language: one job or many. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINES_DOCUMENT_H
#define PIPELINES_DOCUMENT_H

#include "pipelines/pipeline.h"

/*
 * struct pipeline is one job, as run-job sees it. A document is what people
 * write: either the keys of one job (steps, sandbox …) or `jobs` with several
 * of them; each may have a matrix, which makes siblings of it. How many jobs
 * come of it, and what each is like, says its plan (pipelines/plan.h).
 */

#define DOCUMENT_MAX_JOBS   50  /* under `jobs` */
#define DOCUMENT_MAX_LABELS 20  /* of a job */
#define DOCUMENT_MAX_ROWS   500 /* jobs in all, once matrices are multiplied */
#define MATRIX_MAX_ROWS     256 /* siblings of one job */
#define MATRIX_MAX_CELLS    16  /* values of one sibling */

/** The siblings that a matrix makes, in order; count 0: there is no matrix. */
struct matrix {
    struct env_list *rows; /* owned; each one's names and values */
    size_t count;
    unsigned max_parallel; /* siblings that run at once; 0: no limit */
    bool fail_fast;        /* one that fails cancels the others */
};

/** How a run gets along with others of its group. */
struct concurrency {
    char *group; /* owned; may hold ${{ }}; NULL: there is no group */
    bool cancel_in_progress; /* a new run ends those before it */
    unsigned queue; /* how many may wait, the oldest giving way; 0: any */
};

struct document_job {
    char *name;                /* owned; the key under `jobs`, or NULL */
    struct pipeline *pipeline; /* owned; its image may hold ${{ matrix.x }} */
    struct matrix matrix;
    struct strv labels; /* may hold ${{ }} */
    char *condition;    /* owned; `if` of the job without ${{ }}, or NULL */
    size_t *needs;      /* owned; indices of jobs, in the order written */
    size_t need_count;
};

struct document {
    char *name;        /* owned; never NULL; that of its pipelines, too */
    char *description; /* owned; or NULL */
    struct concurrency concurrency;
    struct document_job *jobs; /* owned; in the order of the document */
    size_t job_count;
    bool has_jobs; /* written with `jobs` */
};

/** As pipeline_load(), for any document. */
MUST_USE int document_load(const char *file, const char *text, size_t len,
                           struct diag_list *diags,
                           struct document **out_document);

/**
 * The normalised document: every default filled in, aliases resolved, each
 * matrix as the list of its siblings. document_from_json() of it gives an equal
 * document. Owned by the caller (json_decref).
 */
MUST_USE json_t *document_to_json(const struct document *document);

/** The inverse; ERR_USER for anything that document_load() would refuse. */
MUST_USE int document_from_json(const json_t *json,
                                struct document **out_document,
                                struct err *err);

/** Whether any step checks a repository out. */
bool document_needs_repo(const struct document *document);

void document_free(struct document *document);
OWNER(document)

#endif
