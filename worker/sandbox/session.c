/* worker/sandbox/session.c - the talk with the agent of one sandbox. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/session.h"

#include "base/channel.h"
#include "base/clock.h"
#include "worker/sandbox/agent/protocol.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define MAX_FILE_TASKS 4
#define MAX_STRINGS    8000u
#define PUT_CHUNK      ((size_t)64 << 10)
/* A stranger can stop the helper, which runs as the same user. */
#define STALL_MS 30000

enum task_kind { TASK_EXEC, TASK_PUT, TASK_GET };

struct task {
    LIST_ENTRY(task) link;
    struct session *session; /* borrowed */
    enum task_kind kind;
    uint32_t id;
    void *arg;
    /* TASK_EXEC */
    sandbox_output_fn *on_output;
    sandbox_exit_fn *on_exit;
    /* TASK_PUT and TASK_GET */
    sandbox_file_fn *done;
    struct feed *feed; /* owned; NULL once all is sent */
    size_t unacked;
    struct strbuf data;
    struct loop_source *stall; /* borrowed from the loop */
    bool stalled;
    struct err err; /* what went wrong on our side; kind ERR_NONE: nothing */
};

struct session {
    struct loop *loop;       /* borrowed */
    struct channel *channel; /* owned */
    struct session_events events;
    LIST_HEAD(, task) tasks;
    unsigned execs;
    unsigned files;
    uint32_t last_id;
    bool ready;
};

static uint32_t get_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
           p[3];
}

static uint64_t get_u64(const uint8_t *p)
{
    return (uint64_t)get_u32(p) << 32 | get_u32(p + 4);
}

static void add_number(struct strbuf *out, uint64_t v, int bytes)
{
    while (bytes--)
        strbuf_addc(out, (char)(v >> (8 * bytes)));
}

/* ---- tasks ------------------------------------------------------------ */

static struct task *task_new(struct session *s, enum task_kind kind, void *arg)
{
    struct task *task = xcalloc(1, sizeof(*task));

    task->session = s;
    task->kind = kind;
    task->arg = arg;
    task->id = ++s->last_id;
    task->data = (struct strbuf)STRBUF_INIT;
    LIST_INSERT_HEAD(&s->tasks, task, link);
    *(kind == TASK_EXEC ? &s->execs : &s->files) += 1;
    return task;
}

static void task_free(struct task *task)
{
    LIST_REMOVE(task, link);
    *(task->kind == TASK_EXEC ? &task->session->execs
                              : &task->session->files) -= 1;
    loop_remove(task->stall);
    feed_free(task->feed);
    strbuf_clear(&task->data);
    free(task);
}

static struct task *task_find(struct session *s, uint32_t id)
{
    struct task *task;

    LIST_FOREACH(task, &s->tasks, link)
    {
        if (task->id == id)
            return task;
    }
    return NULL;
}

static void on_stall(void *arg)
{
    struct task *task = arg;

    task->stall = NULL;
    /* The second time even the kill went unanswered. */
    if (task->stalled) {
        struct session_events events = task->session->events;
        struct err err;

        (void)err_set(&err, ERR_TRANSIENT, "the agent does not answer");
        events.closed(events.arg, &err);
        return;
    }
    task->stalled = true;
    channel_send(task->session->channel, AGENT_DROP, task->id, NULL, 0);
    task->stall = loop_add_timer(task->session->loop,
                                 clock_mono_ms() + STALL_MS, on_stall, task);
}

static void progress(struct task *task)
{
    if (task->stalled)
        return;
    loop_remove(task->stall);
    task->stall = loop_add_timer(task->session->loop,
                                 clock_mono_ms() + STALL_MS, on_stall, task);
}

/* ---- files ------------------------------------------------------------ */

