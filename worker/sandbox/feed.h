/* worker/sandbox/feed.h - files as a stream of the agent's entries. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SANDBOX_FEED_H
#define WORKER_SANDBOX_FEED_H

#include "base/err.h"
#include "base/strbuf.h"

#include <stdbool.h>
#include <stdint.h>

/** A stream of AGENT_DATA (agent/protocol.h), made piece by piece. */
struct feed;

/** One file of memory; copied. `path` is relative. */
MUST_USE struct feed *feed_of_file(const char *path, unsigned mode,
                                   const void *data, size_t len);

/** Bytes as they are: no entries. Copied. */
MUST_USE struct feed *feed_of_bytes(const void *data, size_t len);

/**
 * All below a directory: files, directories and symbolic links, as they are;
 * no link is followed, special files are left out. ERR_USER when it cannot be
 * opened. At most 64 levels deep.
 */
MUST_USE int feed_of_tree(const char *dir, struct feed **out_feed,
                          struct err *err);
void feed_free(struct feed *feed);
OWNER(feed)

/**
 * Add at most `max` bytes of the stream to `out`; `*out_end` when it is over.
 * ERR_USER when the tree cannot be read, or changes while it is.
 */
MUST_USE int feed_take(struct feed *feed, size_t max, struct strbuf *out,
                       bool *out_end, struct err *err);

#endif
