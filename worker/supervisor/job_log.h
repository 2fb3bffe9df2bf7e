/* worker/supervisor/job_log.h - a job's output on its way to Redis and disk. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SUPERVISOR_JOB_LOG_H
#define WORKER_SUPERVISOR_JOB_LOG_H

#include "base/loop.h"
#include "scheduler/queue/log.h"
#include "worker/logs/mask.h"
#include "worker/logs/store.h"

/*
 *   frames ─▶ mask ─▶ blocks ─▶ spool (a file) ─▶ Redis
 *                                     └─▶ log store, when the job has ended
 *
 * Output is masked, gathered for some milliseconds, and appended to the spool;
 * from there it goes to Redis, one batch at a time, each until Redis has it. So
 * memory stays bounded, and nothing is lost while Redis is away, up to the
 * spool's bound. Without a spool (no disk) what Redis does not take at once is
 * lost; the numbers of bytes tell it to readers.
 */
struct job_log;

/** All borrowed; they must outlive the log. */
struct job_log_spec {
    struct loop *loop;
    struct lease *lease;
    const char *state_dir;   /* the spool is <state_dir>/spool */
    struct log_store *store; /* NULL: the file goes when the job has ended */
    const struct mask *mask; /* NULL: nothing is secret */
    const uint64_t *budget_bytes; /* of the pool's logs in Redis; may change */
};

struct job_log *job_log_new(const struct job_log_spec *spec);
/**
 * Nothing is added any more: the whole log goes from the spool to the store, or
 * without one is removed. Once; job_log_finish() and job_log_free() do it, too.
 * NULL is fine.
 */
void job_log_put_away(struct job_log *log);

/** Redis gets no more of it; the store has what came so far. NULL is fine. */
void job_log_free(struct job_log *log);
OWNER(job_log)

/** Add output of a step; steps may print beside one another, 100 of a job. */
void job_log_add(struct job_log *log, unsigned step, enum log_stream stream,
                 const void *data, size_t len);

/** The step ended: add what was held back because a secret might begin so. */
void job_log_end_step(struct job_log *log, unsigned step);

typedef void job_log_done_fn(void *arg);
/**
 * Call `fn` once, from the loop, when Redis has all, or after `limit_ms` in
 * which it took some; while it takes nothing it would not take a result either,
 * and its log waits. The whole log is in the store by then. Nothing may be
 * added after it.
 */
void job_log_finish(struct job_log *log, int64_t limit_ms, job_log_done_fn *fn,
                    void *arg);

/** Bytes that are neither in the store nor, all the more, in Redis. */
uint64_t job_log_lost_bytes(const struct job_log *log);
/** Where the store has it (log_store_name); borrowed. NULL: nowhere. */
const char *job_log_stored(const struct job_log *log);

/**
 * Remove what processes that were killed left in the spool of `state_dir` over
 * a week ago.
 */
void job_log_clean(const char *state_dir);

#endif