/* Send as much as the agent's window takes. */
static void send_more(struct task *task)
{
    struct channel *channel = task->session->channel;
    bool end = false;

    while (task->feed && task->unacked + PUT_CHUNK <= AGENT_PUT_WINDOW) {
        CLEANUP(strbuf) struct strbuf part = STRBUF_MAX(PUT_CHUNK);

        if (feed_take(task->feed, PUT_CHUNK, &part, &end, &task->err) < 0) {
            channel_send(channel, AGENT_DROP, task->id, NULL, 0);
            feed_free(STEAL(task->feed));
            return;
        }
        if (part.len)
            channel_send(channel, AGENT_PUT_DATA, task->id, part.data,
                         part.len);
        task->unacked += part.len;
        if (end) {
            channel_send(channel, AGENT_PUT_END, task->id, NULL, 0);
            feed_free(STEAL(task->feed));
        }
    }
}

static int check_file_task(const struct session *s, const char *path,
                           struct err *err)
{
    if (path[0] != '/' || strlen(path) > AGENT_PATH_MAX)
        return err_set(err, ERR_USER, "'%.200s' is no absolute path", path);
    if (s->files >= MAX_FILE_TASKS)
        return err_set(err, ERR_BUG, "too many file operations at a time");
    return 0;
}

int session_put(struct session *s, const char *dir, struct feed *feed,
                sandbox_file_fn *done, void *arg, struct err *err)
{
    CLEANUP(feed) struct feed *mine = feed;
    struct task *task;

    if (check_file_task(s, dir, err) < 0)
        return -1;
    task = task_new(s, TASK_PUT, arg);
    task->done = done;
    task->feed = STEAL(mine);
    channel_send(s->channel, AGENT_PUT, task->id, dir, strlen(dir));
    send_more(task);
    progress(task);
    return 0;
}

int session_get(struct session *s, const char *path, size_t max_bytes,
                sandbox_file_fn *done, void *arg, struct err *err)
{
    CLEANUP(strbuf) struct strbuf request = STRBUF_INIT;
    struct task *task;

    if (check_file_task(s, path, err) < 0)
        return -1;
    task = task_new(s, TASK_GET, arg);
    task->done = done;
    task->data.max_bytes = max_bytes + 1;
    add_number(&request, max_bytes, 8);
    strbuf_adds(&request, path);
    channel_send(s->channel, AGENT_GET, task->id, request.data, request.len);
    progress(task);
    return 0;
}

static int file_error(struct task *task, const struct frame *frame)
{
    int sys = (int)get_u32(frame->data);
    int len = (int)(frame->len - 4);
    const char *about = (const char *)frame->data + 4;
    const char *verb = task->kind == TASK_GET ? "read" : "write";
    const char *why = strerrordesc_np(sys);

    if (task->err.kind != ERR_NONE)
        return -1;
    if (task->stalled)
        return err_set(&task->err, ERR_USER, "a file operation was stopped");
    if (!sys)
        return 0;
    if (sys == EFBIG && task->kind == TASK_GET)
        return err_set(&task->err, ERR_USER, "'%.*s' is larger than %zu bytes",
                       len, about, task->data.max_bytes - 1);
    (void)err_set(&task->err, ERR_USER, "cannot %s '%.*s' in the sandbox: %s",
                  verb, len, about, why ? why : "error");
    task->err.sys = sys;
    return -1;
}

static void finish_file(struct task *task, const struct frame *frame)
{
    sandbox_file_fn *done = task->done;
    void *arg = task->arg;
    bool failed = file_error(task, frame) < 0;
    struct err err = task->err;
    size_t len = task->data.len;
    CLEANUP(mem) char *data = strbuf_take(&task->data);
    bool get = task->kind == TASK_GET;

    task_free(task);
    done(arg, failed || !get ? NULL : data, failed || !get ? 0 : len,
         failed ? &err : NULL);
}

/* ---- commands --------------------------------------------------------- */

static unsigned add_strings(struct strbuf *out, const char *const *list)
{
    unsigned n = 0;

    for (; list && list[n]; n++)
        strbuf_add(out, list[n], strlen(list[n]) + 1);
    return n;
}

