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
    bool in_ended; /* AGENT_PUT_END came */
    bool reaped;
    uint32_t id;
    pid_t pid;
    int in;     /* to the helper's stdin, or -1 */
    int out;    /* from its stdout, or -1 */
    int report; /* from its stderr: which path failed, or -1 */
    int status;
    size_t start, end;             /* of buf */
    uint8_t buf[AGENT_PUT_WINDOW]; /* on its way to the helper */
    size_t text_len;
    char text[TEXT_SIZE];
};

static struct task tasks[MAX_FILE_TASKS];
static uint8_t chunk[CHUNK_SIZE];

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

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
    t->in = in[1];
    t->out = out[0];
    t->report = report[0];
    (void)fcntl(t->in, F_SETFL, O_NONBLOCK);
    (void)fcntl(t->out, F_SETFL, O_NONBLOCK);
    (void)fcntl(t->report, F_SETFL, O_NONBLOCK);
    return t->pid;
}

/* The path in a frame, or NULL when it is no sound one. */
static const char *take_path(const uint8_t *p, size_t len)
{
    static char path[AGENT_PATH_MAX + 1];

    if (len < 1 || len > AGENT_PATH_MAX || p[0] != '/' || memchr(p, '\0', len))
        return NULL;
    memcpy(path, p, len);
    path[len] = '\0';
    return path;
}

static struct task *begin(uint32_t id, const char *path)
{
    struct task *t = find_free();

    if (!path || !t) {
        send_done(id, path ? EAGAIN : EINVAL, "", 0);
        return NULL;
    }
    t->used = true;
    t->id = id;
    t->in_ended = t->reaped = false;
    t->start = t->end = t->text_len = 0;
    return t;
}

static void check_fork(struct task *t, pid_t pid)
{
    if (pid > 0)
        return;
    close_fd(&t->in);
    close_fd(&t->out);
    close_fd(&t->report);
    send_done(t->id, EAGAIN, "", 0);
    t->used = false;
}

void files_put(const struct frame *frame)
{
    const char *base = take_path(frame->data, frame->len);
    struct task *t = begin(frame->id, base);
    pid_t pid;

    if (!t)
        return;
    pid = spawn(t);
    if (pid == 0)
        helper_put(base);
    check_fork(t, pid);
}

void files_get(const struct frame *frame)
{
    bool sound = frame->len > 8;
    const char *path =
        sound ? take_path(frame->data + 8, frame->len - 8) : NULL;
    struct task *t = begin(frame->id, path);
    pid_t pid;

    if (!t)
        return;
    pid = spawn(t);
    if (pid == 0)
        helper_get(path, wire_u64(frame->data));
    check_fork(t, pid);
    close_fd(&t->in);
}

void files_put_data(const struct frame *frame)
{
    struct task *t = find(frame->id);

    /* A helper that failed is gone while the driver still sends. */
    if (!t)
        return;
    if (t->end - t->start + frame->len > sizeof(t->buf))
        agent_die("more file data than the window allows");
    memmove(t->buf, t->buf + t->start, t->end - t->start);
    t->end -= t->start;
    t->start = 0;
    memcpy(t->buf + t->end, frame->data, frame->len);
    t->end += frame->len;
}

static void close_when_sent(struct task *t)
{
    if (t->in_ended && t->start == t->end)
        close_fd(&t->in);
}

void files_put_end(uint32_t id)
{
    struct task *t = find(id);

    if (!t)
        return;
    t->in_ended = true;
    close_when_sent(t);
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
    close_fd(&t->in);
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
        if (t->in >= 0 && t->start < t->end)
            fds[n++] = (struct pollfd){t->in, POLLOUT, 0};
        if (t->out >= 0 && wire_has_room())
            fds[n++] = (struct pollfd){t->out, POLLIN, 0};
        if (t->report >= 0)
            fds[n++] = (struct pollfd){t->report, POLLIN, 0};
    }
    return n;
}

static void pump_in(struct task *t)
{
    ssize_t n = write(t->in, t->buf + t->start, t->end - t->start);
    uint8_t ack[4];

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0) {
        close_fd(&t->in);
        t->start = t->end = 0;
        return;
    }
    t->start += (size_t)n;
    wire_put_u32(ack, (uint32_t)n);
    wire_send(AGENT_ACK, t->id, ack, sizeof(ack));
    close_when_sent(t);
}

static void pump_out(struct task *t)
{
    ssize_t n;

    if (!wire_has_room())
        return;
    n = read(t->out, chunk, sizeof(chunk));
    if (n > 0)
        wire_send(AGENT_GET_DATA, t->id, chunk, (size_t)n);
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
    if (fd == t->in)
        pump_in(t);
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
