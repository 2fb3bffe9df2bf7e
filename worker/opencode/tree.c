/* worker/opencode/tree.c - the copy of a tree that a model may read. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/opencode/tree.h"

#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

bool tree_is_left_out(const char *name)
{
    static const char *const patterns[] = {".git",         ".gitmodules",
                                           ".opencode",    "opencode.json*",
                                           ".mcp.json",    ".claude",
                                           ".agents",      ".cursor",
                                           ".cursorrules", "AGENTS.md",
                                           "CLAUDE.md",    "CLAUDE.local.md",
                                           "CONTEXT.md",   "AGENTS.override.md",
                                           "GEMINI.md",    ".env",
                                           ".env.*",       ".envrc",
                                           ".npmrc",       "node_modules"};

    for (size_t i = 0; i < ARRAY_LEN(patterns); i++)
        if (fnmatch(patterns[i], name, FNM_CASEFOLD) == 0)
            return true;
    return false;
}

/* ---- one file ------------------------------------------------------------ */

static int copy_bytes(int from, int to, struct err *err)
{
    for (;;) {
        ssize_t n = copy_file_range(from, NULL, to, NULL, TREE_MAX_FILE, 0);

        if (n == 0)
            return 0;
        if (n < 0 && (errno == EXDEV || errno == EINVAL || errno == ENOSYS ||
                      errno == EOPNOTSUPP))
            return fd_copy(from, to, err);
        if (n < 0)
            return err_sys(err, ERR_TRANSIENT, "cannot copy");
    }
}

/* 1: it is left out. */
static int copy_file(int from_dir, int to_dir, const char *name,
                     struct tree_counts *counts, struct err *err)
{
    CLEANUP(fd)
    int from =
        openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    CLEANUP(fd) int to = -1;
    struct stat st;

    if (from < 0 || fstat(from, &st) < 0 || !S_ISREG(st.st_mode) ||
        (uint64_t)st.st_size > TREE_MAX_FILE ||
        counts->files >= TREE_MAX_FILES ||
        counts->bytes + (uint64_t)st.st_size > TREE_MAX_BYTES)
        return 1;
    to = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
    if (to < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot write %.200s", name);
    counts->files++;
    counts->bytes += (uint64_t)st.st_size;
    return copy_bytes(from, to, err);
}

/* ---- directories --------------------------------------------------------- */

static int copy_dir(int from, int to, unsigned depth,
                    struct tree_counts *counts, struct err *err);

static int copy_below(int from_dir, int to_dir, const char *name,
                      unsigned depth, struct tree_counts *counts,
                      struct err *err)
{
    CLEANUP(fd) int to = -1;
    int from =
        openat(from_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (from < 0 || depth >= TREE_MAX_DEPTH) {
        fd_close(&from);
        return 1;
    }
    if (mkdirat(to_dir, name, 0755) < 0 ||
        (to = openat(to_dir, name,
                     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0) {
        (void)err_sys(err, ERR_TRANSIENT, "cannot make %.200s", name);
        fd_close(&from);
        return -1;
    }
    return copy_dir(from, to, depth + 1, counts, err);
}

/* Takes `from` over. */
static int copy_dir(int from, int to, unsigned depth,
                    struct tree_counts *counts, struct err *err)
{
    DIR *dir = fdopendir(from);
    const struct dirent *entry;
    int rc = 0;

    if (!dir) {
        fd_close(&from);
        return err_sys(err, ERR_TRANSIENT, "cannot read a directory");
    }
    while (rc >= 0 && (entry = readdir(dir))) {
        struct stat st;

        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        rc = 1;
        if (!tree_is_left_out(entry->d_name) &&
            fstatat(from, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
            if (S_ISDIR(st.st_mode))
                rc = copy_below(from, to, entry->d_name, depth, counts, err);
            else if (S_ISREG(st.st_mode))
                rc = copy_file(from, to, entry->d_name, counts, err);
        }
        counts->left_out += rc > 0;
    }
    (void)closedir(dir);
    if (rc >= 0)
        (void)fchmod(to, 0555);
    return rc < 0 ? -1 : 0;
}

int tree_copy(const char *from, const char *to, struct tree_counts *out,
              struct err *err)
{
    CLEANUP(fd) int to_fd = -1;
    int from_fd = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    *out = (struct tree_counts){0};
    if (from_fd < 0)
        return err_sys(err, ERR_USER, "cannot read %s", from);
    if (mkdir(to, 0755) < 0 ||
        (to_fd = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
        (void)err_sys(err, ERR_TRANSIENT, "cannot make %s", to);
        fd_close(&from_fd);
        return -1;
    }
    return copy_dir(from_fd, to_fd, 0, out, err);
}

static void unlock(int fd)
{
    DIR *dir = fdopendir(fd);
    const struct dirent *entry;

    if (!dir) {
        fd_close(&fd);
        return;
    }
    (void)fchmod(fd, 0755);
    while ((entry = readdir(dir))) {
        int below;

        if (entry->d_type != DT_DIR || !strcmp(entry->d_name, ".") ||
            !strcmp(entry->d_name, ".."))
            continue;
        below = openat(fd, entry->d_name,
                       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (below >= 0)
            unlock(below);
    }
    (void)closedir(dir);
}

void tree_drop(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct err err;

    if (fd < 0)
        return;
    unlock(fd);
    (void)!tree_remove(path, &err);
}
