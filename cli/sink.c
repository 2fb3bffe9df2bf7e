/* cli/sink.c - output to a terminal, pipe or file that may be slow or gone. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/sink.h"

#include "base/clock.h"
#include "base/strbuf.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#define FOREVER INT64_MAX

struct sink {
    int fd;                     /* borrowed */
    struct loop_source *source; /* the loop's; NULL for a plain file */
    sink_gone_fn *on_gone;
    void *arg;
    bool gone;
    bool stalled;        /* the reader stands still: do not wait for it */
    struct strbuf queue; /* bytes that wait */
    uint64_t left_out;   /* bytes that found the queue full */
};

static void gone(struct sink *sink)
{
    if (sink->gone)
        return;
    sink->gone = true;
    strbuf_cut(&sink->queue, 0);
    loop_remove(STEAL(sink->source));
    if (sink->on_gone)
        sink->on_gone(sink->arg);
}

/*
 * Wait until a write would not block, till `until` (FOREVER: no limit). A
 * file is always ready.
 */
static bool ready(struct sink *sink, int64_t until)
{
    struct pollfd pfd = {.fd = sink->fd, .events = POLLOUT};
    int n;

    do {
        int64_t left = until - clock_mono_ms();

        left = until == FOREVER ? -1 : left < 0 ? 0 : left;
        n = poll(&pfd, 1, (int)left);
    } while (n < 0 && errno == EINTR);
    return n > 0;
}

/* Write what the reader takes; returns the bytes. */
static size_t push(struct sink *sink, const char *data, size_t len,
                   int64_t until)
{
    size_t done = 0;

    while (done < len && !sink->gone && ready(sink, until)) {
        size_t piece = len - done < PIPE_BUF ? len - done : PIPE_BUF;
        ssize_t n = write(sink->fd, data + done, piece);

        if (n > 0)
            done += (size_t)n;
        else if (n < 0 && errno == EAGAIN && until != FOREVER)
            break;
        else if (n < 0 && errno != EINTR && errno != EAGAIN)
            gone(sink);
    }
    return done;
}

static void say_left_out(struct sink *sink)
{
    if (!sink->left_out)
        return;
    strbuf_addf(&sink->queue,
                "\n[%" PRIu64 " bytes of output are not shown: the reader was "
                "too slow]\n",
                sink->left_out);
    sink->left_out = 0;
}

static void drain(struct sink *sink, int64_t until)
{
    do {
        strbuf_consume(&sink->queue,
                       push(sink, sink->queue.data, sink->queue.len, until));
        if (sink->queue.len || sink->gone)
            return;
        say_left_out(sink);
    } while (sink->queue.len);
    sink->stalled = false;
    if (sink->source)
        loop_set_events(sink->source, EPOLLERR);
}

static void on_event(void *arg, uint32_t events)
{
    struct sink *sink = arg;

    if (events & (EPOLLERR | EPOLLHUP))
        gone(sink);
    else if (sink->queue.len)
        drain(sink, 0);
}

struct sink *sink_new(struct loop *loop, int fd, sink_gone_fn *on_gone,
                      void *arg)
{
    struct sink *sink = xcalloc(1, sizeof(*sink));

    sink->fd = fd;
    sink->on_gone = on_gone;
    sink->arg = arg;
    sink->queue = (struct strbuf)STRBUF_MAX(SINK_QUEUE_MAX + PIPE_BUF);
    /* epoll refuses plain files, which need no watching. */
    if (loop_add_fd(loop, fd, EPOLLERR, on_event, sink, &sink->source, NULL) <
        0)
        sink->source = NULL;
    return sink;
}

void sink_free(struct sink *sink)
{
    if (!sink)
        return;
    loop_remove(sink->source);
    strbuf_clear(&sink->queue);
    free(sink);
}

static void enqueue(struct sink *sink, const char *data, size_t len)
{
    size_t room = SINK_QUEUE_MAX - sink->queue.len;

    if (sink->left_out || len > room)
        sink->left_out += len;
    else
        strbuf_add(&sink->queue, data, len);
    if (sink->source)
        loop_set_events(sink->source, EPOLLOUT | EPOLLERR);
}

void sink_write(struct sink *sink, const void *data, size_t len)
{
    const char *bytes = data;
    size_t done = 0;

    if (sink->gone || !len)
        return;
    if (!sink->stalled)
        done = push(sink, bytes, len, clock_mono_ms() + SINK_STALL_MS);
    if (done == len || sink->gone)
        return;
    sink->stalled = true;
    enqueue(sink, bytes + done, len - done);
}

bool sink_is_clear(const struct sink *sink)
{
    return !sink->stalled && !sink->queue.len;
}

void sink_flush(struct sink *sink)
{
    if (sink->stalled)
        drain(sink, FOREVER);
}
