/* worker/logs/store_dir.c - a log store that is a directory. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "worker/logs/retention.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SHARD_LEN   2      /* characters of the id that name the directory */
#define COPYING     ".tmp" /* behind the name of a log being copied */
#define COPY_MAX_MS ((int64_t)24 * 3600 * 1000) /* older: its copier died */

struct dir_store {
    struct log_store store;
    char *path;   /* owned */
    dev_t device; /* the file system of `path` */
};

static const struct dir_store *of(const struct log_store *store)
{
    return (const struct dir_store *)store;
}

static int open_dir(const char *where, struct log_store **out_store,
                    struct err *err)
{
    struct dir_store *dir;
    struct stat st;

    if (!*where)
        return err_set(err, ERR_USER, "the log store 'dir:' has no path");
    if (dir_make(where, 0700, err) < 0)
        return err_wrap(err, "log store");
    if (stat(where, &st) < 0)
        return err_sys(err, ERR_TRANSIENT, "log store: cannot use '%s'", where);
    dir = xcalloc(1, sizeof(*dir));
    dir->store.driver = &log_store_dir;
    dir->path = xstrdup(where);
    dir->device = st.st_dev;
    *out_store = &dir->store;
    return 0;
}

static void free_dir(struct log_store *store)
{
    struct dir_store *dir = (struct dir_store *)store;

    free(dir->path);
    free(dir);
}

static char *path_in_dir(const struct log_store *store, const char *id,
                         uint64_t epoch)
{
    CLEANUP(mem) char *path = log_store_path(id, epoch);

    return xasprintf("%s/%s", of(store)->path, path);
}

/* ---- putting ------------------------------------------------------------- */

