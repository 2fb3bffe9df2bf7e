/* cli/sink.h - output to a terminal, pipe or file that may be slow or gone. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_SINK_H
#define CLI_SINK_H

#include "base/loop.h"

#include <stdbool.h>

/*
 * Who reads berth's output must not stop it from renewing its lease: a pager
 * that waits for a key, a terminal stopped with Ctrl-S. A write lasts up to
 * SINK_STALL_MS; what the reader has not taken by then is queued, and from
 * SINK_QUEUE_MAX on left out, with a line that says how much.
 */
#define SINK_STALL_MS  2000
#define SINK_QUEUE_MAX ((size_t)4 << 20)

struct sink;

/** The reader is gone. Called once, from the loop or from sink_write(). */
typedef void sink_gone_fn(void *arg);

/**
 * `fd` is borrowed and its flags stay as they are: they are shared with other
 * processes. SIGPIPE must be ignored. `on_gone` may be NULL.
 */
MUST_USE struct sink *sink_new(struct loop *loop, int fd, sink_gone_fn *on_gone,
                               void *arg);
/** What is still queued is lost. NULL is fine. */
void sink_free(struct sink *sink);
OWNER(sink)

void sink_write(struct sink *sink, const void *data, size_t len);
/** Whether the reader keeps up: nothing is queued. */
bool sink_is_clear(const struct sink *sink);
/** Write out what is queued, however long that takes. */
void sink_flush(struct sink *sink);

#endif
