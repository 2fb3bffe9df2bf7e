/* base/fd.c - file descriptors, whole files, directories. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"

#include "base/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_CHUNK ((size_t)64 << 10)

#define LOCK_POLL_MS 100

void fd_freep(const int *fd)
{
    int sys = errno;

    if (*fd >= 0)
        (void)close(*fd);
    errno = sys;
}

void fd_close(int *fd)
{
    fd_freep(fd);
    *fd = -1;
}

int fd_pipe(int out[2], struct err *err)
{
    if (pipe2(out, O_CLOEXEC) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot make a pipe");
    return 0;
}

int fd_socketpair(int out[2], struct err *err)
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, out) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot make a socket pair");
    return 0;
}

int fd_set_nonblock(int fd, struct err *err)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return err_sys(err, ERR_BUG, "cannot set descriptor %d", fd);
    return 0;
}

int fd_write_all(int fd, const void *data, size_t len, struct err *err)
{
    const char *p = data;

    while (len) {
        ssize_t n = write(fd, p, len);

        if (n < 0 && errno == EAGAIN) {
            struct pollfd pfd = {.fd = fd, .events = POLLOUT};
            (void)poll(&pfd, 1, -1);
            continue;
        }
        if (n < 0 && errno != EINTR)
            return err_sys(err, ERR_TRANSIENT, "cannot write");
        if (n > 0) {
            p += n;
            len -= (size_t)n;
        }
    }
    return 0;
}

int fd_copy(int from, int to, struct err *err)
{
    CLEANUP(mem) char *chunk = xmalloc(COPY_CHUNK);
    ssize_t n;

    while ((n = read(from, chunk, COPY_CHUNK)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, ERR_TRANSIENT, "cannot read");
        if (fd_write_all(to, chunk, (size_t)n, err) < 0)
            return -1;
    }
    return 0;
}

int fd_read_all(int fd, struct strbuf *buf, struct err *err)
{
    char chunk[16384];

    while (!buf->truncated) {
        ssize_t n = read(fd, chunk, sizeof(chunk));

        if (n > 0)
            strbuf_add(buf, chunk, (size_t)n);
        else if (n == 0)
            return 0;
        else if (errno != EINTR)
            return err_sys(err, ERR_TRANSIENT, "cannot read");
    }
    return 0;
}

int file_read(const char *path, size_t max_bytes, struct strbuf *buf,
              struct err *err)
{
    CLEANUP(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct strbuf bytes = STRBUF_MAX(max_bytes + 1);
    size_t len;

    if (fd < 0)
        return err_sys(err, ERR_USER, "cannot open '%s'", path);
    if (fd_read_all(fd, &bytes, err) < 0) {
        strbuf_clear(&bytes);
        err->kind = ERR_USER;
        return err_wrap(err, "'%s'", path);
    }
    len = bytes.len;
    if (len <= max_bytes)
        strbuf_add(buf, bytes.data, len);
    strbuf_clear(&bytes);
    if (len > max_bytes)
        return err_set(err, ERR_USER, "'%s' is larger than %zu bytes", path,
                       max_bytes);
    return 0;
}

int file_write(const char *path, const void *data, size_t len, mode_t mode,
               struct err *err)
{
    CLEANUP(mem) char *tmp = xasprintf("%s.tmp.%d", path, (int)getpid());
    CLEANUP(fd)
    int fd =
        open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);

    if (fd < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot create '%s'", tmp);
    if (fd_write_all(fd, data, len, err) < 0 || fchmod(fd, mode) < 0 ||
        rename(tmp, path) < 0) {
        (void)err_sys(err, ERR_TRANSIENT, "cannot write '%s'", path);
        (void)unlink(tmp);
        return -1;
    }
    return 0;
}

static int make_one(const char *path, mode_t mode, struct err *err)
{
    struct stat st;

    /* The umask of whoever started us must not close it to the sandbox. */
    if (mkdir(path, mode) == 0 && chmod(path, mode) == 0)
        return 0;
    if (errno == EEXIST && stat(path, &st) == 0) {
        if (S_ISDIR(st.st_mode))
            return 0;
        errno = ENOTDIR;
    }
    return err_sys(err, ERR_TRANSIENT, "cannot create '%s'", path);
}

int dir_make(const char *path, mode_t mode, struct err *err)
{
    CLEANUP(mem) char *copy = xstrdup(path);

    for (char *p = copy + 1; *p; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        if (make_one(copy, mode, err) < 0)
            return -1;
        *p = '/';
    }
    return make_one(copy, mode, err);
}

static int remove_at(int dir, const char *name, dev_t dev, struct err *err);

/* Depth costs one descriptor a level; a hostile tree can be deeper than the
 * limit, so a failed open leaves the rest to the caller's error. */
static int remove_children(int fd, dev_t dev, struct err *err)
{
    DIR *dir = fdopendir(fd);
    struct dirent *entry;
    int rc = 0;

    if (!dir) {
        (void)close(fd);
        return err_sys(err, ERR_TRANSIENT, "cannot list a directory");
    }
    while (!rc && (entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            rc = remove_at(dirfd(dir), entry->d_name, dev, err);
    (void)closedir(dir);
    return rc;
}

static int remove_at(int dir, const char *name, dev_t dev, struct err *err)
{
    struct stat st;
    int fd;

    if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return err_sys(err, ERR_TRANSIENT, "cannot remove '%s'", name);
    fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0 || (dev && st.st_dev != dev)) {
        (void)err_sys(err, ERR_TRANSIENT, "cannot remove '%s'", name);
        fd_close(&fd);
        return -1;
    }
    if (remove_children(fd, st.st_dev, err) < 0)
        return -1;
    if (unlinkat(dir, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        return err_sys(err, ERR_TRANSIENT, "cannot remove '%s'", name);
    return 0;
}

int tree_remove(const char *path, struct err *err)
{
    if (remove_at(AT_FDCWD, path, 0, err) < 0)
        return err_wrap(err, "'%s'", path);
    return 0;
}

int tree_empty(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0) {
        (void)err_sys(err, ERR_TRANSIENT, "cannot open '%s'", path);
        fd_close(&fd);
        return -1;
    }
    if (remove_children(fd, st.st_dev, err) < 0)
        return err_wrap(err, "'%s'", path);
    return 0;
}

int file_lock(const char *path, int64_t timeout_ms, int *out_fd,
              struct err *err)
{
    int64_t until = clock_mono_ms() + timeout_ms;
    CLEANUP(fd) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot open lock '%s'", path);
    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return err_sys(err, ERR_TRANSIENT, "cannot lock '%s'", path);
        if (clock_mono_ms() >= until)
            return err_set(err, ERR_TIMEOUT, "'%s' is held by another process",
                           path);
        (void)poll(NULL, 0, LOCK_POLL_MS);
    }
    *out_fd = fd;
    fd = -1;
    return 0;
}
