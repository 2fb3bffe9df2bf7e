/* worker/sandbox/session.c - the talk with the agent of one sandbox. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/session_impl.h"

#include <signal.h>
#include <stdlib.h>

/* ---- tasks ------------------------------------------------------------ */

struct task *task_new(struct session *s, const struct task_type *type,
                      void *arg, struct err *err)
{
    struct task *task;
    unsigned count = 0;

    LIST_FOREACH(task, &s->tasks, link)
    {
        count += task->type->class == type->class;
    }
    if (count >= type->max) {
        (void)err_set(err, ERR_BUG, "more than %u at a time: cannot %s",
                      type->max, type->verb);
        return NULL;
    }
    task = xcalloc(1, sizeof(*task));
    task->session = s;
    task->type = type;
    task->arg = arg;
    task->id = ++s->last_id;
    task->data = (struct strbuf)STRBUF_INIT;
    LIST_INSERT_HEAD(&s->tasks, task, link);
    return task;
}

void task_free(struct task *task)
{
    LIST_REMOVE(task, link);
    loop_remove(task->stall);
    feed_free(task->feed);
    unpack_free(task->unpack);
    strbuf_clear(&task->data);
    free(task->program);
    free(task);
}

struct task *task_find(const struct session *s, uint32_t id)
{
    struct task *task;

    LIST_FOREACH(task, &s->tasks, link)
    {
        if (task->id == id)
            return task;
    }
    return NULL;
}

void task_send(struct task *task, uint8_t type, const void *data, size_t len)
{
    channel_send(task->session->channel, type, task->id, data, len);
}

void task_send_more(struct task *task)
{
    bool end = false;

    while (task->feed && task->unacked + SEND_CHUNK <= AGENT_WINDOW) {
        CLEANUP(strbuf) struct strbuf part = STRBUF_MAX(SEND_CHUNK);

        if (feed_take(task->feed, SEND_CHUNK, &part, &end, &task->err) < 0) {
            task_send(task, AGENT_DROP, NULL, 0);
            feed_free(STEAL(task->feed));
            return;
        }
        if (part.len)
            task_send(task, AGENT_DATA, part.data, part.len);
        task->unacked += part.len;
        if (end) {
            task_send(task, AGENT_END, NULL, 0);
            feed_free(STEAL(task->feed));
        }
    }
}

bool task_acknowledge(struct task *task, const struct frame *frame)
{
    if (frame->len != 4 || wire_u32(frame->data) > task->unacked)
        return false;
    task->unacked -= wire_u32(frame->data);
    task_send_more(task);
    return true;
}

void session_hold(struct session *s, bool held)
{
    s->held = held;
}

/* ---- frames ----------------------------------------------------------- */

/* Once said, nothing the agent sends is looked at again. */
static void break_off(struct session *s, uint8_t type)
{
    struct session_events events = s->events;
    struct err err;

    (void)err_set(&err, ERR_TRANSIENT,
                  "the sandbox's agent broke the protocol (frame %u)", type);
    channel_pause(s->channel, 1);
    events.closed(events.arg, &err);
}

static bool is_hello(struct session *s, const struct frame *frame)
{
    return frame->type == AGENT_HELLO && !s->ready && frame->len == 4 &&
           wire_u32(frame->data) == AGENT_VERSION;
}

static void on_frame(void *arg, const struct frame *frame)
{
    struct session *s = arg;
    struct task *task;

    if (is_hello(s, frame)) {
        s->ready = true;
        s->events.ready(s->events.arg);
        return;
    }
    task = s->ready ? task_find(s, frame->id) : NULL;
    if (!task || !task->type->serve(task, frame))
        break_off(s, frame->type);
}

static void on_closed(void *arg, const struct err *err)
{
    struct session *s = arg;
    struct err gone;

    if (!err)
        (void)err_set(&gone, ERR_TRANSIENT, "the sandbox's agent is gone");
    s->events.closed(s->events.arg, err ? err : &gone);
}

int session_new(struct loop *loop, int in_fd, int out_fd,
                const struct session_events *events,
                struct session **out_session, struct err *err)
{
    CLEANUP(session) struct session *s = xcalloc(1, sizeof(*s));
    struct channel_spec spec = {
        .in_fd = in_fd,
        .out_fd = out_fd,
        .on_frame = on_frame,
        .on_closed = on_closed,
        .arg = s,
    };

    /* An agent that died is an error, not our death; children that we start
     * get the default back. */
    (void)signal(SIGPIPE, SIG_IGN);
    s->loop = loop;
    s->events = *events;
    LIST_INIT(&s->tasks);
    if (channel_new(loop, &spec, &s->channel, err) < 0)
        return -1;
    *out_session = STEAL(s);
    return 0;
}

void session_free(struct session *s)
{
    if (!s)
        return;
    while (!LIST_EMPTY(&s->tasks))
        task_free(LIST_FIRST(&s->tasks));
    channel_free(s->channel);
    free(s);
}
