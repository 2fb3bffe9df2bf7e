/* worker/opencode/run.c - one run of the real program. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/opencode/run.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define END_MS 5000 /* between the end of its output and its own */
/* It does not wait for room before it ends, with 0: the rest of its answer is
 * lost. As much as one may have who is not root. */
#define ROOM_BYTES (1 << 20)

/* A file, not a pipe: who reads nothing of it does not keep us waiting. */
static int open_prompt(const struct run_spec *spec, int *out_fd,
                       struct err *err)
{
    CLEANUP(fd) int fd = memfd_create("prompt", MFD_CLOEXEC);

    if (fd < 0 || fd_write_all(fd, spec->prompt, spec->len, err) < 0 ||
        lseek(fd, 0, SEEK_SET) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot keep the prompt");
    *out_fd = fd;
    fd = -1;
    return 0;
}

static void add_arguments(struct strv *argv, const struct setup *setup,
                          const struct run_spec *spec)
{
    strv_add(argv, setup->program);
    strv_add(argv, "run");
    strv_add(argv, "--pure");
    /* Without one it asks the model for a title. */
    if (!spec->has_title) {
        strv_add(argv, "--title");
        strv_add(argv, "berth");
    }
    if (spec->has_agent) {
        strv_add(argv, "--agent");
        strv_add(argv, "reviewer");
    }
    if (setup->model && !spec->has_model) {
        strv_add(argv, "-m");
        strv_add(argv, setup->model);
    }
    strv_add(argv, "--format");
    strv_add(argv, "json");
    for (size_t i = 0; spec->arguments && spec->arguments[i]; i++)
        strv_add(argv, spec->arguments[i]);
}

/* Until its output ends, it says too much, or the time is over. */
static int gather(int fd, int64_t until_ms, bool tee, struct events *events,
                  struct err *err)
{
    char buffer[65536];

    for (;;) {
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        int64_t left = until_ms ? until_ms - clock_mono_ms() : 60000;
        ssize_t n;

        if (left <= 0)
            return err_set(err, ERR_TIMEOUT, "the time is over");
        if (poll(&poll_fd, 1, left < 60000 ? (int)left : 60000) <= 0)
            continue;
        n = read(fd, buffer, sizeof(buffer));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return 0;
        if (tee && fd_write_all(STDOUT_FILENO, buffer, (size_t)n, err) < 0)
            return -1;
        if (events_feed(events, buffer, (size_t)n, err) < 0)
            return -1;
    }
}

int run_ask(const struct setup *setup, const struct run_spec *spec,
            struct events *events, int *out_code, struct err *err)
{
    CLEANUP(strv) struct strv argv = {0};
    CLEANUP(strv) struct strv env = {0};
    CLEANUP(fd) int prompt = -1;
    CLEANUP(fd) int from = -1;
    int pipe_fds[2], status = 0, rc;
    struct proc_spec child = {
        .cwd = spec->cwd, .err = PROC_INHERIT, .new_group = true};
    struct err ignored;
    pid_t pid;

    add_arguments(&argv, setup, spec);
    for (size_t i = 0; i < setup->env.count; i++)
        strv_add(&env, setup->env.items[i]);
    /* It goes by that, not by where it is. */
    if (spec->cwd)
        strv_setenv(&env, "PWD", spec->cwd);
    child.envp = env.items;
    if (open_prompt(spec, &prompt, err) < 0 || fd_pipe(pipe_fds, err) < 0)
        return -1;
    from = pipe_fds[0];
    (void)fcntl(from, F_SETPIPE_SZ, ROOM_BYTES);
    child.argv = (const char *const *)argv.items;
    child.in = prompt;
    child.out = pipe_fds[1];
    rc = proc_spawn(&child, &pid, err);
    fd_close(&pipe_fds[1]);
    if (rc < 0)
        return -1;
    rc = gather(from, spec->timeout_ms ? clock_mono_ms() + spec->timeout_ms : 0,
                spec->tee, events, err);
    if (rc < 0)
        (void)kill(-pid, SIGKILL);
    if (proc_wait(pid, END_MS, &status, &ignored) < 0)
        status = SIGKILL;
    (void)kill(-pid, SIGKILL); /* what it left */
    *out_code =
        WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return rc;
}
