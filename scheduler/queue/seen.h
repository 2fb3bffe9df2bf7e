/* scheduler/queue/seen.h - what is remembered of Git hosts' repositories. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_QUEUE_SEEN_H
#define SCHEDULER_QUEUE_SEEN_H

#include "scheduler/queue/control.h"

/*
 * So that what a host failed to send can be found out: attend.lua notes each
 * repository of which something came, and whoever asked for its open changes
 * notes their heads. Asynchronous; ERR_TRANSIENT, ERR_TIMEOUT: Redis is away.
 */

#define QUEUE_MAX_SEEN 1000 /* the last ones; 30 days at most */

/** `words`: as each function says; borrowed for the duration of the call. */
typedef void queue_words_fn(void *arg, const char *const *words, size_t count,
                            const struct err *err);

/** "<forge> <owner/name>" each, the last one seen first. */
void queue_seen_repos(struct queue *queue, queue_words_fn *fn, void *arg);

/** Change and commit, change and commit …; of a repository. */
void queue_seen_heads(struct queue *queue, const char *forge, const char *repo,
                      queue_words_fn *fn, void *arg);

/** Note them, in place of all that were noted of it before (heads.lua). */
void queue_note_heads(struct queue *queue, const char *forge, const char *repo,
                      const char *const *words, size_t count, queue_done_fn *fn,
                      void *arg);

/** `report` of a job, JSON: one word, or none if there is no such job. */
void queue_job_report(struct queue *queue, const char *id, queue_words_fn *fn,
                      void *arg);

#endif
