/* worker/sandbox/agent/exec.c - commands, their output and their end. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/agent/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_STRINGS 8192

struct command {
    bool used;
    bool keep;  /* its background processes live on */
    bool ended; /* the main process is reaped */
    bool timed_out;
    uint32_t id;
    pid_t pid;
    int fds[2]; /* read ends of stdout and stderr; -1: at end of file */
    int status;
    int64_t until_ms; /* when its time is over; 0: never */
    int64_t ended_ms;
    bool expired;   /* the time to drain is over */
    size_t owed[2]; /* what lay in the pipes then, and is still to be read */
    struct rusage usage;
    struct flow input;
};

struct request {
    unsigned flags;
    uint32_t timeout_ms;
    char *cwd;
    char *argv[MAX_STRINGS + 1];
    char *envp[MAX_STRINGS + 1];
};

static struct command commands[AGENT_MAX_TASKS];
static struct request request; /* too large for the stack */
static bool paused;
static uint8_t chunk[CHUNK_SIZE];

/* Take `count` NUL-ended strings from `*p`; they stay where they are. */
static void take_strings(char **p, const char *end, char **out, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        char *nul = memchr(*p, '\0', (size_t)(end - *p));

        if (!nul)
            agent_die("a command is cut short");
        out[i] = *p;
        *p = nul + 1;
    }
    out[count] = NULL;
}

static void parse(const struct frame *frame)
{
    const uint8_t *head = frame->data;
    /* The frame lies in our own input buffer, until the next read. */
    char *p = (char *)(uintptr_t)frame->data + 13;
    const char *end = (const char *)frame->data + frame->len;
    char *cwd[2];
    uint32_t argc, envc;

    if (frame->len < 13)
        agent_die("a command is too short");
    argc = wire_u32(head + 1);
    envc = wire_u32(head + 5);
    if (argc < 1 || argc > MAX_STRINGS || envc > MAX_STRINGS)
        agent_die("a command has too many words");
    request.flags = head[0];
    request.timeout_ms = wire_u32(head + 9);
    take_strings(&p, end, cwd, 1);
    request.cwd = cwd[0];
    take_strings(&p, end, request.argv, argc);
    take_strings(&p, end, request.envp, envc);
}

static void complain(const char *what, const char *name)
{
    const char *why = strerrordesc_np(errno);

    (void)!write(2, "berth: cannot ", 14);
    (void)!write(2, what, strlen(what));
    (void)!write(2, " '", 2);
    (void)!write(2, name, strlen(name));
    (void)!write(2, "': ", 3);
    (void)!write(2, why ? why : "error", strlen(why ? why : "error"));
    (void)!write(2, "\n", 1);
}

/* In the child. 126 and 127 as a shell has them. */
__attribute__((noreturn)) static void become(int in, int out, int err)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null < 0 ||
        !child_stdio(in < 0 ? null : in, out < 0 ? null : out,
                     err < 0 ? null : err) ||
        !drop_in_child(request.flags & AGENT_EXEC_AS_ROOT))
        _exit(126);
    if (chdir(request.cwd) < 0) {
        complain("enter", request.cwd);
        _exit(126);
    }
    environ = request.envp;
    (void)execvpe(request.argv[0], request.argv, request.envp);
    complain("run", request.argv[0]);
    _exit(errno == ENOENT ? 127 : 126);
}

static void send_exit(const struct command *c)
{
    const struct rusage *u = &c->usage;
    uint8_t reply[AGENT_EXIT_SIZE];
    int64_t cpu_us =
        ((int64_t)u->ru_utime.tv_sec + u->ru_stime.tv_sec) * 1000000 +
        u->ru_utime.tv_usec + u->ru_stime.tv_usec;

    wire_put_u32(reply, WIFEXITED(c->status) ? (uint32_t)WEXITSTATUS(c->status)
                                             : UINT32_MAX);
    wire_put_u32(reply + 4,
                 WIFSIGNALED(c->status) ? (uint32_t)WTERMSIG(c->status) : 0);
    wire_put_u32(reply + 8, c->timed_out);
    wire_put_u64(reply + 12, (uint64_t)cpu_us / 1000);
    wire_put_u64(reply + 20, (uint64_t)u->ru_maxrss * 1024);
    wire_send(AGENT_EXIT, c->id, reply, sizeof(reply));
}

