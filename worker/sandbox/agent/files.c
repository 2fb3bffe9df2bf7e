/* worker/sandbox/agent/files.c - file operations, each in a helper process. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/agent/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_FILE_TASKS 4
#define TEXT_SIZE      1024

struct task {
    bool used;
    bool reaped;
    uint32_t id;
    pid_t pid;
    int out;    /* from its stdout, or -1 */
    int report; /* from its stderr: which path failed, or -1 */
    int status;
    size_t text_len;
    char text[TEXT_SIZE];
    struct flow in; /* to the helper's stdin */
};

static struct task tasks[MAX_FILE_TASKS];
static uint8_t chunk[CHUNK_SIZE];

static struct task *find(uint32_t id)
{
    for (size_t i = 0; i < MAX_FILE_TASKS; i++)
        if (tasks[i].used && tasks[i].id == id)
            return &tasks[i];
    return NULL;
}

static struct task *find_free(void)
{
    for (size_t i = 0; i < MAX_FILE_TASKS; i++)
        if (!tasks[i].used)
            return &tasks[i];
    return NULL;
}

static void send_done(uint32_t id, int sys, const char *text, size_t len)
{
    uint8_t reply[4 + TEXT_SIZE];

    wire_put_u32(reply, (uint32_t)sys);
    memcpy(reply + 4, text, len);
    wire_send(AGENT_DONE, id, reply, 4 + len);
}

/* Fork a helper with three pipes; 0 in the child. */
static pid_t spawn(struct task *t)
{
    int in[2], out[2], report[2];

    if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 ||
        pipe2(report, O_CLOEXEC) < 0)
        agent_die("cannot make a pipe");
    t->pid = fork();
    if (t->pid == 0) {
        if (!child_stdio(in[0], out[1], report[1]) || !drop_in_child(false))
            _exit(EPERM);
        (void)signal(SIGPIPE, SIG_IGN);
        return 0;
    }
    (void)close(in[0]);
    (void)close(out[1]);
    (void)close(report[1]);
    flow_open(&t->in, in[1], t->id);
    t->out = out[0];
    t->report = report[0];
    (void)fcntl(t->out, F_SETFL, O_NONBLOCK);
    (void)fcntl(t->report, F_SETFL, O_NONBLOCK);
    return t->pid;
}

/* Copy what a request says behind its numbers; NULL when it is no sound path.
 * Until the next request. */
static const char *take_path(const uint8_t *p, size_t len)
{
    static char path[AGENT_PATH_MAX + 1];

    if (len < 1 || len > AGENT_PATH_MAX || p[0] != '/' || memchr(p, '\0', len))
        return NULL;
    memcpy(path, p, len);
    path[len] = '\0';
    return path;
}

static bool take_tree(const struct frame *frame, struct tree_request *out)
{
    static char text[(size_t)64 << 10];
    size_t len = frame->len - 13;

    if (frame->len < 15 || len > sizeof(text) || frame->data[13] != '/' ||
        frame->data[frame->len - 1])
        return false;
    memcpy(text, frame->data + 13, len);
    out->flags = frame->data[0];
    out->max_bytes = wire_u64(frame->data + 1);
    out->max_entries = wire_u32(frame->data + 9);
    out->base = text;
    out->patterns = text + strlen(text) + 1;
    out->patterns_end = text + len;
    return strlen(text) <= AGENT_PATH_MAX;
}

struct request {
    const char *path;
    uint64_t max_bytes;
    struct tree_request tree;
};

static bool parse(const struct frame *frame, struct request *out)
{
    size_t skip = frame->type == AGENT_GET ? 8 : 0;

    if (frame->type == AGENT_TREE)
        return take_tree(frame, &out->tree);
    if (frame->len < skip)
        return false;
    if (skip)
        out->max_bytes = wire_u64(frame->data);
    out->path = take_path(frame->data + skip, frame->len - skip);
    return out->path;
}

/* In the helper. */
__attribute__((noreturn)) static void help(uint8_t type,
                                           const struct request *request)
{
    if (type == AGENT_PUT)
        helper_put(request->path);
    if (type == AGENT_GET)
        helper_get(request->path, request->max_bytes);
    if (type == AGENT_LIST)
        helper_list(request->path);
    if (type == AGENT_TREE)
        helper_tree(&request->tree);
    helper_clear(request->path);
}

