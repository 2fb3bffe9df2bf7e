/* worker/job/output.h - a job's output on its way up, within a budget. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_JOB_OUTPUT_H
#define WORKER_JOB_OUTPUT_H

#include "base/channel.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * What all steps print goes up as it comes until OUTPUT_MAX_BYTES have gone;
 * from there on each step keeps its last OUTPUT_TAIL_BYTES, which go up when it
 * ends, behind a line that says how much was left out. So the place where a
 * noisy step failed is never cut off.
 */
#define OUTPUT_MAX_BYTES  ((uint64_t)64 << 20)
#define OUTPUT_TAIL_BYTES ((size_t)64 << 10)

struct output;

/** `up` is borrowed, or NULL: then all is counted and nothing sent. */
MUST_USE struct output *output_new(struct channel *up);
void output_free(struct output *output);
OWNER(output)

/** What follows belongs to step `index`. */
void output_begin(struct output *output, uint32_t index);
/** Bytes of the step; `frame` is JOB_FRAME_STDOUT or JOB_FRAME_STDERR. */
void output_add(struct output *output, uint8_t frame, const void *data,
                size_t len);
/** Bytes of another step, which runs beside it; past the budget none goes. */
void output_add_beside(struct output *output, uint32_t index, uint8_t frame,
                       const void *data, size_t len);
/**
 * A line of berth's own: never left out, and a line for itself; `fmt` has no
 * newline at its end.
 */
void output_note(struct output *output, const char *fmt, ...) PRINTF_LIKE(2, 3);
/** A line that takes the place of the last such line (a fetch's progress). */
void output_progress(struct output *output, const char *line);
/** The step ended: send the gap marker and the tail, where there is one. */
void output_end(struct output *output);

/** Bytes of this step so far. */
uint64_t output_step_bytes(const struct output *output);
/** Bytes of all steps, and how many of them were left out. */
uint64_t output_total_bytes(const struct output *output);
uint64_t output_dropped_bytes(const struct output *output);
/** Whether the way up is full: hold the sandbox's output back. */
bool output_is_full(const struct output *output);

#endif
