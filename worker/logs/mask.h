/* worker/logs/mask.h - secrets in output become ***. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_LOGS_MASK_H
#define WORKER_LOGS_MASK_H

#include "base/strbuf.h"
#include "worker/logs/needles.h"

/*
 * Whatever the needles cover is masked, however they overlap or nest: every
 * longest stretch of covered bytes becomes one "***". How the text is cut into
 * chunks makes no difference. The time is linear in the text, whatever it is.
 */
struct mask;

/** Made of the needles, which it does not need any more. Never changes. */
struct mask *mask_new(const struct needles *needles);
void mask_free(struct mask *mask);
OWNER(mask)

/**
 * Add `len` bytes, masked, to `out`: never more than there were. With no mask
 * (NULL) they are added as they are.
 */
void mask_string(const struct mask *mask, const char *data, size_t len,
                 struct strbuf *out);

/** What one stream of one step has said; `mask` must outlive it. */
struct mask_stream;

struct mask_stream *mask_stream_new(const struct mask *mask);
void mask_stream_free(struct mask_stream *stream);
OWNER(mask_stream)

/**
 * Go on with `len` bytes: add to `out` what is certain now. Held back are only
 * bytes at the end with which a needle may begin, fewer than NEEDLES_MAX_LEN.
 */
void mask_stream_feed(struct mask_stream *stream, const char *data, size_t len,
                      struct strbuf *out);
/** The stream ended: add what was held back. It can be used for another. */
void mask_stream_flush(struct mask_stream *stream, struct strbuf *out);

#endif
