/* scheduler/intake/repo_reader.h - many readings from repositories. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_INTAKE_REPO_READER_H
#define SCHEDULER_INTAKE_REPO_READER_H

#include "scheduler/intake/repo_file.h"

/*
 * Who reads from the same repository would wait at the lock of its mirror for
 * one fetch after the other. So one of them goes first and brings along the
 * commits of all that wait, which then find them there: a burst of deliveries
 * costs a few fetches, not one each. Nor does each wait for a time-out of its
 * own: that the host is away is told to all. There are REPO_READER_MAX
 * processes at a time, and REPO_READER_EACH of one repository; the others wait
 * in their order.
 */
struct repo_reader;

#define REPO_READER_MAX  8
#define REPO_READER_EACH 4

/** A loop, borrowed, which must outlive it. */
struct repo_reader *repo_reader_new(struct loop *loop);
/** Those that still wait or run are given up, without a callback; their
 * handles are to be freed before. NULL is fine. */
void repo_reader_free(struct repo_reader *reader);
OWNER(repo_reader)

/** One reading. */
struct repo_reading;

/**
 * Read, as soon as it is its turn: repo_file_get(), but that all is copied and
 * that every error comes by `fn`, once, from the loop and never from inside
 * this call. repo_reading_free() is allowed in it, and needed afterwards.
 * `timeout_ms` counts from its turn; `also` is the reader's own.
 */
struct repo_reading *repo_reader_get(struct repo_reader *reader,
                                     const struct repo_file_request *request,
                                     repo_file_fn *fn, void *arg);
/** Give it up, without a callback. NULL is fine. */
void repo_reading_free(struct repo_reading *reading);
OWNER(repo_reading)

#endif
