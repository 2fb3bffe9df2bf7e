/* worker/sandbox/wire.h - numbers in the agent's frames, big-endian. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SANDBOX_WIRE_H
#define WORKER_SANDBOX_WIRE_H

#include "base/strbuf.h"

#include <stdint.h>

UNUSED static inline uint32_t wire_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
           p[3];
}

UNUSED static inline uint64_t wire_u64(const uint8_t *p)
{
    return (uint64_t)wire_u32(p) << 32 | wire_u32(p + 4);
}

/** Add the lowest `bytes` bytes of `v`. */
UNUSED static inline void wire_add(struct strbuf *out, uint64_t v, int bytes)
{
    while (bytes--)
        strbuf_addc(out, (char)(v >> (8 * bytes)));
}

#endif
