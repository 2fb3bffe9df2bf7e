/* base/frame.h - length-prefixed frames between our processes. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_FRAME_H
#define BASE_FRAME_H

#include <stddef.h>
#include <stdint.h>

/*
 * On the wire, all big-endian: u32 length of the payload, u8 type, u32 id,
 * payload. The codec allocates nothing and includes nothing of ours, so that
 * the static agent uses it as it is.
 */
#define FRAME_HEADER_SIZE 9
#define FRAME_MAX_PAYLOAD ((uint32_t)1 << 20)

struct frame {
    uint8_t type; /* of the protocol's own enum */
    uint32_t id;  /* what it belongs to: an exec, a step */
    uint32_t len;
    const uint8_t *data; /* borrowed from the parsed buffer */
};

/** Write the header of a frame with `len` payload bytes to `out`. */
void frame_put_header(uint8_t out[FRAME_HEADER_SIZE], uint8_t type, uint32_t id,
                      uint32_t len);

/**
 * Parse the first frame of `size` bytes at `data`. Returns the bytes it takes
 * and fills `*out_frame`; 0 when it is not whole yet; -1 when its length is
 * over FRAME_MAX_PAYLOAD (the stream is broken for good).
 */
int64_t frame_parse(const void *data, size_t size, struct frame *out_frame);

#endif
