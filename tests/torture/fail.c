/* tests/torture/fail.c - preloaded: make the nth call of a kind fail. */
/* SPDX-License-Identifier: Apache-2.0 */
/* Else open() would be open64() by another name. */
#undef _FILE_OFFSET_BITS
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <hiredis/async.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

/*
 * TORTURE_PLAN  a file of three words: the program that is to suffer (berth,
 *               run-job, checkout), the kind of call (write, spawn, fd,
 *               redis-send, redis-reply), and which one it is, from 1
 * TORTURE_NOTE  an empty file that says what failed, when it did
 *
 * Both are opened as the program starts: it may confine itself later.
 */
#define NOTE_FD 500 /* above what is handed on, below checkout's limit */

static char plan[128]; /* the words, each ended by 0 */
static const char *kind;
static long at;
static long seen;
static int note = -1;
static int deaf = -1; /* hears no answer to what is written next */

/* What is interposed here must not call itself: by system call. */
static int open_plainly(const char *name, int flags)
{
    const char *path = getenv(name);

    return path ? (int)syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC)
                : -1;
}

static bool read_plan(void)
{
    int fd = open_plainly("TORTURE_PLAN", O_RDONLY);
    long len = fd < 0 ? -1 : syscall(SYS_read, fd, plan, sizeof(plan) - 1);
    char *save = NULL;
    const char *program, *number;

    (void)syscall(SYS_close, fd);
    if (len <= 0)
        return false;
    program = strtok_r(plan, " \n", &save);
    kind = strtok_r(NULL, " \n", &save);
    number = strtok_r(NULL, " \n", &save);
    at = number ? strtol(number, NULL, 10) : 0;
    return at > 0 && strcmp(program, program_invocation_short_name) == 0;
}

__attribute__((constructor)) static void begin(void)
{
    int fd =
        read_plan() ? open_plainly("TORTURE_NOTE", O_WRONLY | O_APPEND) : -1;

    if (fd < 0)
        return;
    note = (int)syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, NOTE_FD);
    (void)syscall(SYS_close, fd);
}

/* Once in all: what is tried again, maybe by another, has to go well. */
static bool is_to_fail(const char *of_kind, const char *what)
{
    struct stat st;

    if (note < 0 || strcmp(kind, of_kind) != 0 || ++seen != at ||
        fstat(note, &st) < 0 || st.st_size)
        return false;
    (void)syscall(SYS_write, note, what, strlen(what));
    return true;
}