static struct command *find_free(void)
{
    for (size_t i = 0; i < AGENT_MAX_TASKS; i++)
        if (!commands[i].used)
            return &commands[i];
    agent_die("too many commands at a time");
}

static void make_pipes(int in[2], int out[2], int err[2])
{
    bool discard = request.flags & AGENT_EXEC_DISCARD;

    in[0] = in[1] = out[0] = out[1] = err[0] = err[1] = -1;
    if (((request.flags & AGENT_EXEC_INPUT) && pipe2(in, O_CLOEXEC) < 0) ||
        (!discard && (pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)))
        agent_die("cannot make a pipe");
    (void)fcntl(out[0], F_SETFL, O_NONBLOCK);
    (void)fcntl(err[0], F_SETFL, O_NONBLOCK);
}

/* The pids limit is reached: what a shell calls 126. */
static void end_unborn(struct command *c)
{
    static const char msg[] = "berth: no process is left for a command\n";

    wire_send(AGENT_STDERR, c->id, msg, sizeof(msg) - 1);
    c->ended = true;
    c->status = 126 << 8;
    c->ended_ms = agent_now_ms();
}

void exec_start(const struct frame *frame)
{
    struct command *c = find_free();
    int in[2], out[2], err[2];

    parse(frame);
    make_pipes(in, out, err);
    memset(c, 0, offsetof(struct command, input));
    c->used = true;
    c->id = frame->id;
    c->keep = request.flags & AGENT_EXEC_KEEP;
    if (request.timeout_ms)
        c->until_ms = agent_now_ms() + request.timeout_ms;
    c->pid = fork();
    if (c->pid == 0)
        become(in[0], out[1], err[1]);
    close_fd(&in[0]);
    close_fd(&out[1]);
    close_fd(&err[1]);
    flow_open(&c->input, in[1], c->id);
    c->fds[0] = out[0];
    c->fds[1] = err[0];
    if (c->pid < 0)
        end_unborn(c);
}

static struct command *find(uint32_t id)
{
    for (size_t i = 0; i < AGENT_MAX_TASKS; i++)
        if (commands[i].used && commands[i].id == id)
            return &commands[i];
    return NULL;
}

bool exec_input(const struct frame *frame)
{
    struct command *c = find(frame->id);

    if (c && frame->type == AGENT_DATA)
        flow_add(&c->input, frame);
    else if (c)
        flow_end(&c->input);
    return c;
}

void exec_kill(uint32_t id, int signo)
{
    struct command *c = find(id);

    if (!id)
        processes_kill_all(signo);
    else if (c && !c->ended)
        processes_kill_command(c->pid, signo);
}

bool exec_is_running(pid_t pid)
{
    for (size_t i = 0; i < AGENT_MAX_TASKS; i++)
        if (commands[i].used && !commands[i].ended && commands[i].pid == pid)
            return true;
    return false;
}

void exec_pause(bool stop)
{
    int64_t now = agent_now_ms();

    /* The time to drain starts anew: nothing could be read meanwhile. */
    for (size_t i = 0; paused && !stop && i < AGENT_MAX_TASKS; i++)
        if (commands[i].used && commands[i].ended) {
            commands[i].ended_ms = now;
            commands[i].expired = false;
        }
    paused = stop;
}

bool exec_reaped(pid_t pid, int status, const struct rusage *usage)
{
    for (size_t i = 0; i < AGENT_MAX_TASKS; i++) {
        struct command *c = &commands[i];

        if (!c->used || c->ended || c->pid != pid)
            continue;
        c->ended = true;
        c->status = status;
        c->usage = *usage;
        c->ended_ms = agent_now_ms();
        return true;
    }
    return false;
}

