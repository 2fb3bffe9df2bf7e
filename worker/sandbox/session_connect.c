/* worker/sandbox/session_connect.c - connections to what listens inside. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/session_impl.h"

#include <errno.h>
#include <string.h>

static bool serve(struct task *task, const struct frame *frame);

static const struct task_type connection_type = {
    "connect", AGENT_MAX_CONNECTIONS, TASK_CONNECTION, serve};

int session_connect(struct session *s,
                    const struct sandbox_connection *connection,
                    uint32_t *out_id, struct err *err)
{
    uint8_t port[2] = {(uint8_t)(connection->port >> 8),
                       (uint8_t)connection->port};
    struct task *task;

    if (connection->port < 1 || connection->port > 65535)
        return err_set(err, ERR_USER, "%u is no port", connection->port);
    task = task_new(s, &connection_type, connection->arg, err);
    if (!task)
        return -1;
    task->connection = *connection;
    task_send(task, AGENT_CONNECT, port, sizeof(port));
    *out_id = task->id;
    return 0;
}

static struct task *find(const struct session *s, uint32_t id)
{
    struct task *task = task_find(s, id);

    return task && task->type == &connection_type && !task->mute ? task : NULL;
}

/* As much as the agent's window takes. */
static void send_more(struct task *task)
{
    while (task->open && task->data.len && task->unacked < AGENT_WINDOW) {
        size_t part = AGENT_WINDOW - task->unacked;

        if (part > task->data.len)
            part = task->data.len;
        task_send(task, AGENT_DATA, task->data.data, part);
        task->unacked += part;
        strbuf_consume(&task->data, part);
    }
    if (task->open && task->ended && !task->data.len) {
        task_send(task, AGENT_END, NULL, 0);
        task->ended = false;
    }
}

void session_send(struct session *s, uint32_t id, const void *data, size_t len)
{
    struct task *task = find(s, id);

    if (!task)
        return;
    if (data)
        strbuf_add(&task->data, data, len);
    else
        task->ended = true;
    send_more(task);
}

void session_taken(struct session *s, uint32_t id, size_t len)
{
    struct task *task = find(s, id);
    uint8_t number[4] = {(uint8_t)(len >> 24), (uint8_t)(len >> 16),
                         (uint8_t)(len >> 8), (uint8_t)len};

    if (task)
        task_send(task, AGENT_TAKEN, number, sizeof(number));
}

void session_disconnect(struct session *s, uint32_t id)
{
    struct task *task = find(s, id);

    if (!task)
        return;
    task->mute = true;
    task_send(task, AGENT_DROP, NULL, 0);
}

static void finish(struct task *task, const struct frame *frame)
{
    struct sandbox_connection connection = task->connection;
    int sys = (int)wire_u32(frame->data);
    bool mute = task->mute;
    struct err err = {0};

    task_free(task);
    if (sys)
        (void)err_set(&err, ERR_USER, "cannot connect to port %u inside: %s",
                      connection.port,
                      strerrordesc_np(sys) ? strerrordesc_np(sys) : "error");
    err.sys = sys;
    if (!mute)
        connection.on_closed(connection.arg, sys ? &err : NULL);
}

static bool acknowledge(struct task *task, const struct frame *frame)
{
    const struct sandbox_connection *connection = &task->connection;

    if (frame->len != 4 || wire_u32(frame->data) > task->unacked)
        return false;
    task->unacked -= wire_u32(frame->data);
    send_more(task);
    if (!task->mute && connection->on_sent)
        connection->on_sent(connection->arg, task->unacked + task->data.len);
    return true;
}

static bool serve(struct task *task, const struct frame *frame)
{
    const struct sandbox_connection *connection = &task->connection;

    if (frame->type == AGENT_DONE && frame->len >= 4) {
        finish(task, frame);
        return true;
    }
    if (frame->type == AGENT_ACK)
        return acknowledge(task, frame);
    if (frame->type == AGENT_OPEN && !task->open) {
        task->open = true;
        send_more(task);
        if (!task->mute)
            connection->on_open(connection->arg);
        return true;
    }
    if (frame->type != AGENT_GOT || !task->open || !frame->len)
        return false;
    if (!task->mute)
        connection->on_data(connection->arg, frame->data, frame->len);
    return true;
}
