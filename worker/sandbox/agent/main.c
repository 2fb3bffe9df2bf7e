/* worker/sandbox/agent/main.c - pid 1 of a sandbox: does what it is asked. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/agent/agent.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* Ours, three a command, three a file operation, two a connection. */
#define MAX_POLL (3 + 6 * AGENT_MAX_TASKS + 2 * AGENT_MAX_CONNECTIONS)

/* An operation that is over already may still be sent to: not an error. */
static void input(const struct frame *frame)
{
    if (!exec_input(frame) && !connect_input(frame))
        (void)files_input(frame);
}

static void handle(const struct frame *frame)
{
    switch ((enum agent_frame)frame->type) {
    case AGENT_EXEC:
        exec_start(frame);
        return;
    case AGENT_KILL:
        if (frame->len == 4)
            exec_kill(frame->id, (int)wire_u32(frame->data));
        return;
    case AGENT_PAUSE:
        exec_pause(frame->len == 1 && frame->data[0]);
        return;
    case AGENT_PUT:
    case AGENT_GET:
    case AGENT_LIST:
    case AGENT_TREE:
    case AGENT_CLEAR:
        files_start(frame);
        return;
    case AGENT_DATA:
    case AGENT_END:
        input(frame);
        return;
    case AGENT_CONNECT:
        connect_start(frame);
        return;
    case AGENT_TAKEN:
        connect_taken(frame);
        return;
    case AGENT_DROP:
        if (!connect_drop(frame->id))
            files_drop(frame->id);
        return;
    default:
        agent_die("an unknown frame");
    }
}

/* Orphans of all commands end up here too. */
static void reap(int signals)
{
    struct signalfd_siginfo info;
    struct rusage usage;
    int status;
    pid_t pid;

    (void)!read(signals, &info, sizeof(info));
    while ((pid = wait4(-1, &status, WNOHANG, &usage)) > 0)
        if (!exec_reaped(pid, status, &usage))
            (void)files_reaped(pid, status);
}

static int watch_children(void)
{
    sigset_t set;
    int fd;

    (void)signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        agent_die("cannot watch for children");
    return fd;
}

static void turn(int signals)
{
    struct pollfd fds[MAX_POLL];
    int wait = exec_finish();
    size_t execs, files, all;

    wire_flush();
    fds[0] = (struct pollfd){0, POLLIN, 0};
    fds[1] = (struct pollfd){signals, POLLIN, 0};
    execs = exec_poll(fds + 2);
    files = files_poll(fds + 2 + execs);
    all = 2 + execs + files;
    all += connect_poll(fds + all);
    /* stdout last, and only while something waits for it. */
    fds[all] = (struct pollfd){1, POLLOUT, 0};
    if (poll(fds, all + wire_pending(), wait) < 0)
        return;
    /* Output first: what a command wrote before its end is not lost. */
    exec_serve(fds + 2, execs);
    files_serve(fds + 2 + execs, files);
    connect_serve(fds + 2 + execs + files, all - 2 - execs - files);
    if (fds[1].revents)
        reap(signals);
    if (fds[0].revents)
        wire_receive(handle);
}

int main(void)
{
    uint8_t version[4];
    int signals;

    drop_at_start();
    if (chdir("/") < 0 || close_range(3, ~0U, 0) < 0)
        agent_die("cannot clean up after the runtime");
    (void)fcntl(0, F_SETFL, O_NONBLOCK);
    (void)fcntl(1, F_SETFL, O_NONBLOCK);
    signals = watch_children();
    wire_put_u32(version, AGENT_VERSION);
    wire_send(AGENT_HELLO, 0, version, sizeof(version));
    for (;;)
        turn(signals);
}