int session_exec(struct session *s, const struct sandbox_exec *exec,
                 uint32_t *out_id, struct err *err)
{
    CLEANUP(strbuf) struct strbuf words = STRBUF_INIT;
    CLEANUP(strbuf) struct strbuf request = STRBUF_INIT;
    unsigned argc, envc;
    struct task *task;

    strbuf_add(&words, exec->cwd, strlen(exec->cwd) + 1);
    argc = add_strings(&words, exec->argv);
    envc = add_strings(&words, exec->env);
    if (argc < 1 || argc > MAX_STRINGS || envc > MAX_STRINGS ||
        words.len + FRAME_HEADER_SIZE > FRAME_MAX_PAYLOAD)
        return err_set(err, ERR_USER,
                       "the command and its environment are larger than 1 MiB "
                       "or %u words",
                       MAX_STRINGS);
    if (s->execs >= AGENT_MAX_TASKS)
        return err_set(err, ERR_BUG, "too many commands at a time");
    add_number(&request,
               (exec->as_root ? AGENT_EXEC_AS_ROOT : 0u) |
                   (exec->on_output ? 0u : AGENT_EXEC_DISCARD) |
                   (exec->keep_background ? AGENT_EXEC_KEEP : 0u),
               1);
    add_number(&request, argc, 4);
    add_number(&request, envc, 4);
    strbuf_add(&request, words.data, words.len);
    task = task_new(s, TASK_EXEC, exec->arg);
    task->on_output = exec->on_output;
    task->on_exit = exec->on_exit;
    channel_send(s->channel, AGENT_EXEC, task->id, request.data, request.len);
    *out_id = task->id;
    return 0;
}

static void finish_exec(struct task *task, const struct frame *frame)
{
    sandbox_exit_fn *on_exit = task->on_exit;
    void *arg = task->arg;
    struct sandbox_exit end = {
        .code = (int)get_u32(frame->data),
        .signal = (int)get_u32(frame->data + 4),
        .cpu_ms = (int64_t)get_u64(frame->data + 8),
        .peak_bytes = get_u64(frame->data + 16),
    };

    task_free(task);
    if (on_exit)
        on_exit(arg, &end);
}

void session_kill_all(struct session *s, int signo)
{
    uint8_t number[4] = {0, 0, 0, (uint8_t)signo};

    channel_send(s->channel, AGENT_KILL, 0, number, sizeof(number));
}

void session_pause(struct session *s, bool paused)
{
    uint8_t flag = paused;

    channel_send(s->channel, AGENT_PAUSE, 0, &flag, 1);
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
           get_u32(frame->data) == AGENT_VERSION;
}

/* Returns false when `frame` has no place here. */
static bool serve_exec(struct task *task, const struct frame *frame)
{
    if (frame->type == AGENT_EXIT && frame->len == AGENT_EXIT_SIZE) {
        finish_exec(task, frame);
        return true;
    }
    if ((frame->type != AGENT_STDOUT && frame->type != AGENT_STDERR) ||
        frame->len < 1)
        return false;
    if (task->on_output)
        task->on_output(task->arg,
                        frame->type == AGENT_STDOUT ? SANDBOX_STDOUT
                                                    : SANDBOX_STDERR,
                        frame->data, frame->len);
    return true;
}

static bool serve_file(struct task *task, const struct frame *frame)
{
    if (frame->type == AGENT_DONE && frame->len >= 4) {
        finish_file(task, frame);
        return true;
    }
    progress(task);
    if (frame->type == AGENT_ACK && frame->len == 4 &&
        get_u32(frame->data) <= task->unacked) {
        task->unacked -= get_u32(frame->data);
        send_more(task);
        return true;
    }
    if (frame->type != AGENT_GET_DATA || task->kind != TASK_GET)
        return false;
    strbuf_add(&task->data, frame->data, frame->len);
    return !task->data.truncated;
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
    /* The callback in a serve may free the session: say nothing after it. */
    if (!task || !(task->kind == TASK_EXEC ? serve_exec(task, frame)
                                           : serve_file(task, frame)))
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
