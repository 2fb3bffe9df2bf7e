/* base/channel.c - frames over a pair of descriptors, in a poll loop. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/channel.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/strbuf.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_SIZE    ((size_t)64 << 10)
#define QUEUE_MAX    ((size_t)1 << 31)
#define COMPACT_SIZE ((size_t)1 << 20)

struct channel {
    struct channel_spec spec;
    struct loop_source *in;     /* borrowed from the loop */
    struct loop_source *out;    /* the same; NULL while nothing is queued */
    struct loop_source *resume; /* the same; read frames wait for it */
    struct loop *loop;          /* borrowed */
    struct strbuf inbox;        /* not yet a whole frame */
    struct strbuf outbox;
    size_t sent; /* of outbox */
    bool closed;
    bool paused;
    bool *freed; /* set by channel_free() during a callback */
};

static void on_readable(void *arg, uint32_t events);
static void on_writable(void *arg, uint32_t events);

int channel_new(struct loop *loop, const struct channel_spec *spec,
                struct channel **out_channel, struct err *err)
{
    CLEANUP(channel) struct channel *ch = xcalloc(1, sizeof(*ch));

    ch->spec = *spec;
    ch->loop = loop;
    ch->inbox = (struct strbuf)STRBUF_MAX(QUEUE_MAX);
    ch->outbox = (struct strbuf)STRBUF_MAX(QUEUE_MAX);
    if (fd_set_nonblock(spec->in_fd, err) < 0 ||
        fd_set_nonblock(spec->out_fd, err) < 0)
        return -1;
    /* One epoll set takes a descriptor once: a socket is doubled. */
    if (spec->in_fd == spec->out_fd) {
        ch->spec.out_fd = fcntl(spec->in_fd, F_DUPFD_CLOEXEC, 0);
        if (ch->spec.out_fd < 0)
            return err_sys(err, ERR_TRANSIENT, "cannot dup a channel");
    }
    if (loop_add_fd(loop, ch->spec.in_fd, EPOLLIN, on_readable, ch, &ch->in,
                    err) < 0)
        return -1;
    *out_channel = STEAL(ch);
    return 0;
}

void channel_hand_over(struct channel *ch, channel_frame_fn *on_frame,
                       channel_closed_fn *on_closed, void *arg)
{
    ch->spec.on_frame = on_frame;
    ch->spec.on_closed = on_closed;
    ch->spec.arg = arg;
}

/* The first of what was read. What moves up leaves a copy behind. */
static void consume(struct channel *ch, size_t used)
{
    struct strbuf *in = &ch->inbox;
    size_t len = in->len;

    if (ch->spec.secret)
        mem_wipe(in->data, used);
    strbuf_consume(in, used);
    if (ch->spec.secret)
        mem_wipe(in->data + in->len, len - in->len);
}

void channel_free(struct channel *ch)
{
    if (!ch)
        return;
    if (ch->freed)
        *ch->freed = true;
    loop_remove(ch->in);
    loop_remove(ch->out);
    loop_remove(ch->resume);
    fd_close(&ch->spec.in_fd);
    fd_close(&ch->spec.out_fd);
    consume(ch, ch->inbox.len);
    strbuf_clear(&ch->inbox);
    strbuf_clear(&ch->outbox);
    free(ch);
}

static void shut(struct channel *ch, const struct err *err)
{
    if (ch->closed)
        return;
    ch->closed = true;
    loop_remove(ch->in);
    loop_remove(ch->out);
    ch->in = ch->out = NULL;
    strbuf_clear(&ch->outbox);
    ch->sent = 0;
    ch->spec.on_closed(ch->spec.arg, err);
}

/* Returns false when a callback freed the channel. */
static bool deliver(struct channel *ch)
{
    bool freed = false;
    size_t used = 0;
    struct frame frame;
    int64_t n = 0;

    ch->freed = &freed;
    while (!ch->closed && !ch->paused &&
           (n = frame_parse(ch->inbox.data + used, ch->inbox.len - used,
                            &frame)) > 0) {
        ch->spec.on_frame(ch->spec.arg, &frame);
        if (freed)
            return false;
        used += (size_t)n;
    }
    consume(ch, used);
    if (n < 0) {
        struct err err;

        (void)err_set(&err, ERR_TRANSIENT, "a frame is too large");
        shut(ch, &err);
    }
    if (!freed)
        ch->freed = NULL;
    return !freed;
}

static void on_readable(void *arg, uint32_t events UNUSED)
{
    struct channel *ch = arg;
    char chunk[READ_SIZE];
    struct err err;
    ssize_t n;

    /* What a pause kept back comes before the end of the stream. */
    if (!deliver(ch) || ch->closed || ch->paused)
        return;
    n = read(ch->spec.in_fd, chunk, sizeof(chunk));
    if (n > 0) {
        strbuf_add(&ch->inbox, chunk, (size_t)n);
        if (ch->spec.secret)
            mem_wipe(chunk, (size_t)n);
        (void)deliver(ch);
    } else if (n == 0) {
        shut(ch, NULL);
    } else if (errno != EAGAIN && errno != EINTR) {
        (void)err_sys(&err, ERR_TRANSIENT, "cannot read");
        shut(ch, &err);
    }
}

