/* base/frame.c - length-prefixed frames between our processes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/frame.h"

static void put_u32(uint8_t *out, uint32_t v)
{
    out[0] = (uint8_t)(v >> 24);
    out[1] = (uint8_t)(v >> 16);
    out[2] = (uint8_t)(v >> 8);
    out[3] = (uint8_t)v;
}

static uint32_t get_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
           p[3];
}

void frame_put_header(uint8_t out[FRAME_HEADER_SIZE], uint8_t type, uint32_t id,
                      uint32_t len)
{
    put_u32(out, len);
    out[4] = type;
    put_u32(out + 5, id);
}

int64_t frame_parse(const void *data, size_t size, struct frame *out_frame)
{
    const uint8_t *p = data;
    uint32_t len;

    if (size < FRAME_HEADER_SIZE)
        return 0;
    len = get_u32(p);
    if (len > FRAME_MAX_PAYLOAD)
        return -1;
    if (size - FRAME_HEADER_SIZE < len)
        return 0;
    out_frame->type = p[4];
    out_frame->id = get_u32(p + 5);
    out_frame->len = len;
    out_frame->data = p + FRAME_HEADER_SIZE;
    return (int64_t)FRAME_HEADER_SIZE + len;
}
