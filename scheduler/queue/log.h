/* scheduler/queue/log.h - what jobs printed, on its way through Redis. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_QUEUE_LOG_H
#define SCHEDULER_QUEUE_LOG_H

#include "scheduler/queue/lease.h"
#include "scheduler/queue/log_block.h"

/** A piece of a job's log, in order. */
struct queue_log_entry {
    unsigned step;      /* index of the step */
    const char *stream; /* "stdout", "stderr", "note", or "gap" */
    const char *data;   /* not NUL-terminated; empty for a gap */
    size_t len;
    uint64_t gap_bytes; /* of a gap: bytes of output that were dropped here */
};

/* ---- reading ------------------------------------------------------------- */

/** An entry, valid during the call; LOG_GAP: output that is not in Redis. */
typedef void queue_log_fn(void *arg, const struct log_entry *entry);

/**
 * Tell what Redis holds of the log of lease `epoch` of a job, from entry
 * `from_seq` (1: the first) on: its head, a gap if something is missing, its
 * tail. `*out_next_seq` is the number to go on with. None is fine. On failure
 * `fn` may have been told a part of it. Blocks. ERR_USER: a block is damaged.
 */
MUST_USE int queue_log(struct queue *queue, const char *id, uint64_t epoch,
                       uint64_t from_seq, queue_log_fn *fn, void *arg,
                       uint64_t *out_next_seq, struct err *err);

/* ---- writing ------------------------------------------------------------- */

/** Where the log of a lease is: the common part of its keys. Owned by the
 * caller. */
MUST_USE char *lease_log_stream(const struct lease *lease);

/**
 * `err` NULL: stored. ERR_LOST: the lease is lost. ERR_TRANSIENT, ERR_TIMEOUT:
 * try again.
 */
typedef void lease_logged_fn(void *arg, const struct err *err);

/**
 * Append some entries to the job's log (log.lua), dropping the oldest of the
 * tail to stay within bounds. At most LEASE_LOG_MAX_ENTRIES and
 * LEASE_LOG_MAX_BYTES. `batch` (1, 2, 3…) is the caller's number of this call:
 * one that was stored already is a success, so that a repeat adds nothing
 * twice.
 */
#define LEASE_LOG_MAX_ENTRIES 64
#define LEASE_LOG_MAX_BYTES   ((size_t)256 << 10)
void lease_log(struct lease *lease, uint64_t batch,
               const struct queue_log_entry *entries, size_t count,
               lease_logged_fn *fn, void *arg);

#endif
