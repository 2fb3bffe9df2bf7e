/* base/proc.c - starting programs; never fork without exec. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/proc.h"

#include "base/clock.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define POLL_MS 10

static int add_stdio(posix_spawn_file_actions_t *actions, int fd, int target)
{
    if (fd == PROC_INHERIT)
        return 0;
    if (fd == PROC_NULL)
        return posix_spawn_file_actions_addopen(
            actions, target, "/dev/null", target ? O_WRONLY : O_RDONLY, 0);
    return posix_spawn_file_actions_adddup2(actions, fd, target);
}

static bool is_target(const struct proc_spec *spec, int fd)
{
    for (size_t i = 0; i < spec->fd_count; i++)
        if (spec->fds[i].to == fd)
            return true;
    return false;
}

/* A library's descriptor may lack close-on-exec, and a child may be hostile:
 * only what is named goes over. */
static int close_others(posix_spawn_file_actions_t *actions,
                        const struct proc_spec *spec)
{
    int last = 2;
    int rc = 0;

    for (size_t i = 0; i < spec->fd_count; i++)
        if (spec->fds[i].to > last)
            last = spec->fds[i].to;
    for (int fd = 3; !rc && fd < last; fd++)
        if (!is_target(spec, fd))
            rc = posix_spawn_file_actions_addclose(actions, fd);
    return rc ? rc
              : posix_spawn_file_actions_addclosefrom_np(actions, last + 1);
}

static int fill_actions(posix_spawn_file_actions_t *actions,
                        const struct proc_spec *spec)
{
    int rc = 0;

    if (spec->cwd)
        rc = posix_spawn_file_actions_addchdir_np(actions, spec->cwd);
    if (!rc)
        rc = add_stdio(actions, spec->in, 0);
    if (!rc)
        rc = add_stdio(actions, spec->out, 1);
    if (!rc)
        rc = add_stdio(actions, spec->err, 2);
    for (size_t i = 0; !rc && i < spec->fd_count; i++)
        rc = posix_spawn_file_actions_adddup2(actions, spec->fds[i].from,
                                              spec->fds[i].to);
    return rc ? rc : close_others(actions, spec);
}

static int fill_attributes(posix_spawnattr_t *attr, bool new_group)
{
    short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    sigset_t set;
    int rc;

    sigemptyset(&set);
    rc = posix_spawnattr_setsigmask(attr, &set);
    sigfillset(&set);
    if (!rc)
        rc = posix_spawnattr_setsigdefault(attr, &set);
    if (!rc && new_group) {
        flags |= POSIX_SPAWN_SETPGROUP;
        rc = posix_spawnattr_setpgroup(attr, 0);
    }
    return rc ? rc : posix_spawnattr_setflags(attr, flags);
}

/* A descriptor that is a target of a later dup2 must not be overwritten
 * first: move all of ours above the range that children use. */
static int lift(const struct proc_spec *spec, struct proc_fd *fds)
{
    for (size_t i = 0; i < spec->fd_count; i++) {
        fds[i] = spec->fds[i];
        fds[i].from = fcntl(spec->fds[i].from, F_DUPFD_CLOEXEC, 64);
        if (fds[i].from < 0)
            return -1;
    }
    return 0;
}

int proc_spawn(const struct proc_spec *spec, pid_t *out_pid, struct err *err)
{
    struct proc_spec lifted = *spec;
    struct proc_fd fds[8] = {{-1, 0}, {-1, 0}, {-1, 0}, {-1, 0},
                             {-1, 0}, {-1, 0}, {-1, 0}, {-1, 0}};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    pid_t pid = -1;
    int rc;

    if (spec->fd_count > ARRAY_LEN(fds))
        return err_set(err, ERR_BUG, "too many descriptors to pass on");
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawnattr_init(&attr);
    lifted.fds = fds;
    rc = lift(spec, fds) < 0 ? errno : fill_actions(&actions, &lifted);
    if (!rc)
        rc = fill_attributes(&attr, spec->new_group);
    if (!rc)
        rc = posix_spawnp(&pid, spec->argv[0], &actions, &attr,
                          (char *const *)(uintptr_t)spec->argv,
                          spec->envp ? spec->envp : environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)posix_spawnattr_destroy(&attr);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        fd_close(&fds[i].from);
    errno = rc;
    if (rc)
        return err_sys(err, rc == ENOENT ? ERR_USER : ERR_TRANSIENT,
                       "cannot start '%s'", spec->argv[0]);
    *out_pid = pid;
    return 0;
}

