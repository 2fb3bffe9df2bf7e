/* pipelines/plan.h - the jobs that come of a document, and in which order. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINES_PLAN_H
#define PIPELINES_PLAN_H

#include "pipelines/document.h"

/*
 * A document and the facts of one run make a plan, always the same one: who
 * keeps both (document_to_json(), plan_facts_to_json()) can make it again at
 * any time, and ask what is to start next. Nothing here knows of queues.
 *
 * A group is a job of the document with all its siblings; others need the group
 * and see its one outcome.
 */

#define PLAN_MAX_GROUP_BYTES 256 /* of the expanded concurrency group */

/** What a run is about, for expressions; NULL: there is none. All borrowed. */
struct plan_facts {
    const char *repo, *commit, *branch, *change, *base;
    const char *trust;    /* NULL: member */
    const json_t *inputs; /* an object of strings, or NULL */
};

enum plan_outcome {
    PLAN_PENDING, /* not ended, or not even started */
    PLAN_SUCCESS,
    PLAN_FAILURE,
    PLAN_CANCELLED,
    PLAN_SKIPPED,
    PLAN_OUTCOME_COUNT
};

struct plan_group {
    const struct document_job *source; /* borrowed from the document */
    const char *name;      /* the same: the key under `jobs`, or NULL */
    size_t first;          /* its jobs are first to first + count - 1 */
    size_t count;          /* at least 1 */
    unsigned max_parallel; /* 0: no limit */
    bool fail_fast;        /* one that fails cancels its siblings */
    const size_t *needs;   /* groups; borrowed */
    size_t need_count;
};

struct plan_job {
    char *name;   /* owned; for people: `test (node: 20, os: a)` */
    size_t group; /* index of its group */
    const struct env_list *matrix; /* borrowed; NULL: no matrix */
    struct strv labels;            /* what a worker must have, expanded */
};

struct plan {
    const struct document *document; /* borrowed */
    char *concurrency_group;   /* owned; expanded, or NULL: there is none */
    struct plan_group *groups; /* owned; in the order of the document */
    size_t group_count;
    struct plan_job *jobs; /* owned; in the order of their groups */
    size_t job_count;
};

/**
 * Make the plan of a run. The plan borrows the document, but not the facts.
 * ERR_USER: an expression works out to what cannot be (a label, a group).
 */
MUST_USE int plan_make(const struct document *document,
                       const struct plan_facts *facts, struct plan **out_plan,
                       struct err *err);
void plan_free(struct plan *plan);
OWNER(plan)

/** The normalised pipeline of one job, for run-job (json_decref). */
MUST_USE json_t *plan_pipeline_json(const struct plan *plan, size_t job);
/** {"node": "20"}, for run-job; empty without a matrix (json_decref). */
MUST_USE json_t *plan_matrix_json(const struct plan *plan, size_t job);

enum plan_decision { PLAN_WAIT, PLAN_START, PLAN_SKIP };

/**
 * What is to be done with a job that was not started yet. `outcomes` has one
 * entry a group. PLAN_WAIT: a group that it needs is pending. Else its
 * condition decides; without one, all that it needs must have succeeded.
 * `cancelled`: somebody asked for the end of the run; then success() and
 * failure() are false, whatever it needs, so that only what says always() or
 * cancelled() is started. `max_parallel` is the caller's.
 */
MUST_USE int plan_decide(const struct plan *plan, size_t job,
                         const struct plan_facts *facts,
                         const enum plan_outcome *outcomes, bool cancelled,
                         enum plan_decision *out, struct err *err);

/**
 * The one outcome of many: pending while one is, else failure if any failed,
 * else cancelled if any was, else success, or skipped if all were (or there are
 * none). For the jobs of a group, and for the groups of a run.
 */
enum plan_outcome plan_aggregate(const enum plan_outcome *outcomes,
                                 size_t count);

/** "pending", "success", "failure", "cancelled", "skipped". Static. */
const char *plan_outcome_name(enum plan_outcome outcome);

/** The facts as JSON, with null for what is not there (json_decref). */
MUST_USE json_t *plan_facts_to_json(const struct plan_facts *facts);
/** The inverse; the facts borrow from `json`. */
struct plan_facts plan_facts_from_json(const json_t *json);

#endif
