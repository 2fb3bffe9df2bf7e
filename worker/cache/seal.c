/* worker/cache/seal.c - copy a stranger's files, and know them again. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/cache/seal.h"

#include "base/fd.h"
#include "base/strbuf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define CHUNK      ((size_t)64 << 10)
#define BLOCK      4096u
#define LINK_MAX_  4096
#define REDIRECT   "trusted.overlay.redirect"
#define DIR_MODES  0755
#define FILE_MODES 0777 /* neither setuid nor setgid nor sticky */

struct walk {
    struct seal *seal; /* borrowed */
    struct sha256 all;
    struct strbuf path;
    seal_pick_fn *pick; /* NULL: take everything */
    void *arg;
    bool copy;
    uid_t uid;
    unsigned depth;
    char *chunk; /* owned; CHUNK bytes */
    struct err *err;
};

static int refuse(struct walk *w, const char *why)
{
    return err_set(w->err, ERR_USER, "'%.300s' %s", w->path.data, why);
}

static int fail(struct walk *w, const char *what)
{
    return err_sys(w->err, ERR_TRANSIENT, "cannot %s '%.300s'", what,
                   w->path.data);
}

static int count(struct walk *w, uint64_t bytes)
{
    struct seal *seal = w->seal;

    seal->bytes += (bytes / BLOCK + 2) * BLOCK;
    if (seal->bytes > seal->max_bytes)
        return refuse(w, "is too much to be kept");
    if (++seal->files > SEAL_MAX_FILES)
        return refuse(w, "is one file too many to be kept");
    return 0;
}

/* One record of the digest; a path has no NUL in it. */
static void note(struct walk *w, char kind, mode_t mode, const char *content)
{
    char head[32];
    int len = snprintf(head, sizeof(head), "%c %o ", kind, (unsigned)mode);

    sha256_add(&w->all, head, (size_t)len);
    sha256_add(&w->all, w->path.data, w->path.len + 1);
    sha256_add(&w->all, content, strlen(content) + 1);
}

static int finish(struct walk *w, int fd, mode_t mode, const struct stat *st)
{
    const struct timespec times[2] = {st->st_mtim, st->st_mtim};

    if (fchown(fd, w->uid, w->uid) < 0 || fchmod(fd, mode) < 0 ||
        futimens(fd, times) < 0)
        return fail(w, "finish");
    return 0;
}

static int copy_data(struct walk *w, int from, int to,
                     char hex[SHA256_HEX_SIZE])
{
    struct sha256 sum;
    uint64_t bytes = 0;
    ssize_t n;

    sha256_init(&sum);
    while ((n = read(from, w->chunk, CHUNK)) != 0) {
        if (n < 0)
            return fail(w, "read");
        bytes += (uint64_t)n;
        if (bytes > w->seal->max_bytes)
            return refuse(w, "is too much to be kept");
        sha256_add(&sum, w->chunk, (size_t)n);
        if (to >= 0 && fd_write_all(to, w->chunk, (size_t)n, w->err) < 0)
            return -1;
    }
    sha256_end_hex(&sum, hex);
    return count(w, bytes);
}

