/* worker/cache/stamp.c - small files of ours in an entry. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/cache/stamp.h"

#include "base/fd.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A new name in it is no use of the entry. */
int stamp_open(const char *path, const char *name)
{
    CLEANUP(mem) char *file = xasprintf("%s/%s", path, name);
    int flags = O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    int fd = open(file, flags);
    struct stat st;

    if (fd >= 0 || lstat(path, &st) < 0)
        return fd;
    fd = open(file, flags | O_CREAT, 0600);
    if (fd >= 0) {
        const struct timespec times[2] = {st.st_mtim, st.st_mtim};

        (void)utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW);
    }
    return fd;
}

int stamp_write(const char *path, const char *name, const char *text,
                struct err *err)
{
    CLEANUP(fd) int fd = stamp_open(path, name);

    if (fd < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot note a look at '%s'", path);
    if (fd_write_all(fd, text, strlen(text), err) < 0)
        return -1;
    if (ftruncate(fd, (off_t)strlen(text)) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot note a look at '%s'", path);
    return 0;
}