/* For want of a descriptor: asked again and again. */
static bool poll_end(pid_t pid, int64_t until)
{
    siginfo_t info = {0};

    while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           !info.si_pid) {
        if (clock_mono_ms() >= until)
            return false;
        (void)poll(NULL, 0, POLL_MS);
    }
    return true;
}

bool proc_ends_within(pid_t pid, int64_t timeout_ms)
{
    CLEANUP(fd) int pidfd = pidfd_open(pid, 0);
    struct pollfd pfd = {.fd = pidfd, .events = POLLIN};
    int64_t until = clock_mono_ms() + timeout_ms;
    int n;

    if (pidfd < 0)
        return poll_end(pid, until);
    do {
        int64_t left = until - clock_mono_ms();
        n = poll(&pfd, 1, left > 0 ? (int)left : 0);
    } while (n < 0 && errno == EINTR);
    return n > 0;
}

int proc_wait(pid_t pid, int64_t timeout_ms, int *out_status, struct err *err)
{
    int status;

    if (timeout_ms >= 0 && !proc_ends_within(pid, timeout_ms))
        (void)kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return err_sys(err, ERR_BUG, "cannot wait for process %d",
                           (int)pid);
    *out_status = status;
    return 0;
}

static const char *last_line(struct strbuf *output)
{
    char *line;

    while (output->len && output->data[output->len - 1] == '\n')
        strbuf_cut(output, output->len - 1);
    line = strrchr(output->data, '\n');
    return line ? line + 1 : output->data;
}

static int judge(const char *name, int status, struct strbuf *output,
                 struct err *err)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    if (WIFSIGNALED(status))
        return err_set(err, ERR_TRANSIENT, "'%s' was killed by signal %d", name,
                       WTERMSIG(status));
    return err_set(err, ERR_TRANSIENT, "'%s' exited with %d: %.400s", name,
                   WEXITSTATUS(status), last_line(output));
}

/* Read until end of file or the deadline; then the process is killed. */
static void drain(int fd, int64_t until, struct strbuf *output)
{
    char chunk[4096];

    for (;;) {
        struct pollfd pfd = {.fd = fd, .events = POLLIN};
        int64_t left = until - clock_mono_ms();
        int ready = poll(&pfd, 1, left > 0 ? (int)left : 0);
        ssize_t n;

        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0)
            return;
        n = read(fd, chunk, sizeof(chunk));
        if (n == 0 || (n < 0 && errno != EINTR))
            return;
        if (n > 0)
            strbuf_add(output, chunk, (size_t)n);
    }
}

/* With its stdout, and where `spec->err` is CALL_BOTH its stderr, gathered. */
#define CALL_BOTH (-3)

static int call(const struct proc_spec *spec, int64_t timeout_ms,
                struct strbuf *output, int *out_status, struct err *err)
{
    int64_t until = clock_mono_ms() + timeout_ms;
    struct proc_spec mine = *spec;
    int pipe_fds[2];
    int64_t left;
    pid_t pid = -1;
    int rc;

