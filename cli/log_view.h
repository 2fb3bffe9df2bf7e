/* cli/log_view.h - a job's log for people, or as lines of JSON. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_LOG_VIEW_H
#define CLI_LOG_VIEW_H

#include "cli/style.h"
#include "scheduler/queue/log_block.h"

#include <jansson.h>
#include <stdio.h>

struct log_view;

struct log_view_options {
    FILE *out; /* borrowed */
    struct style style;
    bool json;       /* a line of JSON an entry; else lines of text */
    bool timestamps; /* in front of each line, RFC 3339 */
    int step;        /* only of this one; -1: of all */
};

/**
 * Text goes behind a gutter, so that no output can pass for a heading or a
 * word of berth's, and without what would steer a terminal.
 */
MUST_USE struct log_view *log_view_new(const struct log_view_options *options);
void log_view_free(struct log_view *view);
OWNER(log_view)

/**
 * Begin with the log of one attempt: from its first entry on. `names` is an
 * array of objects with the steps' `name`s in their order, or NULL; borrowed
 * until the next call.
 */
void log_view_begin(struct log_view *view, const char *job_id, uint64_t epoch,
                    const json_t *names);
/**
 * The number of the entry from which to read on: call it before each reading.
 * After one that failed halfway nothing is shown twice.
 */
uint64_t log_view_resume(struct log_view *view);
/** A reading told all up to `next_seq`. */
void log_view_reached(struct log_view *view, uint64_t next_seq);

/** A queue_log_fn; `arg` is the view. */
void log_view_entry(void *arg, const struct log_entry *entry);
/** No more comes of this attempt: lines without an end are shown. */
void log_view_end(struct log_view *view);

/** A line of berth's own, not in JSON. */
void log_view_heading(struct log_view *view, const char *fmt, ...)
    PRINTF_LIKE(2, 3);

/** Write out what was shown until now. ERR_USER: it cannot be written. */
MUST_USE int log_view_flush(struct log_view *view, struct err *err);

#endif
