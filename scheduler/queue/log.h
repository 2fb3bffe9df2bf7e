/* scheduler/queue/log.h - what jobs printed, on its way through Redis. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_QUEUE_LOG_H
#define SCHEDULER_QUEUE_LOG_H

#include "scheduler/queue/lease.h"
#include "scheduler/queue/log_block.h"

typedef void queue_log_fn(void *arg, const struct log_entry *entry);

/**
 * Tell what Redis holds of the log of lease `epoch` of a job, from entry
 * `from_seq` (1: the first) on: its head (256 KiB), a gap where blocks are not
 * there (any more), its tail (1 MiB). None is fine. A gap has the number of the
 * first entry it stands for; `gap_bytes` is 0 where it is not known how much is
 * missing. `*out_next_seq` is what to go on with; what is written meanwhile is
 * told then. ERR_USER: a malformed id, a block or counter that is damaged or
 * does not fit the others; ERR_TRANSIENT. Part may have been told by then.
 * Blocks.
 */
MUST_USE int queue_log(struct queue *queue, const char *id, uint64_t epoch,
                       uint64_t from_seq, queue_log_fn *fn, void *arg,
                       uint64_t *out_next_seq, struct err *err);

/** Where the log of a lease is: what its keys begin with. Owned by the caller.
 */
MUST_USE char *lease_log_stream(const struct lease *lease);

/**
 * `err` NULL: stored, or left out for want of room. ERR_LOST: the lease is
 * lost. ERR_TRANSIENT, ERR_TIMEOUT: try again.
 */
typedef void lease_logged_fn(void *arg, const struct err *err);

/**
 * Append whole blocks (log.lua), one behind the other as log_block_put() makes
 * them, in the order of their numbers; at most LEASE_LOG_MAX_BYTES. What is
 * there already is passed over: a repeat adds nothing. All logs of the pool
 * together take `budget_bytes` at most: above it the oldest logs of jobs that
 * do not run go first, then the tail of this one, if that makes room enough;
 * then blocks are left out.
 */
#define LEASE_LOG_MAX_BYTES ((size_t)256 << 10)
void lease_log(struct lease *lease, uint64_t budget_bytes, const void *blocks,
               size_t len, lease_logged_fn *fn, void *arg);

#endif