/* Returns 1 when all is written, 0 when it would block, -1 when broken. */
static int write_some(struct channel *ch)
{
    while (ch->sent < ch->outbox.len) {
        ssize_t n = write(ch->spec.out_fd, ch->outbox.data + ch->sent,
                          ch->outbox.len - ch->sent);

        if (n > 0)
            ch->sent += (size_t)n;
        else if (n < 0 && errno == EAGAIN)
            break;
        else if (n < 0 && errno != EINTR)
            return -1;
    }
    if (ch->sent < ch->outbox.len) {
        /* What is sent is dropped now and then: a queue that is never quite
         * empty must not grow. */
        if (ch->sent > COMPACT_SIZE) {
            strbuf_consume(&ch->outbox, ch->sent);
            ch->sent = 0;
        }
        return 0;
    }
    strbuf_cut(&ch->outbox, 0);
    ch->sent = 0;
    return 1;
}

/* Who stopped listening may have said something last: only the reading side
 * ends the channel. What is lost here must not be waited for there. */
static void stop_writing(struct channel *ch)
{
    strbuf_cut(&ch->outbox, ch->sent = 0);
    loop_remove(ch->out);
    ch->out = NULL;
    (void)shutdown(ch->spec.out_fd, SHUT_WR); /* it may be doubled */
    fd_close(&ch->spec.out_fd);
}

static void on_writable(void *arg, uint32_t events UNUSED)
{
    struct channel *ch = arg;
    int rc = write_some(ch);

    if (rc < 0)
        stop_writing(ch);
    else if (rc > 0)
        loop_remove(STEAL(ch->out));
}

static void send_one(struct channel *ch, uint8_t type, uint32_t id,
                     const void *data, size_t len)
{
    uint8_t header[FRAME_HEADER_SIZE];

    frame_put_header(header, type, id, (uint32_t)len);
    strbuf_add(&ch->outbox, header, sizeof(header));
    strbuf_add(&ch->outbox, data, len);
    /* A frame cut short would garble all that follow: as out of memory. */
    if (ch->outbox.truncated) {
        (void)fputs("berth: a channel's queue is full\n", stderr);
        abort();
    }
}

void channel_send(struct channel *ch, uint8_t type, uint32_t id,
                  const void *data, size_t len)
{
    const char *p = data;
    struct err err;
    int rc;

    if (ch->closed || ch->spec.out_fd < 0)
        return;
    do {
        size_t part = len < FRAME_MAX_PAYLOAD ? len : FRAME_MAX_PAYLOAD;

        send_one(ch, type, id, p, part);
        p = p ? p + part : NULL;
        len -= part;
    } while (len);
    if (ch->out)
        return;
    rc = write_some(ch);
    /* A broken pipe shows on the reading side too: on_closed is never called
     * from inside a send. */
    if (rc < 0 || (rc == 0 && loop_add_fd(ch->loop, ch->spec.out_fd, EPOLLOUT,
                                          on_writable, ch, &ch->out, &err) < 0))
        stop_writing(ch);
}

size_t channel_pending(const struct channel *ch)
{
    return ch->outbox.len - ch->sent;
}

static void resume(void *arg)
{
    struct channel *ch = arg;

    ch->resume = NULL;
    if (!ch->closed && !ch->paused)
        (void)deliver(ch);
}

void channel_pause(struct channel *ch, int paused)
{
    if (ch->closed || ch->paused == !!paused)
        return;
    ch->paused = !!paused;
    loop_set_events(ch->in, paused ? 0 : EPOLLIN);
    /* Frames that were read but not delivered must not wait for more bytes;
     * a timer, because the caller may be inside on_frame. */
    if (!paused && !ch->resume)
        ch->resume = loop_add_timer(ch->loop, 0, resume, ch);
}

int channel_flush(struct channel *ch, int64_t timeout_ms, struct err *err)
{
    int64_t until = clock_mono_ms() + timeout_ms;

    while (!ch->closed && ch->sent < ch->outbox.len) {
        struct pollfd pfd = {.fd = ch->spec.out_fd, .events = POLLOUT};
        int64_t left = until - clock_mono_ms();
        int rc = write_some(ch);

        if (rc < 0)
            return err_sys(err, ERR_TRANSIENT, "cannot write");
        if (rc > 0)
            break;
        if (left <= 0)
            return err_set(err, ERR_TIMEOUT, "the other side does not read");
        (void)poll(&pfd, 1, (int)left);
    }
    return 0;
}