    if (fd_pipe(pipe_fds, err) < 0)
        return -1;
    mine.out = pipe_fds[1];
    if (spec->err == CALL_BOTH)
        mine.err = pipe_fds[1];
    rc = proc_spawn(&mine, &pid, err);
    fd_close(&pipe_fds[1]);
    if (rc == 0)
        drain(pipe_fds[0], until, output);
    fd_close(&pipe_fds[0]);
    if (rc < 0)
        return -1;
    left = until - clock_mono_ms();
    return proc_wait(pid, left > 0 ? left : 0, out_status, err);
}

int proc_run(const char *const *argv, int64_t timeout_ms, struct strbuf *output,
             struct err *err)
{
    CLEANUP(strbuf) struct strbuf own = STRBUF_MAX((size_t)1 << 20);
    struct strbuf *out = output ? output : &own;
    const struct proc_spec spec = {
        .argv = argv, .in = PROC_NULL, .err = CALL_BOTH};
    int status = 0;

    if (call(&spec, timeout_ms, out, &status, err) < 0)
        return -1;
    return judge(argv[0], status, out, err);
}

int proc_call(const struct proc_spec *spec, int64_t timeout_ms,
              struct strbuf *output, int *out_status, struct err *err)
{
    int status = 0;

    if (call(spec, timeout_ms, output, &status, err) < 0)
        return -1;
    if (!WIFEXITED(status))
        return judge(spec->argv[0], status, output, err);
    *out_status = WEXITSTATUS(status);
    return 0;
}

/* proc(5): pid (comm) state ppid … starttime, of which comm may hold anything.
 */
uint64_t proc_began(pid_t pid)
{
    CLEANUP(strbuf) struct strbuf stat = STRBUF_INIT;
    char path[32];
    unsigned long long began = 0;
    char state = 'X';
    const char *fields;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (pid < 1 || file_read(path, 4096, &stat, NULL) < 0)
        return 0;
    fields = strrchr(stat.data, ')');
    if (!fields ||
        sscanf(fields,
               ") %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d "
               "%*d %*d %*d %*d %llu",
               &state, &began) != 2)
        return 0;
    return state == 'Z' || state == 'X' ? 0 : began;
}

char *proc_find(const char *name)
{
    const char *path = getenv("PATH");
    CLEANUP(mem) char *copy = xstrdup(path ? path : "/usr/bin:/bin");
    char *save = NULL;

    if (strchr(name, '/'))
        return access(name, X_OK) == 0 ? xstrdup(name) : NULL;
    for (char *dir = strtok_r(copy, ":", &save); dir;
         dir = strtok_r(NULL, ":", &save)) {
        char *file = xasprintf("%s/%s", dir, name);

        if (access(file, X_OK) == 0)
            return file;
        free(file);
    }
    return NULL;
}

bool proc_in_path(const char *name)
{
    CLEANUP(mem) char *path = proc_find(name);

    return path != NULL;
}

char *proc_libexec(const char *name)
{
    const char *dir = getenv("BERTH_LIBEXEC");
    char self[PATH_MAX] = "";
    char *slash;
    char *path;

    if (dir && *dir)
        return xasprintf("%s/%s", dir, name);
    if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
        self[0] = '\0';
    slash = strrchr(self, '/');
    if (slash)
        *slash = '\0';
    path = xasprintf("%s/../libexec/berth/%s", self, name);
    if (access(path, X_OK) == 0)
        return path;
    free(path);
    return xasprintf("%s/%s", self, name);
}

bool proc_end_with_parent(void)
{
    const char *text = getenv(PROC_PARENT_VARIABLE);
    long parent = text ? strtol(text, NULL, 10) : 0;

    if (!text)
        return true;
    (void)unsetenv(PROC_PARENT_VARIABLE);
    /* In this order: he may end in between. */
    return prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 && getppid() == parent;
}

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

void proc_hide(void)
{
    const struct rlimit none = {0, 0};

    (void)setrlimit(RLIMIT_CORE, &none);
    /* An ordinary user's could not be looked through for leaks any more. */
    if (!SANITIZED || geteuid() == 0)
        (void)prctl(PR_SET_DUMPABLE, 0);
}
