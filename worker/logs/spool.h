/* worker/logs/spool.h - a job's whole log on the worker's disk. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_LOGS_SPOOL_H
#define WORKER_LOGS_SPOOL_H

#include "scheduler/queue/log_block.h"
#include "worker/logs/file.h"

/*
 * Blocks are appended to a file (worker/logs/file.h) while the job runs; the
 * log store takes it when the job has ended. Writes are small and go to the
 * page cache; there is no fsync: after a power cut the end of a log is missing.
 *
 * What cannot be written, because the log is too long or the disk is full, is
 * counted, never reported as an error: a gap entry stands in its place, written
 * before the next block that can be, or by spool_finish().
 *
 * A process with a limit of file sizes has to ignore SIGXFSZ.
 */
struct spool;

/** Of a log: bytes of output, or of the file, whichever are more. */
#define SPOOL_MAX_BYTES ((uint64_t)80 << 20)

struct spool_options {
    const char *dir;    /* made (0700) where it is missing */
    const char *id;     /* of the job */
    uint64_t epoch;     /* of the lease */
    uint64_t max_bytes; /* 0: SPOOL_MAX_BYTES */
};

/**
 * Make the file (0600), or go on with one that is there: a last block that is
 * not whole, or damaged, is cut off with all behind it. ERR_USER: no id of a
 * job; ERR_TRANSIENT: it cannot be made or read; do without it.
 */
MUST_USE int spool_open(const struct spool_options *options,
                        struct spool **out_spool, struct err *err);
/** Leaves the file. NULL is fine. */
void spool_free(struct spool *spool);
OWNER(spool)

/** Its file; borrowed. */
const char *spool_path(const struct spool *spool);
/** What log_builder_new() wants in order to go on with this log. */
uint64_t spool_next_seq(const struct spool *spool);
uint64_t spool_offset(const struct spool *spool);
/** Bytes of output that this spool was given and could not write. */
uint64_t spool_lost_bytes(const struct spool *spool);

/**
 * Append a block. They come in order; one that begins before spool_next_seq()
 * was appended already and is passed over.
 */
void spool_append(struct spool *spool, const struct log_block *block);

/**
 * The log ended: write the gap that is due. False when that fails: then the
 * file does not say that its end is missing.
 */
bool spool_finish(struct spool *spool);

/**
 * Read what is in the file from entry `from_seq` on; near it from the start,
 * for the spool knows where in the file it is. The reader is owned by the
 * caller and can outlive the spool. ERR_TRANSIENT: no descriptor is left.
 */
MUST_USE int spool_read(const struct spool *spool, uint64_t from_seq,
                        struct log_reader **out_reader, struct err *err);

#endif
