/* base/redis_adapter.c - hiredis' async context in our loop. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/redis_adapter.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#define READ_CHUNK 16384 /* what redisBufferRead() takes at most */

struct adapter {
    struct loop *loop;          /* borrowed */
    redisAsyncContext *context; /* owns this */
    struct loop_source *source; /* borrowed; NULL: watches nothing yet */
    uint32_t events;
    struct loop_source *flush; /* borrowed; NULL: nothing to write */
    bool reading, writing;     /* hiredis is at it */
    bool wants_write;
    size_t max_reply_bytes;
    size_t reply_bytes; /* arrived for the answer that is not whole yet */
    redis_adapter_fn *on_too_large;
    void *arg;
    bool *gone; /* set when hiredis frees the context during an event */
};

/* hiredis bounds no answer by itself. Its parser's `ridx` tells whether it is
 * inside of one; when the first of the waiting callbacks is another than
 * before, this is a later one. What the first read brings of an answer is not
 * counted: most are whole by then, and it spares them a system call. Returns
 * false when the context is gone. */
static bool handle_read(struct adapter *a)
{
    const redisCallback *first = a->context->replies.head;
    bool gone = false;
    int available = 0;

    if (a->context->c.reader->ridx >= 0) {
        (void)ioctl(a->context->c.fd, FIONREAD, &available);
        a->reply_bytes +=
            (size_t)(available < READ_CHUNK ? available : READ_CHUNK);
    }
    a->gone = &gone;
    redisAsyncHandleRead(a->context);
    if (gone)
        return false;
    a->gone = NULL;
    if (a->context->c.reader->ridx < 0 || a->context->replies.head != first)
        a->reply_bytes = 0;
    if (a->reply_bytes <= a->max_reply_bytes)
        return true;
    a->on_too_large(a->arg);
    return false;
}

/* What hiredis cannot write at once it asks for again, and then waits. */
static void handle_write(struct adapter *a)
{
    bool gone = false;

    a->wants_write = false;
    a->writing = true;
    a->gone = &gone;
    redisAsyncHandleWrite(a->context);
    if (gone)
        return;
    a->gone = NULL;
    a->writing = false;
}

static void on_event(void *arg, uint32_t events)
{
    struct adapter *a = arg;
    bool connected = a->context->c.flags & REDIS_CONNECTED;

    if (events & (EPOLLERR | EPOLLHUP))
        events |= a->events;
    a->reading = true;
    if ((events & EPOLLIN) && !handle_read(a))
        return;
    a->reading = false;
    if ((events & EPOLLOUT) || (a->wants_write && connected))
        handle_write(a);
}

static void on_flush(void *arg)
{
    struct adapter *a = arg;

    a->flush = NULL;
    if (a->wants_write)
        handle_write(a);
}

static void watch(struct adapter *a, uint32_t events)
{
    struct err err;

    a->events = events;
    if (a->source)
        loop_set_events(a->source, events);
    else if (events && loop_add_fd(a->loop, a->context->c.fd, events, on_event,
                                   a, &a->source, &err) < 0)
        a->source = NULL; /* the client's time limit ends this connection */
}

static void add_read(void *data)
{
    struct adapter *a = data;

    watch(a, a->events | EPOLLIN);
}

static void del_read(void *data)
{
    struct adapter *a = data;

    watch(a, a->events & ~(uint32_t)EPOLLIN);
}

/* The commands of one turn of the loop leave in one write, at its end, and
 * without asking epoll whether they may. */
static void add_write(void *data)
{
    struct adapter *a = data;

    if (a->writing || !(a->context->c.flags & REDIS_CONNECTED)) {
        watch(a, a->events | EPOLLOUT);
        return;
    }
    a->wants_write = true;
    if (!a->reading && !a->flush)
        a->flush = loop_add_timer(a->loop, 0, on_flush, a);
}

static void del_write(void *data)
{
    struct adapter *a = data;

    a->wants_write = false;
    watch(a, a->events & ~(uint32_t)EPOLLOUT);
}

static void cleanup(void *data)
{
    struct adapter *a = data;

    if (a->gone)
        *a->gone = true;
    loop_remove(a->source);
    loop_remove(a->flush);
    a->context->ev.data = NULL;
    free(a);
}

int redis_adapter_attach(struct loop *loop, redisAsyncContext *context,
                         size_t max_reply_bytes, redis_adapter_fn *on_too_large,
                         void *arg, struct err *err)
{
    struct adapter *a;

    if (context->ev.data)
        return err_set(err, ERR_TRANSIENT, "the connection is driven already");
    a = xcalloc(1, sizeof(*a));
    a->loop = loop;
    a->context = context;
    a->max_reply_bytes = max_reply_bytes;
    a->on_too_large = on_too_large;
    a->arg = arg;
    context->ev.data = a;
    context->ev.addRead = add_read;
    context->ev.delRead = del_read;
    context->ev.addWrite = add_write;
    context->ev.delWrite = del_write;
    context->ev.cleanup = cleanup;
    return 0;
}
