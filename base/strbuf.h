/* base/strbuf.h - a growing byte buffer with a maximum. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_STRBUF_H
#define BASE_STRBUF_H

#include "base/mem.h"

#include <stdbool.h>

/**
 * Bytes with a NUL behind them (`data` is "" while empty). Start with
 * STRBUF_INIT or STRBUF_MAX(n). What is added beyond `max_bytes` is left
 * out and `truncated` set: a stranger's input cannot grow it without end.
 */
struct strbuf {
    char *data; /* owned once `cap` > 0 */
    size_t len;
    size_t cap;
    size_t max_bytes;
    bool truncated;
};

extern char strbuf_empty[1];

#define STRBUF_DEFAULT_MAX ((size_t)64 << 20)
#define STRBUF_MAX(max)                                                        \
    {                                                                          \
        strbuf_empty, 0, 0, (max), false                                       \
    }
#define STRBUF_INIT STRBUF_MAX(STRBUF_DEFAULT_MAX)

/** Add bytes; past the maximum the rest is dropped. */
void strbuf_add(struct strbuf *b, const void *data, size_t len);
void strbuf_adds(struct strbuf *b, const char *s);
void strbuf_addc(struct strbuf *b, char c);
void strbuf_addf(struct strbuf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/** Drop the first `n` bytes (all, if there are fewer). */
void strbuf_consume(struct strbuf *b, size_t n);
/** Cut to `len` bytes; no effect when it is shorter. */
void strbuf_cut(struct strbuf *b, size_t len);
/** Take the string (owned by the caller, NUL behind it); empties `b`. */
MUST_USE char *strbuf_take(struct strbuf *b);
/** Free the bytes and empty the buffer; the maximum stays. */
void strbuf_clear(struct strbuf *b);
UNUSED static inline void strbuf_freep(struct strbuf *b)
{
    strbuf_clear(b);
}

#endif
