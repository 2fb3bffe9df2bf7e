/* worker/supervisor/connections.h - jobs' connections, in the worker's log. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SUPERVISOR_CONNECTIONS_H
#define WORKER_SUPERVISOR_CONNECTIONS_H

#include "base/frame.h"
#include "base/strbuf.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * A line for each connection out of a job with a list of hosts, refused ones
 * among them: who, whereto, how much, how long, and what became of it. Of all
 * jobs together at most CONNECTIONS_BURST at once and CONNECTIONS_RATE a second
 * for long; the next line says how many were left out.
 */
#define CONNECTIONS_BURST 200
#define CONNECTIONS_RATE  20

/** Start zeroed. */
struct connections {
    int64_t counted_ms; /* monotonic; 0: not yet */
    int64_t room_ms;    /* lines that there is room for, each 1000 / RATE */
    uint64_t left_out;
};

/**
 * The line of a JOB_FRAME_CONNECTION of the job, which came at `now_ms`
 * (clock_mono_ms). False: none is to be logged, as there are too many, or the
 * frame is malformed.
 */
bool connections_line(struct connections *connections, const char *job_id,
                      const struct frame *frame, int64_t now_ms,
                      struct strbuf *out_line);

#endif
