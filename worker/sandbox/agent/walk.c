/* worker/sandbox/agent/walk.c - trees read and removed, as the user. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/agent/agent.h"

#include "base/glob.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* As deep as what checkout lets through, and feed.c. */
#define DEPTH_MAX   256
#define NS_A_SECOND 1000000000u

static uint8_t data[CHUNK_SIZE];

/* Open without waiting for whoever is at the other end of a FIFO. */
#define READ_FLAGS (O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

void helper_get(const char *name, uint64_t max_bytes)
{
    int fd = open_inside(name, READ_FLAGS);
    struct stat st;
    uint64_t total = 0;

    if (fd < 0 || fstat(fd, &st) < 0)
        fail(errno, name);
    if (!S_ISREG(st.st_mode))
        fail(EINVAL, name);
    if ((uint64_t)st.st_size > max_bytes)
        fail(EFBIG, name);
    for (;;) {
        ssize_t n = read(fd, data, sizeof(data));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            fail(errno, name);
        if (n == 0)
            _exit(0);
        total += (uint64_t)n;
        if (total > max_bytes)
            fail(EFBIG, name);
        write_whole(1, data, (size_t)n, name);
    }
}

/* ---- entries ---------------------------------------------------------- */

static uint8_t type_of(const struct stat *st)
{
    if (S_ISREG(st->st_mode))
        return AGENT_ENTRY_FILE;
    if (S_ISDIR(st->st_mode))
        return AGENT_ENTRY_DIR;
    return S_ISLNK(st->st_mode) ? AGENT_ENTRY_LINK : AGENT_ENTRY_OTHER;
}

static void send_entry(const struct stat *st, uint64_t size, const char *name)
{
    uint8_t head[AGENT_ENTRY_SIZE];

    head[0] = type_of(st);
    wire_put_u32(head + 1, st->st_mode & 0777);
    wire_put_u64(head + 5, size);
    wire_put_u64(head + 13, st->st_mtim.tv_sec < 0
                                ? 0
                                : (uint64_t)st->st_mtim.tv_sec * NS_A_SECOND +
                                      (uint64_t)st->st_mtim.tv_nsec);
    wire_put_u32(head + 21, (uint32_t)strlen(name));
    write_whole(1, head, sizeof(head), name);
    write_whole(1, name, strlen(name), name);
}

static bool is_dot(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static DIR *open_dir(int at, const char *name, const char *about)
{
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);

    if (!dir)
        fail(errno, about);
    return dir;
}

static DIR *open_dir_inside(const char *name)
{
    int fd = open_inside(name, O_RDONLY | O_DIRECTORY);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);

    if (!dir)
        fail(errno, name);
    return dir;
}