/* The next in line: the sanitizer's, or the library's own. */
#define NEXT(name)                                                             \
    static __typeof__(name) *next_##name;                                      \
    if (!next_##name)                                                          \
    *(void **)&next_##name = dlsym(RTLD_NEXT, #name)

/* ---- writing ---------------------------------------------------------------
 */

/* The disk that checkout writes to is the job's own: if it is full, that is the
 * job's own fault. */
static int why_not_written(int fd)
{
    struct stat st;

    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return EPIPE;
    return strcmp(program_invocation_short_name, "checkout") == 0 ? EIO
                                                                  : ENOSPC;
}

/* Standard output and error are the terminal's: nothing depends on them. */
#define WRITE(name, call)                                                      \
    NEXT(name);                                                                \
    if (fd > 2 && is_to_fail("write", #name)) {                                \
        errno = why_not_written(fd);                                           \
        return -1;                                                             \
    }                                                                          \
    return heard(fd, next_##name call)

/* What was asked is carried out, and the answer is lost. */
static ssize_t heard(int fd, ssize_t written)
{
    if (fd == deaf && written > 0) {
        deaf = -1;
        (void)shutdown(fd, SHUT_RD);
    }
    return written;
}

ssize_t write(int fd, const void *data, size_t len)
{
    WRITE(write, (fd, data, len));
}
ssize_t pwrite(int fd, const void *data, size_t len, off_t offset)
{
    WRITE(pwrite, (fd, data, len, offset));
}
ssize_t writev(int fd, const struct iovec *parts, int count)
{
    WRITE(writev, (fd, parts, count));
}
ssize_t send(int fd, const void *data, size_t len, int flags)
{
    WRITE(send, (fd, data, len, flags));
}
ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    WRITE(sendmsg, (fd, message, flags));
}

/* ---- processes -------------------------------------------------------------
 */

#define SPAWN(name)                                                            \
    int name(pid_t *pid, const char *path,                                     \
             const posix_spawn_file_actions_t *actions,                        \
             const posix_spawnattr_t *attr, char *const argv[],                \
             char *const envp[])                                               \
    {                                                                          \
        NEXT(name);                                                            \
        if (is_to_fail("spawn", #name))                                        \
            return EAGAIN;                                                     \
        return next_##name(pid, path, actions, attr, argv, envp);              \
    }
SPAWN(posix_spawn)
SPAWN(posix_spawnp)

/* ---- descriptors -----------------------------------------------------------
 */

#define NEW_FD(name, call)                                                     \
    NEXT(name);                                                                \
    if (is_to_fail("fd", #name)) {                                             \
        errno = EMFILE;                                                        \
        return -1;                                                             \
    }                                                                          \
    return next_##name call

#define OPEN(name)                                                             \
    int name(const char *path, int flags, ...)                                 \
    {                                                                          \
        mode_t mode;                                                           \
        va_list ap;                                                            \
        va_start(ap, flags);                                                   \
        mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;         \
        va_end(ap);                                                            \
        NEW_FD(name, (path, flags, mode));                                     \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                           \
    int name(int dir, const char *path, int flags, ...)                        \
    {                                                                          \
        mode_t mode;                                                           \
        va_list ap;                                                            \
        va_start(ap, flags);                                                   \
        mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;         \
        va_end(ap);                                                            \
        NEW_FD(name, (dir, path, flags, mode));                                \
    }
OPENAT(openat)
OPENAT(openat64)

int socket(int domain, int type, int protocol)
{
    NEW_FD(socket, (domain, type, protocol));
}
int socketpair(int domain, int type, int protocol, int ends[2])
{
    NEW_FD(socketpair, (domain, type, protocol, ends));
}
int pipe2(int ends[2], int flags)
{
    NEW_FD(pipe2, (ends, flags));
}
int epoll_create1(int flags)
{
    NEW_FD(epoll_create1, (flags));
}
int eventfd(unsigned int initial, int flags)
{
    NEW_FD(eventfd, (initial, flags));
}
int timerfd_create(clockid_t clock, int flags)
{
    NEW_FD(timerfd_create, (clock, flags));
}
int signalfd(int fd, const sigset_t *mask, int flags)
{
    NEW_FD(signalfd, (fd, mask, flags));
}
int pidfd_open(pid_t pid, unsigned int flags);
int pidfd_open(pid_t pid, unsigned int flags)
{
    NEW_FD(pidfd_open, (pid, flags));
}
int memfd_create(const char *name, unsigned int flags)
{
    NEW_FD(memfd_create, (name, flags));
}
int dup(int fd)
{
    NEW_FD(dup, (fd));
}

/* What comes with a command is a number or a pointer: both fit. */
#define FCNTL(name)                                                            \
    int name(int fd, int command, ...)                                         \
    {                                                                          \
        void *with;                                                            \
        va_list ap;                                                            \
        va_start(ap, command);                                                 \
        with = va_arg(ap, void *);                                             \
        va_end(ap);                                                            \
        NEXT(name);                                                            \
        if ((command == F_DUPFD || command == F_DUPFD_CLOEXEC) &&              \
            is_to_fail("fd", #name)) {                                         \
            errno = EMFILE;                                                    \
            return -1;                                                         \
        }                                                                      \
        return next_##name(fd, command, with);                                 \
    }
FCNTL(fcntl)
FCNTL(fcntl64)

#define NEW_STREAM(name, call)                                                 \
    NEXT(name);                                                                \
    if (is_to_fail("fd", #name)) {                                             \
        errno = EMFILE;                                                        \
        return NULL;                                                           \
    }                                                                          \
    return next_##name call

FILE *fopen(const char *path, const char *mode)
{
    NEW_STREAM(fopen, (path, mode));
}
FILE *fopen64(const char *path, const char *mode)
{
    NEW_STREAM(fopen64, (path, mode));
}
DIR *opendir(const char *path)
{
    NEW_STREAM(opendir, (path));
}

/* ---- Redis -----------------------------------------------------------------
 */

/* redis-send: the command does not go out. redis-reply: it does, and the
 * connection is lost before the answer comes. */
int redisAsyncFormattedCommand(redisAsyncContext *context, redisCallbackFn *fn,
                               void *arg, const char *cmd, size_t len)
{
    int rc;

    NEXT(redisAsyncFormattedCommand);
    if (is_to_fail("redis-send", "send"))
        return REDIS_ERR;
    rc = next_redisAsyncFormattedCommand(context, fn, arg, cmd, len);
    if (is_to_fail("redis-reply", "reply"))
        deaf = context->c.fd;
    return rc;
}