size_t exec_poll(struct pollfd *fds)
{
    bool listen = !paused && wire_has_room();
    size_t n = 0;

    for (size_t i = 0; i < AGENT_MAX_TASKS; i++) {
        struct command *c = &commands[i];

        if (c->used && flow_is_waiting(&c->input))
            fds[n++] = (struct pollfd){c->input.fd, POLLOUT, 0};
        for (size_t s = 0; c->used && listen && s < 2; s++)
            if (c->fds[s] >= 0)
                fds[n++] = (struct pollfd){c->fds[s], POLLIN, 0};
    }
    return n;
}

static void pump(struct command *c, size_t s)
{
    ssize_t n;

    if (!wire_has_room())
        return;
    n = read(c->fds[s], chunk, sizeof(chunk));
    if (n > 0) {
        wire_send(s ? AGENT_STDERR : AGENT_STDOUT, c->id, chunk, (size_t)n);
        c->owed[s] -= (size_t)n < c->owed[s] ? (size_t)n : c->owed[s];
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        close_fd(&c->fds[s]);
}

static void serve(struct command *c, int fd)
{
    if (c->used && flow_is_waiting(&c->input) && c->input.fd == fd)
        flow_pump(&c->input);
    for (size_t s = 0; c->used && s < 2; s++)
        if (c->fds[s] == fd)
            pump(c, s);
}

void exec_serve(const struct pollfd *fds, size_t count)
{
    for (size_t n = 0; n < count; n++)
        for (size_t i = 0; fds[n].revents && i < AGENT_MAX_TASKS; i++)
            serve(&commands[i], fds[n].fd);
}

static size_t others_running(const struct command *self)
{
    size_t n = 0;

    for (size_t i = 0; i < AGENT_MAX_TASKS; i++)
        n += commands[i].used && &commands[i] != self;
    return n;
}

static size_t unread(int fd)
{
    int n = 0;

    return fd >= 0 && ioctl(fd, FIONREAD, &n) == 0 && n > 0 ? (size_t)n : 0;
}

/* What is written in time is read, however slowly the driver takes it; who
 * goes on writing after that is not listened to for ever. */
static bool is_drained(struct command *c, int64_t now)
{
    if (c->fds[0] < 0 && c->fds[1] < 0)
        return true;
    if (paused || now < c->ended_ms + AGENT_DRAIN_MS)
        return false;
    for (size_t s = 0; s < 2; s++) {
        if (!c->expired)
            c->owed[s] = unread(c->fds[s]);
        if (c->fds[s] < 0)
            c->owed[s] = 0;
    }
    c->expired = true;
    return !c->owed[0] && !c->owed[1];
}

/* Its time is over; what it left in another session goes as a stray. */
static void expire(struct command *c)
{
    c->timed_out = true;
    c->until_ms = 0;
    processes_kill_command(c->pid, SIGKILL);
}

static void finish(struct command *c)
{
    if (!c->keep && others_running(c))
        processes_kill_strays();
    else if (!c->keep)
        processes_kill_all(SIGKILL);
    close_fd(&c->fds[0]);
    close_fd(&c->fds[1]);
    flow_close(&c->input);
    send_exit(c);
    c->used = false;
}

static void shorten(int *wait, int64_t left)
{
    if (left > 0 && (*wait < 0 || left < *wait))
        *wait = left < INT_MAX ? (int)left : INT_MAX;
}

int exec_finish(void)
{
    int64_t now = agent_now_ms();
    int wait = -1;

    for (size_t i = 0; i < AGENT_MAX_TASKS; i++) {
        struct command *c = &commands[i];

        if (!c->used)
            continue;
        if (!c->ended && c->until_ms && now >= c->until_ms)
            expire(c);
        if (c->ended && is_drained(c, now))
            finish(c);
        else if (!c->ended && c->until_ms)
            shorten(&wait, c->until_ms - now);
        else if (c->ended && !paused) /* later it is the pipes that wake us */
            shorten(&wait, c->ended_ms + AGENT_DRAIN_MS - now);
    }
    return wait;
}
