/* scheduler/queue/submit.h - putting jobs in. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_QUEUE_SUBMIT_H
#define SCHEDULER_QUEUE_SUBMIT_H

#include "pipelines/job.h"
#include "scheduler/queue/queue.h"

/** What is taken at most: bytes of a payload, jobs at once, and their bytes. */
#define QUEUE_MAX_PAYLOAD     ((size_t)1000 << 10)
#define QUEUE_MAX_BATCH       1000
#define QUEUE_MAX_BATCH_BYTES ((size_t)64 << 20)

/** A job for the queue. All strings are borrowed; NULL is none. */
struct queue_job {
    const char *id;      /* the caller's, so that a repeat is a no-op */
    const char *payload; /* JSON: what run-job gets (worker/job/events.h), or of
                            a run what run.h says */
    size_t run_jobs;     /* how many jobs it has, if it is a run; else 0 */
    const char *tenant;  /* whose line it waits in; queue_tenant(); no ':' */
    const char *pipeline; /* its name, for caps */
    enum job_priority priority;
    const struct strv *labels; /* what a worker must have; no ',' or ':' */
    int64_t not_before_ms;     /* since 1970; 0: now */
    int64_t expires_at_ms;     /* not started by then: it expires; 0: never */
    const char *dedupe_key;
    int64_t dedupe_ms; /* how long the key counts; above 0 if there is one */
    const struct concurrency *concurrency; /* its group is expanded already */
    unsigned job_retries; /* after failures that are its own fault */
    int infra_retries;    /* after others; -1: as the pool has it */
    const char *report;   /* JSON: where the result is told */
    const char *about;    /* JSON for people: repo, commit, branch, change… */
    int64_t as_of_ms;     /* by Redis' clock: after that the host said that the
                             commit is the head of the change; 0: not asked */
};

enum queue_admission {
    QUEUE_QUEUED,
    QUEUE_EXISTS,    /* a job with this id is there already: the same one */
    QUEUE_DUPLICATE, /* `id` is the job that has its dedupe key */
    QUEUE_OVERTAKEN, /* a job of a younger commit of its change is there */
};

struct queue_answer {
    enum queue_admission what;
    char id[QUEUE_MAX_ID + 1];
};

/**
 * Put jobs in, all of them at once (submit.lua); `answers` has room for
 * `count`. ERR_USER: a malformed id or name, a payload that is too large, too
 * many, an id that a run has for one of its jobs; ERR_TRANSIENT. Blocks.
 */
MUST_USE int queue_submit(struct queue *queue, const struct queue_job *jobs,
                          size_t count, struct queue_answer *answers,
                          struct err *err);

/** What the calls here demand of jobs; ERR_USER says which does not fit. */
MUST_USE int queue_check_jobs(const struct queue_job *jobs, size_t count,
                              struct err *err);

/** `err` NULL: answered. ERR_LOST: another scheduler has the document. */
typedef void queue_submit_fn(void *arg, const struct queue_answer *answers,
                             size_t count, const struct err *err);

/** A document that a scheduler took from the inbox (keeper.h); borrowed. */
struct queue_document {
    const char *scheduler;
    const void *text;
    size_t len;
};

/**
 * The same, asynchronously, of jobs that queue_check_jobs() found good:
 * everything is copied. With a document (NULL: none),
 * it leaves the scheduler's list in the same script, or nothing is put in.
 */
void queue_submit_async(struct queue *queue,
                        const struct queue_document *document,
                        const struct queue_job *jobs, size_t count,
                        queue_submit_fn *fn, void *arg);

/**
 * The tenant of a repository: its address without scheme, user and `.git`,
 * other characters than [A-Za-z0-9._/~-] as '_', 128 bytes at most; "none" for
 * NULL or "". Owned by the caller.
 */
MUST_USE char *queue_tenant(const char *repo);

#endif
