/* worker/cache/far/stream.h - bytes into a file with zstd, and out of it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CACHE_FAR_STREAM_H
#define WORKER_CACHE_FAR_STREAM_H

#include "base/err.h"
#include "base/mem.h"

#include <stddef.h>

struct stream;

/** Write from where descriptor `fd`, borrowed, stands. */
MUST_USE struct stream *stream_to(int fd);
/** Read from there. */
MUST_USE struct stream *stream_from(int fd);
void stream_free(struct stream *stream);
OWNER(stream)

/** Add them. ERR_TRANSIENT. */
MUST_USE int stream_add(struct stream *stream, const void *data, size_t len,
                        struct err *err);
/** Write what is left. ERR_TRANSIENT. */
MUST_USE int stream_end(struct stream *stream, struct err *err);

/** Read just so many. ERR_TRANSIENT; ERR_USER: there are fewer, or no such. */
MUST_USE int stream_take(struct stream *stream, void *data, size_t len,
                         struct err *err);
/** That was all: the stream ends here. ERR_USER: it does not. */
MUST_USE int stream_over(struct stream *stream, struct err *err);

#endif