void helper_list(const char *name)
{
    DIR *dir = open_dir_inside(name);
    struct dirent *entry;
    unsigned count = 0;

    while ((entry = readdir(dir))) {
        struct stat st;

        /* One that is removed meanwhile is not there. */
        if (is_dot(entry->d_name) ||
            fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        if (count++ == AGENT_LIST_MAX)
            fail(E2BIG, name);
        send_entry(&st, (uint64_t)st.st_size, entry->d_name);
    }
    _exit(0);
}

/* ---- trees ------------------------------------------------------------ */

struct walk {
    const struct tree_request *request;
    uint64_t bytes;
    uint32_t entries;
    char path[AGENT_PATH_MAX + 1]; /* below the base */
};

static bool ends_with_any_depth(const char *pattern)
{
    size_t len = strlen(pattern);

    return len >= 2 && strcmp(pattern + len - 2, "**") == 0;
}

/* A directory that fits is meant with all that is in it; but ** means names,
 * and so no hidden ones. */
static bool fits(const struct walk *w, bool is_dir)
{
    const char *p = w->request->patterns;

    for (; p < w->request->patterns_end; p += strlen(p) + 1)
        if (glob_match(p, w->path) && !(is_dir && ends_with_any_depth(p)))
            return true;
    return false;
}

static bool may_fit_below(const struct walk *w)
{
    const char *p = w->request->patterns;

    for (; p < w->request->patterns_end; p += strlen(p) + 1)
        if (glob_may_match_below(p, w->path))
            return true;
    return false;
}

static void count(struct walk *w, uint64_t bytes)
{
    if (w->entries++ == w->request->max_entries)
        fail(E2BIG, w->path);
    if (bytes > w->request->max_bytes - w->bytes)
        fail(EFBIG, w->path);
    w->bytes += bytes;
}

static void send_file(struct walk *w, int at, const char *name)
{
    int fd = openat(at, name, READ_FLAGS | O_NOFOLLOW);
    struct stat st;
    uint64_t left;

    if (fd < 0 || fstat(fd, &st) < 0)
        fail(errno, w->path);
    if (!S_ISREG(st.st_mode))
        fail(EINVAL, w->path);
    left = (uint64_t)st.st_size;
    count(w, left);
    send_entry(&st, left, w->path);
    while (left) {
        size_t part = left < sizeof(data) ? (size_t)left : sizeof(data);
        ssize_t n = read(fd, data, part);

        if (n < 0 && errno == EINTR)
            continue;
        /* Cut short by the job while it is read. */
        if (n <= 0)
            fail(n < 0 ? errno : ESTALE, w->path);
        write_whole(1, data, (size_t)n, w->path);
        left -= (uint64_t)n;
    }
    (void)close(fd);
}

static void send_link(struct walk *w, int at, const char *name,
                      const struct stat *st)
{
    char target[AGENT_PATH_MAX + 1];
    ssize_t len = readlinkat(at, name, target, sizeof(target));

    if (len < 1 || (size_t)len == sizeof(target))
        fail(len < 0 ? errno : ENAMETOOLONG, w->path);
    count(w, (uint64_t)len);
    send_entry(st, (uint64_t)len, w->path);
    write_whole(1, target, (size_t)len, w->path);
}

static void send_tree(struct walk *w, DIR *dir, size_t len, unsigned depth,
                      bool whole);

/* `whole`: it lies in a directory that fits, and so fits itself. */
static void send_one(struct walk *w, DIR *dir, const char *name, size_t len,
                     unsigned depth, bool whole)
{
    bool files_only = w->request->flags & AGENT_TREE_FILES;
    size_t more = strlen(name) + (len ? 1 : 0);
    struct stat st;

    if (len + more > AGENT_PATH_MAX)
        fail(ENAMETOOLONG, w->path);
    if (len)
        w->path[len] = '/';
    memcpy(w->path + len + (len ? 1 : 0), name, strlen(name) + 1);
    if (fstatat(dirfd(dir), name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return;
    whole = whole || fits(w, S_ISDIR(st.st_mode));
    if (S_ISDIR(st.st_mode) && (whole || may_fit_below(w))) {
        if (!files_only) {
            count(w, 0);
            send_entry(&st, 0, w->path);
        }
        send_tree(w, open_dir(dirfd(dir), name, w->path), len + more, depth + 1,
                  whole);
    } else if (S_ISREG(st.st_mode) && whole) {
        send_file(w, dirfd(dir), name);
    } else if (S_ISLNK(st.st_mode) && whole && !files_only) {
        send_link(w, dirfd(dir), name, &st);
    }
}

static void send_tree(struct walk *w, DIR *dir, size_t len, unsigned depth,
                      bool whole)
{
    struct dirent *entry;

    if (depth > DEPTH_MAX)
        fail(ELOOP, w->path);
    while ((entry = readdir(dir)))
        if (!is_dot(entry->d_name))
            send_one(w, dir, entry->d_name, len, depth, whole);
    (void)closedir(dir);
}

void helper_tree(const struct tree_request *request)
{
    static struct walk w;

    w.request = request;
    send_tree(&w, open_dir_inside(request->base), 0, 0,
              request->patterns == request->patterns_end);
    _exit(0);
}

/* ---- emptying --------------------------------------------------------- */

static int top;         /* the directory to empty */
static unsigned number; /* of what was moved up there */
static unsigned removed;

static void clear_dir(int fd, unsigned depth, const char *about);

static void clear_one(int at, const char *name, unsigned depth,
                      const char *about)
{
    char moved[32];
    int fd;

    /* Now and then a sign of life. */
    if (++removed % 1000 == 0)
        write_whole(1, ".", 1, about);
    if (unlinkat(at, name, 0) == 0 || errno == ENOENT)
        return;
    if (errno != EISDIR && errno != EPERM)
        fail(errno, about);
    (void)!fchmodat(at, name, 0700, 0);
    /* Deeper than descriptors reach: it has its turn at the top. */
    if (depth == DEPTH_MAX / 2) {
        (void)snprintf(moved, sizeof(moved), ".berth-clear-%u", number++);
        if (renameat(at, name, top, moved) < 0)
            fail(errno, about);
        return;
    }
    fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        fail(errno, about);
    clear_dir(fd, depth + 1, about);
    if (unlinkat(at, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        fail(errno, about);
}

/* Takes `fd`. */
static void clear_dir(int fd, unsigned depth, const char *about)
{
    DIR *dir = fdopendir(fd);
    struct dirent *entry;

    if (!dir)
        fail(errno, about);
    while ((entry = readdir(dir)))
        if (!is_dot(entry->d_name))
            clear_one(dirfd(dir), entry->d_name, depth, about);
    (void)closedir(dir);
}

void helper_clear(const char *name)
{
    unsigned before;

    top = open_inside(name, O_RDONLY | O_DIRECTORY);
    if (top < 0)
        fail(errno, name);
    do {
        int fd = openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        before = number;
        if (fd < 0)
            fail(errno, name);
        clear_dir(fd, 0, name);
    } while (before != number);
    _exit(0);
}
