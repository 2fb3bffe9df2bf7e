/* worker/supervisor/job_log.h - a job's output on its way to Redis. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SUPERVISOR_JOB_LOG_H
#define WORKER_SUPERVISOR_JOB_LOG_H

#include "base/loop.h"
#include "scheduler/queue/log.h"

/*
 * Output is gathered for some milliseconds and sent in batches, one at a
 * time, each until Redis has it. While Redis is slow or away at most
 * JOB_LOG_MAX_PENDING bytes wait; what comes then is dropped, and a gap with
 * their number stands in its place.
 */
struct job_log;

#define JOB_LOG_MAX_PENDING ((size_t)1 << 20)

/** Both borrowed; they must outlive it. */
struct job_log *job_log_new(struct loop *loop, struct lease *lease);
/** What is not stored yet is lost. NULL is fine. */
void job_log_free(struct job_log *log);
OWNER(job_log)

/** Add output of a step; `stream` is "stdout", "stderr" or "note" (static). */
void job_log_add(struct job_log *log, unsigned step, const char *stream,
                 const void *data, size_t len);

typedef void job_log_done_fn(void *arg);
/**
 * Call `fn` once, from the loop, when all is stored, or after `limit_ms`: then
 * the rest is given up and a gap sent in its place. Nothing may be added after
 * it.
 */
void job_log_finish(struct job_log *log, int64_t limit_ms, job_log_done_fn *fn,
                    void *arg);

/** Bytes dropped so far. */
uint64_t job_log_dropped(const struct job_log *log);

#endif
