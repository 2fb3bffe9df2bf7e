/* worker/gateway/relay/wire.h - what a client inside sends, as HTTP. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_GATEWAY_RELAY_WIRE_H
#define WORKER_GATEWAY_RELAY_WIRE_H

#include "base/err.h"
#include "base/strbuf.h"

#include <stdint.h>

#define WIRE_HEAD_MAX ((size_t)32 << 10)
#define WIRE_BODY_MAX ((size_t)16 << 20)

/**
 * A request (RFC 9112), fed in any pieces. Of its fields only what is needed
 * here is kept: none goes on as it is. Start with wire_init().
 */
struct wire {
    struct strbuf head; /* bounded */
    struct strbuf body; /* the same; without chunks */
    char method[16];
    char path[256];   /* without a query */
    char version[32]; /* of anthropic-version; "" */
    bool is_old;      /* HTTP/1.0: no chunks in its answer */
    bool wants_leave; /* Expect: 100-continue */
    bool chunked;
    uint64_t left; /* of the body, or of this chunk */
    enum {
        WIRE_HEAD,
        WIRE_LENGTH,
        WIRE_SIZE,
        WIRE_CHUNK,
        WIRE_CHUNK_END,
        WIRE_TRAILER,
        WIRE_WHOLE
    } state;
};

void wire_init(struct wire *wire);
/**
 * 1: it is whole, and what comes behind is nobody's business; 0: more is
 * needed, and `wants_leave` may have been set; -1 with ERR_USER: it is refused,
 * `*out_status` being the status to answer with.
 */
MUST_USE int wire_feed(struct wire *wire, const void *data, size_t len,
                       int *out_status, struct err *err);
void wire_clear(struct wire *wire);
UNUSED static inline void wire_freep(struct wire *wire)
{
    wire_clear(wire);
}

#endif