static int take_file(struct walk *w, int from, int to, const char *name)
{
    CLEANUP(fd)
    int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    CLEANUP(fd) int out = -1;
    char hex[SHA256_HEX_SIZE];
    struct stat st;
    mode_t mode;

    if (in < 0 || fstat(in, &st) < 0)
        return fail(w, "open");
    if (!S_ISREG(st.st_mode))
        return refuse(w, "is no regular file");
    mode = st.st_mode & FILE_MODES;
    if (w->copy) {
        out =
            openat(to, name,
                   O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (out < 0)
            return fail(w, "create");
    }
    if (copy_data(w, in, out, hex) < 0)
        return -1;
    note(w, 'f', mode, hex);
    return w->copy ? finish(w, out, mode, &st) : 0;
}

static int take_link(struct walk *w, int from, int to, const char *name)
{
    char target[LINK_MAX_];
    ssize_t n = readlinkat(from, name, target, sizeof(target));

    if (n < 0)
        return fail(w, "read");
    if ((size_t)n == sizeof(target))
        return refuse(w, "is too long a link");
    target[n] = '\0';
    if (w->copy &&
        (symlinkat(target, to, name) < 0 ||
         fchownat(to, name, w->uid, w->uid, AT_SYMLINK_NOFOLLOW) < 0))
        return fail(w, "create");
    note(w, 'l', 0, target);
    return count(w, 0);
}

static int walk_dir(struct walk *w, int from, int to, bool all,
                    unsigned *out_taken);

static int take_dir(struct walk *w, int from, int to, const char *name,
                    bool all, unsigned *out_taken)
{
    CLEANUP(fd)
    int in =
        openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    CLEANUP(fd) int out = -1;
    struct stat st;
    mode_t mode;

    if (in < 0 || fstat(in, &st) < 0)
        return fail(w, "open");
    if (w->copy && fgetxattr(in, REDIRECT, NULL, 0) >= 0)
        return refuse(w, "is a directory that was moved");
    mode = (st.st_mode & DIR_MODES) | 0700;
    if (w->copy) {
        if (mkdirat(to, name, 0700) < 0)
            return fail(w, "create");
        out = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (out < 0)
            return fail(w, "open");
    }
    note(w, 'd', mode, "");
    if (count(w, 0) < 0 || walk_dir(w, in, out, all, out_taken) < 0)
        return -1;
    return w->copy ? finish(w, out, mode, &st) : 0;
}

static int take(struct walk *w, int from, int to, const char *name, bool all,
                unsigned *taken)
{
    unsigned below = 0;
    struct stat st;
    int picked;

    if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return fail(w, "look at");
    picked =
        all || !w->pick ? 1 : w->pick(w->arg, w->path.data, name, st.st_mode);
    if (picked == 0)
        return 0;
    if (picked < 0)
        return refuse(w, "was changed");
    ++*taken;
    if (S_ISDIR(st.st_mode)) {
        if (take_dir(w, from, to, name, picked == 1, &below) < 0)
            return -1;
        return picked == 2 && !below ? refuse(w, "was changed") : 0;
    }
    if (S_ISREG(st.st_mode))
        return take_file(w, from, to, name);
    if (S_ISLNK(st.st_mode))
        return take_link(w, from, to, name);
    return refuse(w, "is of a kind that is not kept");
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list(struct walk *w, int fd, struct strv *names)
{
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    struct dirent *entry;

    if (!dir) {
        fd_close(&copy);
        return fail(w, "list");
    }
    while ((entry = readdir(dir)) && names->count <= SEAL_MAX_FILES)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            strv_add(names, entry->d_name);
    (void)closedir(dir);
    if (names->count)
        qsort(names->items, names->count, sizeof(*names->items), compare_names);
    return 0;
}

static int walk_dir(struct walk *w, int from, int to, bool all,
                    unsigned *out_taken)
{
    CLEANUP(strv) struct strv names = {0};
    size_t before = w->path.len;
    int rc = 0;

    if (++w->depth > SEAL_MAX_DEPTH)
        return refuse(w, "is too deep to be kept");
    if (list(w, from, &names) < 0)
        return -1;
    for (size_t i = 0; rc == 0 && i < names.count; i++) {
        strbuf_addf(&w->path, "%s%s", before ? "/" : "", names.items[i]);
        rc = take(w, from, to, names.items[i], all, out_taken);
        if (rc == 0)
            strbuf_cut(&w->path, before);
    }
    w->depth--;
    return rc;
}

static int walk(struct walk *w, int from, int to)
{
    unsigned taken = 0;
    int rc;

    w->chunk = xmalloc(CHUNK);
    w->path = (struct strbuf)STRBUF_INIT;
    sha256_init(&w->all);
    rc = walk_dir(w, from, to, false, &taken);
    if (rc == 0)
        sha256_end_hex(&w->all, w->seal->digest);
    strbuf_clear(&w->path);
    free(w->chunk);
    return rc;
}

int seal_copy(int from, int to, uid_t uid, seal_pick_fn *pick, void *arg,
              struct seal *seal, struct err *err)
{
    struct walk w = {.seal = seal,
                     .pick = pick,
                     .arg = arg,
                     .copy = true,
                     .uid = uid,
                     .err = err};

    return walk(&w, from, to);
}

int seal_read(int dir, struct seal *seal, struct err *err)
{
    struct walk w = {.seal = seal, .err = err};

    return walk(&w, dir, -1);
}
