/* worker/artifacts/artifacts.c - files that jobs leave, on this host. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/artifacts/artifacts.h"

#include "base/depth.h"
#include "base/fd.h"
#include "base/state.h"
#include "base/units.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MARK "unsent"
/* What a process that was killed left without a date. */
#define LOST_MS ((int64_t)24 * 3600 * 1000)

int artifacts_dir(const char *job_id, uint64_t epoch, char **out_dir,
                  struct err *err)
{
    CLEANUP(mem) char *top = NULL;

    if (state_subdir("artifacts", 0700, &top, err) < 0)
        return -1;
    *out_dir = xasprintf("%s/%s-%" PRIu64, top, job_id, epoch);
    return 0;
}

int64_t artifacts_expire_at(const char *dir)
{
    CLEANUP(mem) char *path = xasprintf("%s/expires", dir);
    CLEANUP(strbuf) struct strbuf text = STRBUF_MAX(64);
    struct err ignored;

    if (file_read(path, 60, &text, &ignored) < 0)
        return 0;
    return strtoll(text.data, NULL, 10);
}

static int write_expiry(const char *dir, int64_t at_ms, struct err *err)
{
    CLEANUP(mem) char *path = xasprintf("%s/expires", dir);
    char text[32];

    (void)snprintf(text, sizeof(text), "%" PRId64 "\n", at_ms);
    return file_write(path, text, strlen(text), 0600, err);
}

int artifacts_make(const char *job_id, uint64_t epoch, unsigned step,
                   int64_t expires_at_ms, char **out_dir, struct err *err)
{
    CLEANUP(mem) char *dir = NULL;
    CLEANUP(mem) char *below = NULL;

    if (artifacts_dir(job_id, epoch, &dir, err) < 0)
        return -1;
    below = xasprintf("%s/%u", dir, step);
    if (dir_make(dir, 0700, err) < 0)
        return -1;
    if (artifacts_expire_at(dir) < expires_at_ms &&
        write_expiry(dir, expires_at_ms, err) < 0)
        return -1;
    if (tree_remove(below, err) < 0 || dir_make(below, 0700, err) < 0)
        return -1;
    *out_dir = STEAL(below);
    return 0;
}

uint64_t artifacts_max_bytes(void)
{
    const char *given = getenv(ARTIFACTS_MAX_VARIABLE);
    uint64_t bytes = 0;
    struct err ignored;

    if (!given || size_parse(given, &bytes, &ignored) < 0)
        return ARTIFACTS_MAX_BYTES;
    return bytes;
}

/* ---- those that a store is to have ------------------------------------ */

int artifacts_mark(const char *job_id, uint64_t epoch, struct err *err)
{
    CLEANUP(mem) char *dir = NULL;
    CLEANUP(mem) char *path = NULL;

    if (artifacts_dir(job_id, epoch, &dir, err) < 0)
        return -1;
    path = xasprintf("%s/" MARK, dir);
    return file_write(path, "", 0, 0600, err);
}

/* "<id>-<epoch>": false for what is something else. */
static bool split(char *name, uint64_t *out_epoch)
{
    char *dash = strrchr(name, '-');
    char *end = NULL;

    if (!dash || dash == name || dash[1] < '0' || dash[1] > '9')
        return false;
    *out_epoch = strtoull(dash + 1, &end, 10);
    *dash = '\0';
    return !*end;
}

int artifacts_marked(artifacts_job_fn *fn, void *arg, struct err *err)
{
    CLEANUP(mem) char *top = NULL;
    const struct dirent *entry;
    bool go_on = true;
    DIR *dir;

    if (state_subdir("artifacts", 0700, &top, err) < 0)
        return -1;
    dir = opendir(top);
    while (dir && go_on && (entry = readdir(dir))) {
        CLEANUP(mem) char *mark = xasprintf("%s/" MARK, entry->d_name);
        CLEANUP(mem) char *id = xstrdup(entry->d_name);
        uint64_t epoch = 0;

        if (faccessat(dirfd(dir), mark, F_OK, AT_SYMLINK_NOFOLLOW) == 0 &&
            split(id, &epoch))
            go_on = fn(arg, id, epoch);
    }
    if (dir)
        (void)closedir(dir);
    return 0;
}

/* ---- places ----------------------------------------------------------- */

bool artifacts_path_ok(const char *path)
{
    CLEANUP(mem) char *around = xasprintf("/%s/", path);

    return *path && strlen(path) < PATH_MAX && !strstr(around, "//") &&
           !strstr(around, "/./") && !strstr(around, "/../");
}

int artifacts_create(const char *dir, const char *path, int *out_fd,
                     struct err *err)
{
    CLEANUP(mem) char *to = xasprintf("%s/%s", dir, path);
    CLEANUP(mem) char *above = xstrdup(to);
    int fd;

    if (!artifacts_path_ok(path))
        return err_set(err, ERR_USER, "'%.200s' is no path of an artifact",
                       path);
    *strrchr(above, '/') = '\0';
    if (dir_make(above, 0755, err) < 0)
        return -1;
    fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0)
        return err_sys(err, ERR_USER, "cannot write '%s'", to);
    *out_fd = fd;
    return 0;
}

int artifacts_last_epoch(const char *job_id, uint64_t *out_epoch,
                         struct err *err)
{
    CLEANUP(mem) char *top = NULL;
    size_t len = strlen(job_id);
    struct dirent *entry;
    uint64_t last = 0;
    DIR *dir;

