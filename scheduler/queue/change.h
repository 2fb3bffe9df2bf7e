/* scheduler/queue/change.h - the jobs of a change of a Git host. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_QUEUE_CHANGE_H
#define SCHEDULER_QUEUE_CHANGE_H

#include "scheduler/queue/queue.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * A job whose `report` names forge, repo and change is one of that change, and
 * one of its commit (lua/lib/reports.lua keeps the lists).
 */

/** All borrowed during the call. */
struct queue_change {
    const char *forge;  /* "github" … */
    const char *repo;   /* owner/name */
    const char *change; /* its number; or a commit: all jobs of it, also of
                           pushes and of several changes */
};

/** All borrowed, for the duration of the callback. */
struct queue_change_job {
    const char *id;
    const char *pipeline;
    const char *state;  /* as in schemas/redis-keys.md */
    const char *commit; /* of its report */
};

typedef void queue_change_jobs_fn(void *arg,
                                  const struct queue_change_job *jobs,
                                  size_t count, const struct err *err);

#define QUEUE_MAX_CHANGE_JOBS 100

/** The last QUEUE_MAX_CHANGE_JOBS of its jobs, the youngest first. */
void queue_change_jobs(struct queue *queue, const struct queue_change *change,
                       queue_change_jobs_fn *fn, void *arg);

/** All borrowed, for the duration of the callback. */
typedef void queue_change_reviews_fn(void *arg, const char *const *results,
                                     size_t count, const struct err *err);

#define QUEUE_MAX_CHANGE_REVIEWS 3

/**
 * The results (JSON, schemas/result.schema.json) of its last
 * QUEUE_MAX_CHANGE_REVIEWS jobs of a pipeline, as a report names it, that have
 * ended and tell of a review, the youngest first.
 */
void queue_change_reviews(struct queue *queue,
                          const struct queue_change *change,
                          const char *pipeline, queue_change_reviews_fn *fn,
                          void *arg);

#endif