static int copy_bytes(int from, int to, struct err *err)
{
    if (fd_copy(from, to, err) < 0)
        return -1;
    if (fsync(to) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot write");
    return 0;
}

static int sync_dir_of(const char *path, struct err *err)
{
    const char *slash = strrchr(path, '/');
    CLEANUP(mem) char *dir = xstrndup(path, (size_t)(slash - path));
    CLEANUP(fd) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || fsync(fd) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot write '%s'", dir);
    return 0;
}

static bool is_there(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

/* Durable under its own name before it is taken from the spool. */
static int copy_whole(int in, const char *path, const char *to, struct err *err)
{
    CLEANUP(mem) char *tmp = xasprintf("%s" COPYING, to);
    CLEANUP(fd)
    int out =
        open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (out < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot create '%s'", tmp);
    if (copy_bytes(in, out, err) < 0) {
        (void)unlink(tmp);
        return err_wrap(err, "cannot copy '%s' to '%s'", path, tmp);
    }
    if (rename(tmp, to) < 0) {
        (void)err_sys(err, ERR_TRANSIENT, "cannot create '%s'", to);
        (void)unlink(tmp);
        return -1;
    }
    if (sync_dir_of(to, err) < 0)
        return -1;
    if (unlink(path) < 0 && errno != ENOENT)
        return err_sys(err, ERR_TRANSIENT, "cannot remove '%s'", path);
    return 0;
}

/* From another file system: the log is there whole or not at all. */
static int copy_in(const char *path, const char *to, struct err *err)
{
    CLEANUP(fd) int in = -1;
    int held = log_file_hold(path, &in, err);

    if (held > 0)
        return copy_whole(in, path, to, err);
    if (held == 0 && !is_there(to))
        return err_set(err, ERR_TRANSIENT, "there is no log '%s'", path);
    return held;
}

/* 0: it is there; 1: only a copy will do. */
static int rename_in(const char *path, const char *to, struct err *err)
{
    CLEANUP(mem)
    char *shard = xstrndup(to, (size_t)(strrchr(to, '/') - to));
    struct stat st;

    if (dir_make(shard, 0700, err) < 0)
        return -1;
    if (!is_there(path) && is_there(to))
        return 0;
    if (lstat(path, &st) < 0 || !S_ISREG(st.st_mode))
        return err_set(err, ERR_USER, "there is no log '%s'", path);
    if (chmod(path, 0600) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot set '%s'", path);
    if (rename(path, to) == 0)
        return 0;
    if (errno == EXDEV)
        return 1;
    return err_sys(err, ERR_TRANSIENT, "cannot move '%s' to '%s'", path, to);
}

static int put_in_dir(struct log_store *store, const char *path, const char *id,
                      uint64_t epoch, struct err *err)
{
    CLEANUP(mem) char *to = path_in_dir(store, id, epoch);
    int rc = rename_in(path, to, err);

    return rc > 0 ? copy_in(path, to, err) : rc;
}

/* A store on another file system, which may be slow, is not even looked at. */
static int move_in_dir(struct log_store *store, const char *path,
                       const char *id, uint64_t epoch, struct err *err)
{
    CLEANUP(mem) char *to = path_in_dir(store, id, epoch);
    struct stat st;

    if (lstat(path, &st) == 0 && st.st_dev != of(store)->device)
        return 1;
    return rename_in(path, to, err);
}

static int get_from_dir(struct log_store *store, const char *id, uint64_t epoch,
                        int *out_fd, struct err *err)
{
    CLEANUP(mem) char *path = path_in_dir(store, id, epoch);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd < 0 && errno == ENOENT)
        return err_set(err, ERR_USER,
                       "there is no log of job %s, lease %" PRIu64, id, epoch);
    if (fd < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot open '%s'", path);
    *out_fd = fd;
    return 0;
}

/* ---- retention ----------------------------------------------------------- */

struct look {
    struct log_pass pass;
    int top;    /* borrowed: the store's directory */
    int failed; /* errno of what could not be removed, or 0 */
};

static int remove_log(void *arg, const char *path)
{
    struct look *look = arg;

    if (unlinkat(look->top, path, 0) == 0)
        return 1;
    if (errno == ENOENT) /* that is another pass at work */
        return 0;
    look->failed = errno;
    return -1;
}

static bool is_copy(const char *name)
{
    const char *end = strrchr(name, '.');
    CLEANUP(mem)
    char *whole = end ? xstrndup(name, (size_t)(end - name)) : NULL;

    return whole && strcmp(end, COPYING) == 0 && log_file_is_name(whole);
}

/* Only what a store makes is touched. */
static void look_at(struct look *look, int fd, const char *shard,
                    const char *name)
{
    CLEANUP(mem) char *path = xasprintf("%s/%s", shard, name);
    struct stat st;
    int64_t at_ms;

    if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
        return;
    at_ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
    if (log_file_is_name(name))
        log_pass_see(&look->pass, path, (uint64_t)st.st_size, at_ms);
    else if (is_copy(name) && look->pass.now_ms - at_ms > COPY_MAX_MS)
        (void)unlinkat(fd, name, 0);
}

static void look_into(struct look *look, const char *shard)
{
    int fd = openat(look->top, shard,
                    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;

    if (!dir) {
        fd_close(&fd);
        return;
    }
    while ((entry = readdir(dir)))
        look_at(look, dirfd(dir), shard, entry->d_name);
    (void)closedir(dir);
}

static int expire_dir(struct log_store *store,
                      const struct log_retention *retention, int64_t now_ms,
                      struct log_removed *out_removed, struct err *err)
{
    struct look look = {.pass = {.retention = retention,
                                 .now_ms = now_ms,
                                 .remove = remove_log,
                                 .arg = &look}};
    DIR *dir = opendir(of(store)->path);
    const struct dirent *entry;

    if (!dir)
        return err_sys(err, ERR_TRANSIENT, "cannot list '%s'", of(store)->path);
    look.top = dirfd(dir);
    while ((entry = readdir(dir)))
        if (entry->d_name[0] != '.' && strlen(entry->d_name) <= SHARD_LEN)
            look_into(&look, entry->d_name);
    log_pass_end(&look.pass, out_removed);
    (void)closedir(dir);
    if (!look.failed)
        return 0;
    errno = look.failed;
    return err_sys(err, ERR_TRANSIENT, "cannot remove logs from '%s'",
                   of(store)->path);
}

const struct log_store_driver log_store_dir = {
    .scheme = "dir",
    .open = open_dir,
    .free = free_dir,
    .program = "log-store",
    .put = put_in_dir,
    .move = move_in_dir,
    .get = get_from_dir,
    .expire = expire_dir,
};
