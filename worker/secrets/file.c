/* worker/secrets/file.c - a file with a secret, named by its path. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/secrets/file.h"

#include "base/fd.h"
#include "worker/secrets/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int check(int fd, const char *path, struct err *err)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return err_sys(err, ERR_USER, "cannot look at '%s'", path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_USER, "'%s' is no regular file", path);
    if (st.st_mode & 0027)
        return err_set(err, ERR_USER,
                       "'%s' may be read or written by others: chmod 600",
                       path);
    if (st.st_uid != 0 && st.st_uid != geteuid())
        return err_set(err, ERR_USER,
                       "'%s' belongs to the user %u, who is neither root nor "
                       "the worker's",
                       path, (unsigned)st.st_uid);
    return 0;
}

static int read_text(int fd, const char *path, char *text, struct err *err)
{
    size_t len = 0;
    ssize_t n = 0;

    while (len <= SECRET_FILE_MAX &&
           (n = read(fd, text + len, SECRET_FILE_MAX + 1 - len)) > 0)
        len += (size_t)n;
    if (n < 0)
        return err_sys(err, ERR_USER, "cannot read '%s'", path);
    if (len > SECRET_FILE_MAX)
        return err_set(err, ERR_USER, "'%s' is larger than %zu KiB", path,
                       SECRET_FILE_MAX >> 10);
    while (len && strchr(" \t\r\n", text[len - 1]))
        text[--len] = '\0';
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            return err_set(err, ERR_USER, "'%s' is no line of text", path);
    return len ? 0 : err_set(err, ERR_USER, "'%s' is empty", path);
}

int secret_file_read(const char *path, char **out_text, struct err *err)
{
    CLEANUP(fd)
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    char *text;

    if (fd < 0 && errno == ENOENT) {
        *out_text = NULL;
        return 0;
    }
    if (fd < 0)
        return err_sys(err, ERR_USER, "cannot open '%s'%s", path,
                       errno == ELOOP ? ", a symbolic link" : "");
    if (check(fd, path, err) < 0)
        return -1;
    text = xcalloc(1, SECRET_FILE_MAX + 2);
    if (read_text(fd, path, text, err) < 0) {
        mem_wipe(text, SECRET_FILE_MAX + 2);
        free(text);
        return -1;
    }
    *out_text = text;
    return 0;
}
