/* worker/logs/file.h - a job's log as a file of blocks. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_LOGS_FILE_H
#define WORKER_LOGS_FILE_H

#include "scheduler/queue/log_block.h"

/*
 * The log of one lease is one file, in the spool as in a log store: blocks
 * (log_block_put), one behind the other, and nothing else.
 */

/** "<id>-<epoch>.log" into `out`. ERR_USER: no id of a job. */
#define LOG_FILE_NAME_SIZE 96
MUST_USE int log_file_name(const char *id, uint64_t epoch,
                           char out[LOG_FILE_NAME_SIZE], struct err *err);
/** Is it what log_file_name() makes? */
bool log_file_is_name(const char *name);

/**
 * For who copies the file to where it stays, and then removes it: open and lock
 * it, until `*out_fd` is closed. One at a time: a copier can outlive the worker
 * that started it, and its successor starts another. 1: it is held; 0: there is
 * none, or none any more, for another came first; -1: ERR_TRANSIENT.
 */
MUST_USE int log_file_hold(const char *path, int *out_fd, struct err *err);

/** Reads such a file, also while it grows. */
struct log_reader;

/**
 * Read `fd`, which is owned by the reader from now on, from the block at `at`
 * on (0: the first), and tell entries from number `from_seq` on.
 */
struct log_reader *log_reader_new(int fd, uint64_t at, uint64_t from_seq);
void log_reader_free(struct log_reader *reader);
OWNER(log_reader)

/**
 * The next block in which there is such an entry: 1, and `*out_block`, which
 * borrows the reader until its next call. 0: there is no more now, or the last
 * one is not whole yet; the file may have grown at the next call. -1: ERR_USER,
 * it is damaged here; ERR_TRANSIENT, it cannot be read.
 */
MUST_USE int log_reader_next_block(struct log_reader *reader,
                                   struct log_block *out_block,
                                   struct err *err);
/**
 * The same for entries, one by one. Use either this or the other. What
 * `out_entry` borrows lasts until the next call.
 */
MUST_USE int log_reader_next(struct log_reader *reader,
                             struct log_entry *out_entry, struct err *err);

/** Where in the file the last block ends that was told or passed over. */
uint64_t log_reader_at(const struct log_reader *reader);

#endif
