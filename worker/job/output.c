/* worker/job/output.c - a job's output on its way up, within a budget. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/job/output.h"

#include "base/strbuf.h"
#include "worker/job/events.h"

#include <stdlib.h>
#include <string.h>

#define PENDING_MAX ((size_t)4 << 20)

struct output {
    struct channel *up; /* borrowed, or NULL */
    uint32_t index;     /* of the step */
    uint64_t step_bytes;
    uint64_t total_bytes;
    uint64_t sent_bytes;
    uint64_t dropped_bytes; /* of ended steps */
    uint64_t held_bytes;    /* of this step, since the budget ran out */
    struct strbuf tail;     /* the end of them; at most twice the tail */
};

struct output *output_new(struct channel *up)
{
    struct output *output = xcalloc(1, sizeof(*output));

    output->up = up;
    output->tail = (struct strbuf)STRBUF_INIT;
    return output;
}

void output_free(struct output *output)
{
    if (!output)
        return;
    strbuf_clear(&output->tail);
    free(output);
}

void output_begin(struct output *output, uint32_t index)
{
    output->index = index;
    output->step_bytes = 0;
    output->held_bytes = 0;
    strbuf_clear(&output->tail);
}

static void hold(struct output *output, const char *data, size_t len)
{
    output->held_bytes += len;
    if (len > OUTPUT_TAIL_BYTES) {
        data += len - OUTPUT_TAIL_BYTES;
        len = OUTPUT_TAIL_BYTES;
    }
    if (output->tail.len + len > 2 * OUTPUT_TAIL_BYTES)
        strbuf_consume(&output->tail, output->tail.len - OUTPUT_TAIL_BYTES);
    strbuf_add(&output->tail, data, len);
}

void output_add(struct output *output, uint8_t frame, const void *data,
                size_t len)
{
    uint64_t left = OUTPUT_MAX_BYTES - output->sent_bytes;
    size_t now = len < left ? len : (size_t)left;

    output->step_bytes += len;
    output->total_bytes += len;
    output->sent_bytes += now;
    if (now && output->up)
        channel_send(output->up, frame, output->index, data, now);
    if (now < len)
        hold(output, (const char *)data + now, len - now);
}

void output_add_beside(struct output *output, uint32_t index, uint8_t frame,
                       const void *data, size_t len)
{
    uint64_t left = OUTPUT_MAX_BYTES - output->sent_bytes;
    size_t now = len < left ? len : (size_t)left;

    output->total_bytes += len;
    output->sent_bytes += now;
    output->dropped_bytes += len - now;
    if (now && output->up)
        channel_send(output->up, frame, index, data, now);
}

void output_note(struct output *output, const char *fmt, ...)
{
    CLEANUP(mem) char *text = NULL;
    CLEANUP(mem) char *line = NULL;
    va_list ap;

    va_start(ap, fmt);
    text = xvasprintf(fmt, ap);
    va_end(ap);
    line = xasprintf("%s\n", text);
    if (output->up)
        channel_send(output->up, JOB_FRAME_NOTE, output->index, line,
                     strlen(line));
}

void output_progress(struct output *output, const char *line)
{
    if (output->up)
        channel_send(output->up, JOB_FRAME_PROGRESS, output->index, line,
                     strlen(line));
}

void output_end(struct output *output)
{
    size_t keep = output->tail.len;
    uint64_t gap;

    if (!output->held_bytes)
        return;
    if (keep > OUTPUT_TAIL_BYTES)
        strbuf_consume(&output->tail, keep - OUTPUT_TAIL_BYTES);
    gap = output->held_bytes - output->tail.len;
    if (gap)
        output_note(output,
                    "%llu bytes of output are left out here: a job's log keeps "
                    "%llu MiB and the end of each step",
                    (unsigned long long)gap,
                    (unsigned long long)(OUTPUT_MAX_BYTES >> 20));
    if (output->up)
        channel_send(output->up, JOB_FRAME_STDOUT, output->index,
                     output->tail.data, output->tail.len);
    output->dropped_bytes += gap;
    output->held_bytes = 0;
    strbuf_clear(&output->tail);
}

uint64_t output_step_bytes(const struct output *output)
{
    return output->step_bytes;
}

uint64_t output_total_bytes(const struct output *output)
{
    return output->total_bytes;
}

uint64_t output_dropped_bytes(const struct output *output)
{
    return output->dropped_bytes;
}

bool output_is_full(const struct output *output)
{
    return output->up && channel_pending(output->up) > PENDING_MAX;
}
