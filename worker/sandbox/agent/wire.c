/* worker/sandbox/agent/wire.c - frames in and out of static buffers. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/agent/agent.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define OUT_SIZE ((size_t)256 << 10)
/* What replies may use when data has filled the rest. */
#define OUT_RESERVE ((size_t)64 << 10)
#define IN_SIZE     ((size_t)FRAME_MAX_PAYLOAD + FRAME_HEADER_SIZE)

static uint8_t out_buf[OUT_SIZE];
static size_t out_start;
static size_t out_end;
static uint8_t in_buf[IN_SIZE];
static size_t in_len;

void agent_die(const char *why)
{
    (void)!write(2, "agent: ", 7);
    (void)!write(2, why, strlen(why));
    (void)!write(2, "\n", 1);
    _exit(1);
}

int64_t agent_now_ms(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

uint32_t wire_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
           p[3];
}

uint64_t wire_u64(const uint8_t *p)
{
    return (uint64_t)wire_u32(p) << 32 | wire_u32(p + 4);
}

void wire_put_u32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

void wire_put_u64(uint8_t *p, uint64_t v)
{
    wire_put_u32(p, (uint32_t)(v >> 32));
    wire_put_u32(p + 4, (uint32_t)v);
}

static size_t queued(void)
{
    return out_end - out_start;
}

bool wire_has_room(void)
{
    return queued() + CHUNK_SIZE + FRAME_HEADER_SIZE + OUT_RESERVE <= OUT_SIZE;
}

void wire_send(uint8_t type, uint32_t id, const void *data, size_t len)
{
    if (queued() + FRAME_HEADER_SIZE + len > OUT_SIZE)
        agent_die("the driver does not read");
    if (OUT_SIZE - out_end < FRAME_HEADER_SIZE + len) {
        memmove(out_buf, out_buf + out_start, queued());
        out_end -= out_start;
        out_start = 0;
    }
    frame_put_header(out_buf + out_end, type, id, (uint32_t)len);
    out_end += FRAME_HEADER_SIZE;
    if (len)
        memcpy(out_buf + out_end, data, len);
    out_end += len;
}

bool wire_pending(void)
{
    return out_start < out_end;
}

void wire_flush(void)
{
    while (out_start < out_end) {
        ssize_t n = write(1, out_buf + out_start, queued());

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0)
            agent_die("cannot write to the driver");
        out_start += (size_t)n;
    }
    out_start = out_end = 0;
}

void wire_receive(void (*handle)(const struct frame *frame))
{
    ssize_t n = read(0, in_buf + in_len, sizeof(in_buf) - in_len);
    struct frame frame;
    size_t used = 0;
    int64_t len = 0;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0)
        _exit(0);
    in_len += (size_t)n;
    while ((len = frame_parse(in_buf + used, in_len - used, &frame)) > 0) {
        handle(&frame);
        used += (size_t)len;
    }
    if (len < 0)
        agent_die("a frame is too large");
    in_len -= used;
    memmove(in_buf, in_buf + used, in_len);
}
