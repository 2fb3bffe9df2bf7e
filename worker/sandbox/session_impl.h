/* worker/sandbox/session_impl.h - what the files of a session share. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SANDBOX_SESSION_IMPL_H
#define WORKER_SANDBOX_SESSION_IMPL_H

#include "base/channel.h"
#include "worker/sandbox/agent/protocol.h"
#include "worker/sandbox/session.h"
#include "worker/sandbox/unpack.h"
#include "worker/sandbox/wire.h"

#include <sys/queue.h>

#define SEND_CHUNK ((size_t)64 << 10)

struct task;

/** What a command, a file operation and a connection each do. */
struct task_type {
    const char *verb; /* "read": for messages */
    unsigned max;     /* that there may be at a time, of its class */
    enum task_class { TASK_COMMAND, TASK_FILE, TASK_CONNECTION } class;
    /** A frame of the task; false when it has no place there. It may end in a
     * callback that frees the session: touch nothing after that. */
    bool (*serve)(struct task *task, const struct frame *frame);
};

struct task {
    LIST_ENTRY(task) link;
    struct session *session; /* borrowed */
    const struct task_type *type;
    uint32_t id;
    void *arg;
    /* What is sent, but by a connection. */
    struct feed *feed; /* owned; NULL once all is sent */
    size_t unacked;
    /* A command's. */
    char *program; /* owned */
    int64_t started_mono_ms;
    sandbox_output_fn *on_output;
    sandbox_exit_fn *on_exit;
    /* A file operation's. */
    sandbox_file_fn *done;
    sandbox_list_fn *listed;
    struct unpack *unpack;     /* owned */
    struct loop_source *stall; /* borrowed from the loop */
    bool stalled;
    struct err err; /* what went wrong on our side; kind ERR_NONE: nothing */
    /* What is read; a connection's, to be sent. */
    struct strbuf data;
    struct sandbox_connection connection;
    bool open, ended, mute;
};

LIST_HEAD(task_list, task);

struct session {
    struct loop *loop;       /* borrowed */
    struct channel *channel; /* owned */
    struct session_events events;
    struct task_list tasks;
    uint32_t last_id;
    bool ready;
    bool held;
};

/** NULL, having filled `err`, when there are too many of its class. */
MUST_USE struct task *task_new(struct session *session,
                               const struct task_type *type, void *arg,
                               struct err *err);
void task_free(struct task *task);
struct task *task_find(const struct session *session, uint32_t id);
/** Send as much of the feed as the agent's window takes. */
void task_send_more(struct task *task);
/** AGENT_ACK for a feed; false when it has no place here. */
bool task_acknowledge(struct task *task, const struct frame *frame);
void task_send(struct task *task, uint8_t type, const void *data, size_t len);

#endif
