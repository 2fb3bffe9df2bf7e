/* scheduler/intake/admit.h - from a job document to jobs in the queue. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_INTAKE_ADMIT_H
#define SCHEDULER_INTAKE_ADMIT_H

#include "pipelines/job.h"
#include "scheduler/intake/repo_reader.h"
#include "scheduler/queue/submit.h"

/*
 * The one path for the inbox and for `berth submit`: check the document, find
 * the pipeline and the commit of each request, and put all its jobs into the
 * queue at once, or none. Documents bring no credentials: what cannot be read
 * by everybody is named only by whoever has some for it.
 */
struct admission;

/** How admissions are made. All borrowed; must outlive them. */
struct admit_options {
    struct loop *loop;
    struct queue *queue;
    struct repo_reader *reader;
    const char *state_dir;   /* absolute: its mirrors are used */
    unsigned uid;            /* as in repo_file.h */
    int64_t read_timeout_ms; /* of one reading from a repository */
    /* How often a repository whose host is away is asked again, and how long
     * after the first time; four times as long each further time. */
    unsigned retries;
    int64_t retry_ms;
};

/**
 * Pipelines of a repository that were read already, at a commit or at the tip
 * of a branch: all of its .berth/, or those of `paths` alone.
 */
struct admit_known {
    const char *repo, *commit, *branch; /* what was asked for; or NULL */
    const char *found;                  /* the commit that was meant */
    const struct strv *paths, *texts;   /* as many */
    bool all; /* a file of .berth/ that is not among them is not there */
};

/** All borrowed, and copied, but for the batch and what is known. */
struct admit_request {
    const char *file; /* what messages call the document */
    const char *text; /* `len` bytes of any kind */
    size_t len;
    struct job_batch *batch; /* taken; what was loaded already, or NULL */
    const char *scheduler;   /* who holds the document (keeper.h); or NULL */
    /* For the repositories of all its requests (http), or NULL. They are in no
     * job; wiped with the admission. */
    const char *username, *password;
    const struct admit_known *known; /* outlives the admission; or NULL */
    int64_t now_ms; /* since 1970, if possible by Redis' clock */
};

/** All borrowed, for the duration of the callback. */
struct admit_outcome {
    const struct queue_answer *answers; /* one a request, in their order */
    const struct queue_job *jobs;       /* the same */
    size_t count;                       /* 0: none was put in */
    /* Why not, in full, for people: every error with its place. NULL: `err`
     * says it all. */
    const char *complaint;
    struct err err; /* ERR_NONE, ERR_USER; ERR_LOST: another scheduler has the
                       document; ERR_TRANSIENT, ERR_TIMEOUT: something is away
                     */
};
typedef void admit_fn(void *arg, const struct admit_outcome *outcome);

/**
 * Start. `fn` comes once, from the loop and never from inside this call;
 * admission_free() is allowed in it, and needed afterwards. While Redis is
 * away, a document that a scheduler holds waits for it.
 */
MUST_USE struct admission *admit(const struct admit_options *options,
                                 const struct admit_request *request,
                                 admit_fn *fn, void *arg);

/**
 * Give up. An admission whose jobs are on their way to Redis may be freed only
 * after the queue was, or in its callback. NULL is fine.
 */
void admission_free(struct admission *admission);
OWNER(admission)

#endif