    if (state_subdir("artifacts", 0700, &top, err) < 0)
        return -1;
    dir = opendir(top);
    while (dir && (entry = readdir(dir))) {
        const char *number = entry->d_name + len + 1;
        uint64_t epoch;
        char *end;

        if (strncmp(entry->d_name, job_id, len) != 0 ||
            entry->d_name[len] != '-' || *number < '0' || *number > '9')
            continue;
        epoch = strtoull(number, &end, 10);
        if (!*end && epoch > last)
            last = epoch;
    }
    if (dir)
        (void)closedir(dir);
    *out_epoch = last;
    return 0;
}

/* ---- reading ---------------------------------------------------------- */

struct walk {
    unsigned step;
    artifacts_file_fn *fn;
    void *arg;
    bool found, stopped;
    struct strbuf path;
};

static void list_dir(struct walk *w, int at, const char *name, unsigned depth);

static void list_one(struct walk *w, int at, const char *name, unsigned depth)
{
    struct artifact_file file = {.step = w->step};
    size_t len = w->path.len;
    struct stat st;

    if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return;
    strbuf_addf(&w->path, "%s%s", len ? "/" : "", name);
    w->found |= S_ISREG(st.st_mode);
    file.path = w->path.data;
    file.bytes = (uint64_t)st.st_size;
    if (S_ISREG(st.st_mode))
        w->stopped = !w->fn(w->arg, &file);
    else if (S_ISDIR(st.st_mode) && depth < TREE_MAX_DEPTH)
        list_dir(w, at, name, depth + 1);
    strbuf_cut(&w->path, len);
}

static int no_dots(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static void list_dir(struct walk *w, int at, const char *name, unsigned depth)
{
    CLEANUP(fd)
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct dirent **entries = NULL;
    int count = fd < 0 ? 0 : scandirat(fd, ".", &entries, no_dots, alphasort);

    for (int i = 0; i < count; i++) {
        if (!w->stopped)
            list_one(w, fd, entries[i]->d_name, depth);
        free(entries[i]);
    }
    free(entries);
}

static int none(const char *job_id, struct err *err)
{
    return err_set(err, ERR_USER, "job '%s' left no artifacts on this host",
                   job_id);
}

int artifacts_list(const char *job_id, uint64_t epoch, artifacts_file_fn *fn,
                   void *arg, struct err *err)
{
    CLEANUP(mem) char *dir = NULL;
    CLEANUP(fd) int top = -1;
    struct walk w = {.fn = fn, .arg = arg, .path = STRBUF_INIT};

    if (artifacts_dir(job_id, epoch, &dir, err) < 0)
        return -1;
    top = open(dir, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (top < 0)
        return none(job_id, err);
    for (unsigned step = 0; step < ARTIFACTS_MAX_STEPS; step++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "%u", step);
        w.step = step;
        list_dir(&w, top, name, 0);
    }
    strbuf_clear(&w.path);
    return w.found ? 0 : none(job_id, err);
}

static bool open_step(const char *dir, unsigned step, const char *path,
                      int *out_fd)
{
    struct open_how how = {
        .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
    };
    CLEANUP(mem) char *below = xasprintf("%s/%u", dir, step);
    CLEANUP(fd) int at = open(below, O_PATH | O_DIRECTORY | O_CLOEXEC);
    CLEANUP(fd) int fd = -1;
    struct stat st;

    if (at < 0)
        return false;
    fd = (int)syscall(SYS_openat2, at, path, &how, sizeof(how));
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return false;
    *out_fd = fd;
    fd = -1;
    return true;
}

static int no_file(const char *job_id, const char *path, struct err *err)
{
    return err_set(err, ERR_USER, "job '%s' left no artifact '%.200s'", job_id,
                   path);
}

int artifacts_open(const char *job_id, uint64_t epoch, const char *path,
                   int *out_fd, struct err *err)
{
    CLEANUP(mem) char *dir = NULL;

    if (artifacts_dir(job_id, epoch, &dir, err) < 0)
        return -1;
    for (unsigned step = ARTIFACTS_MAX_STEPS; step-- > 0;)
        if (open_step(dir, step, path, out_fd))
            return 0;
    return no_file(job_id, path, err);
}

int artifacts_open_step(const char *job_id, uint64_t epoch,
                        const struct artifact_file *file, int *out_fd,
                        struct err *err)
{
    CLEANUP(mem) char *dir = NULL;

    if (artifacts_dir(job_id, epoch, &dir, err) < 0)
        return -1;
    return open_step(dir, file->step, file->path, out_fd)
               ? 0
               : no_file(job_id, file->path, err);
}

/* ---- forgetting ------------------------------------------------------- */

static bool has_expired(const char *dir, int64_t now_ms)
{
    int64_t at_ms = artifacts_expire_at(dir);
    struct stat st;

    if (at_ms)
        return at_ms <= now_ms;
    return stat(dir, &st) == 0 &&
           (int64_t)st.st_mtim.tv_sec * 1000 + LOST_MS <= now_ms;
}

int artifacts_expire(int64_t now_ms, unsigned *out_removed, struct err *err)
{
    CLEANUP(mem) char *top = NULL;
    struct dirent *entry;
    DIR *dir;
    int rc = 0;

    *out_removed = 0;
    if (state_subdir("artifacts", 0700, &top, err) < 0)
        return -1;
    dir = opendir(top);
    while (dir && (entry = readdir(dir))) {
        CLEANUP(mem) char *path = xasprintf("%s/%s", top, entry->d_name);

        if (entry->d_name[0] == '.' || !has_expired(path, now_ms))
            continue;
        if (tree_remove(path, err) < 0)
            rc = -1;
        else
            ++*out_removed;
    }
    if (dir)
        (void)closedir(dir);
    return rc;
}