void files_start(const struct frame *frame)
{
    struct request request = {0};
    struct task *t = find_free();
    bool sound = parse(frame, &request);

    if (!sound || !t) {
        send_done(frame->id, sound ? EAGAIN : EINVAL, "", 0);
        return;
    }
    t->id = frame->id;
    t->reaped = false;
    t->text_len = 0;
    if (spawn(t) == 0)
        help(frame->type, &request);
    t->used = t->pid > 0;
    if (t->used && frame->type != AGENT_PUT)
        flow_close(&t->in);
    if (t->used)
        return;
    flow_close(&t->in);
    close_fd(&t->out);
    close_fd(&t->report);
    send_done(t->id, EAGAIN, "", 0);
}

bool files_input(const struct frame *frame)
{
    struct task *t = find(frame->id);

    if (t && frame->type == AGENT_DATA)
        flow_add(&t->in, frame);
    else if (t)
        flow_end(&t->in);
    return t;
}

void files_drop(uint32_t id)
{
    struct task *t = find(id);

    if (t && !t->reaped)
        (void)kill(t->pid, SIGKILL);
}

/* Over when the helper is gone and all that it wrote is passed on. */
static void finish(struct task *t)
{
    int sys;

    if (!t->reaped || t->out >= 0 || t->report >= 0)
        return;
    sys = WIFEXITED(t->status) ? WEXITSTATUS(t->status) : EINTR;
    flow_close(&t->in);
    send_done(t->id, sys, t->text, t->text_len);
    t->used = false;
}

bool files_reaped(pid_t pid, int status)
{
    for (size_t i = 0; i < MAX_FILE_TASKS; i++) {
        struct task *t = &tasks[i];

        if (!t->used || t->reaped || t->pid != pid)
            continue;
        t->reaped = true;
        t->status = status;
        finish(t);
        return true;
    }
    return false;
}

bool files_is_helper(pid_t pid)
{
    for (size_t i = 0; i < MAX_FILE_TASKS; i++)
        if (tasks[i].used && !tasks[i].reaped && tasks[i].pid == pid)
            return true;
    return false;
}

bool files_any(void)
{
    for (size_t i = 0; i < MAX_FILE_TASKS; i++)
        if (tasks[i].used && !tasks[i].reaped)
            return true;
    return false;
}

size_t files_poll(struct pollfd *fds)
{
    size_t n = 0;

    for (size_t i = 0; i < MAX_FILE_TASKS; i++) {
        struct task *t = &tasks[i];

        if (!t->used)
            continue;
        if (flow_is_waiting(&t->in))
            fds[n++] = (struct pollfd){t->in.fd, POLLOUT, 0};
        if (t->out >= 0 && wire_has_room())
            fds[n++] = (struct pollfd){t->out, POLLIN, 0};
        if (t->report >= 0)
            fds[n++] = (struct pollfd){t->report, POLLIN, 0};
    }
    return n;
}

static void pump_out(struct task *t)
{
    ssize_t n;

    if (!wire_has_room())
        return;
    n = read(t->out, chunk, sizeof(chunk));
    if (n > 0)
        wire_send(AGENT_GOT, t->id, chunk, (size_t)n);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        close_fd(&t->out);
}

static void pump_report(struct task *t)
{
    ssize_t n = read(t->report, chunk, sizeof(chunk));
    size_t room = TEXT_SIZE - t->text_len;

    if (n > 0) {
        size_t take = (size_t)n < room ? (size_t)n : room;

        memcpy(t->text + t->text_len, chunk, take);
        t->text_len += take;
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        close_fd(&t->report);
    }
}

static void serve(struct task *t, int fd)
{
    if (fd == t->in.fd && flow_is_waiting(&t->in))
        flow_pump(&t->in);
    else if (fd == t->out)
        pump_out(t);
    else if (fd == t->report)
        pump_report(t);
    else
        return;
    finish(t);
}

void files_serve(const struct pollfd *fds, size_t count)
{
    for (size_t n = 0; n < count; n++)
        for (size_t i = 0; fds[n].revents && i < MAX_FILE_TASKS; i++)
            if (tasks[i].used)
                serve(&tasks[i], fds[n].fd);
}
