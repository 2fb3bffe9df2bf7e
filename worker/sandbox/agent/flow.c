/* worker/sandbox/agent/flow.c - the driver's bytes on their way into a pipe. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/agent/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static void acknowledge(const struct flow *flow, size_t len)
{
    uint8_t ack[4];

    wire_put_u32(ack, (uint32_t)len);
    wire_send(AGENT_ACK, flow->id, ack, sizeof(ack));
}

void flow_open(struct flow *flow, int fd, uint32_t id)
{
    flow->fd = fd;
    flow->id = id;
    flow->ended = false;
    flow->start = flow->end = 0;
    if (fd >= 0)
        (void)fcntl(fd, F_SETFL, O_NONBLOCK);
}

void flow_close(struct flow *flow)
{
    /* A connection's other direction lives on; a pipe has none. */
    if (flow->fd >= 0)
        (void)shutdown(flow->fd, SHUT_WR);
    close_fd(&flow->fd);
    flow->start = flow->end = 0;
}

static void close_when_sent(struct flow *flow)
{
    if (flow->ended && flow->start == flow->end)
        flow_close(flow);
}

void flow_add(struct flow *flow, const struct frame *frame)
{
    /* Nobody reads it any more while the driver still sends. */
    if (flow->fd < 0) {
        acknowledge(flow, frame->len);
        return;
    }
    if (flow->end - flow->start + frame->len > sizeof(flow->buf))
        agent_die("more data than the window allows");
    memmove(flow->buf, flow->buf + flow->start, flow->end - flow->start);
    flow->end -= flow->start;
    flow->start = 0;
    memcpy(flow->buf + flow->end, frame->data, frame->len);
    flow->end += frame->len;
}

void flow_end(struct flow *flow)
{
    flow->ended = true;
    close_when_sent(flow);
}

bool flow_is_waiting(const struct flow *flow)
{
    return flow->fd >= 0 && flow->start < flow->end;
}

void flow_pump(struct flow *flow)
{
    size_t len = flow->end - flow->start;
    ssize_t n = write(flow->fd, flow->buf + flow->start, len);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    acknowledge(flow, n < 0 ? len : (size_t)n);
    if (n < 0) {
        flow_close(flow);
        return;
    }
    flow->start += (size_t)n;
    close_when_sent(flow);
}
