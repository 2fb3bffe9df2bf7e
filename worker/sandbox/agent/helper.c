/* worker/sandbox/agent/helper.c - file work, done as the sandbox's user. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/agent/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MODE_MASK   0777u
#define RACE_TRIES  64
#define NS_A_SECOND 1000000000u

/* What the user may write to, and so fill with links. */
static const char *const roots[] = {"/workspace", "/home/berth", "/tmp",
                                    "/var/tmp"};

static uint8_t data[CHUNK_SIZE];
static char path[AGENT_PATH_MAX + 1];

void fail(int sys, const char *about)
{
    (void)!write(2, about, strlen(about));
    _exit(sys ? sys : EIO);
}

/* Returns false at end of file before the first byte. */
static bool read_whole(void *out, size_t len)
{
    uint8_t *p = out;
    size_t got = 0;

    while (got < len) {
        ssize_t n = read(0, p + got, len - got);

        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0 && got == 0)
            return false;
        if (n <= 0)
            fail(n < 0 ? errno : EPIPE, "the stream of files");
        got += (size_t)n;
    }
    return true;
}

void write_whole(int fd, const void *bytes, size_t len, const char *about)
{
    const uint8_t *p = bytes;

    while (len) {
        ssize_t n = write(fd, p, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            fail(errno, about);
        p += n;
        len -= (size_t)n;
    }
}

/* ---- finding ---------------------------------------------------------- */

/* The root that `name` lies in, and what follows it ("." for itself). */
static const char *root_of(const char *name, const char **out_rest)
{
    for (size_t i = 0; i < sizeof(roots) / sizeof(*roots); i++) {
        size_t len = strlen(roots[i]);
        const char *rest = name + len;

        if (strncmp(name, roots[i], len) != 0 || (*rest && *rest != '/'))
            continue;
        rest += strspn(rest, "/");
        *out_rest = *rest ? rest : ".";
        return roots[i];
    }
    name += strspn(name, "/");
    *out_rest = *name ? name : ".";
    return "/";
}

/* For kernels without openat2(): no link at all is followed. */
static int walk(int at, const char *name, int flags)
{
    char part[AGENT_PATH_MAX + 1];
    int dir = fcntl(at, F_DUPFD_CLOEXEC, 3);

    while (dir >= 0) {
        size_t len = strcspn(name, "/");
        const char *rest = name + len + strspn(name + len, "/");
        int below;

        memcpy(part, name, len);
        part[len] = '\0';
        if (strcmp(part, "..") == 0) {
            (void)close(dir);
            errno = EXDEV;
            return -1;
        }
        below = openat(dir, part,
                       *rest ? O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
                             : flags | O_NOFOLLOW | O_CLOEXEC);
        (void)close(dir);
        if (!*rest)
            return below;
        dir = below;
        name = rest;
    }
    return -1;
}

int open_inside(const char *name, int flags)
{
    const char *rest;
    const char *root = root_of(name, &rest);
    struct open_how how = {
        .flags = (unsigned)(flags | O_CLOEXEC),
        .resolve = RESOLVE_NO_MAGICLINKS |
                   (root[1] ? RESOLVE_BENEATH : RESOLVE_IN_ROOT),
    };
    int at = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int fd = -1;

    if (at < 0)
        return -1;
    /* The kernel gives up where names are moved meanwhile. */
    for (int i = 0; fd < 0 && i < RACE_TRIES; i++) {
        fd = (int)syscall(SYS_openat2, at, rest, &how, sizeof(how));
        if (fd < 0 && errno == ENOSYS)
            fd = walk(at, rest, flags);
        if (fd < 0 && errno != EAGAIN)
            break;
    }
    (void)close(at);
    return fd;
}

/* ---- writing ---------------------------------------------------------- */

/* Open the directory above the last name of `name`, made if it is missing;
 * what is left is that name. */
static int open_parent(char *name, bool make, const char **out_leaf)
{
    char *slash = strrchr(name, '/');
    const char *above;
    int dir;

    *out_leaf = slash + 1;
    if (!slash[1] || strcmp(slash + 1, ".") == 0 ||
        strcmp(slash + 1, "..") == 0)
        fail(EINVAL, name);
    *slash = '\0';
    above = slash == name ? "/" : name;
    dir = open_inside(above, O_PATH | O_DIRECTORY);
    if (dir < 0 && errno == ENOENT && make) {
        const char *leaf;
        int parent = open_parent(name, true, &leaf);

        if (mkdirat(parent, leaf, 0755) < 0 && errno != EEXIST)
            fail(errno, name);
        (void)close(parent);
        dir = open_inside(above, O_PATH | O_DIRECTORY);
    }
    if (dir < 0)
        fail(errno, above);
    *slash = '/';
    return dir;
}

static void set_time(int fd, uint64_t changed_ns)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};

    times[1].tv_sec = (time_t)(changed_ns / NS_A_SECOND);
    times[1].tv_nsec = (long)(changed_ns % NS_A_SECOND);
    /* Nice to have: where it cannot be, the time is now. */
    if (changed_ns && futimens(fd, times) < 0)
        return;
}

static void put_file(int dir, const char *leaf, unsigned mode, uint64_t size,
                     uint64_t changed_ns)
{
    char tmp[32];
    int fd;

    (void)snprintf(tmp, sizeof(tmp), ".berth-put-%d", (int)getpid());
    (void)unlinkat(dir, tmp, 0);
    fd = openat(dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                0600);
    if (fd < 0)
        fail(errno, path);
    while (size) {
        size_t part = size < sizeof(data) ? (size_t)size : sizeof(data);

        if (!read_whole(data, part)) {
            (void)unlinkat(dir, tmp, 0);
            fail(EPIPE, path);
        }
        write_whole(fd, data, part, path);
        size -= part;
    }
    set_time(fd, changed_ns);
    if (fchmod(fd, mode & MODE_MASK) < 0 || close(fd) < 0 ||
        renameat(dir, tmp, dir, leaf) < 0) {
        int sys = errno;

        (void)unlinkat(dir, tmp, 0);
        fail(sys, path);
    }
}

static void put_link(int dir, const char *leaf, uint64_t size)
{
    static char target[AGENT_PATH_MAX + 1];

    if (size < 1 || size > AGENT_PATH_MAX || !read_whole(target, (size_t)size))
        fail(EINVAL, path);
    target[size] = '\0';
    if (unlinkat(dir, leaf, 0) < 0 && errno != ENOENT)
        fail(errno, path);
    if (symlinkat(target, dir, leaf) < 0)
        fail(errno, path);
}

static void put_dir(int dir, const char *leaf, unsigned mode)
{
    int fd;

    if (mkdirat(dir, leaf, 0755) < 0 && errno != EEXIST)
        fail(errno, path);
    fd = openat(dir, leaf, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fchmod(fd, mode & MODE_MASK) < 0)
        fail(errno, path);
    (void)close(fd);
}

static void read_entry_path(const char *base, uint32_t len)
{
    size_t base_len = strlen(base);

    if (len < 1 || base_len + 1 + len > AGENT_PATH_MAX)
        fail(ENAMETOOLONG, base);
    memcpy(path, base, base_len);
    path[base_len] = '/';
    if (!read_whole(path + base_len + 1, len))
        fail(EPIPE, base);
    path[base_len + 1 + len] = '\0';
}

static void make_base(const char *base)
{
    int dir = open_inside(base, O_PATH | O_DIRECTORY);
    const char *leaf;

    if (dir < 0 && errno == ENOENT) {
        (void)snprintf(path, sizeof(path), "%s", base);
        dir = open_parent(path, true, &leaf);
        if (mkdirat(dir, leaf, 0755) < 0 && errno != EEXIST)
            fail(errno, base);
    }
    if (dir < 0)
        fail(errno, base);
    (void)close(dir);
}

void helper_put(const char *base)
{
    uint8_t head[AGENT_ENTRY_SIZE];

    (void)umask(0);
    /* Only with the base itself there do entries have a place. */
    make_base(base);
    while (read_whole(head, sizeof(head))) {
        unsigned mode = wire_u32(head + 1);
        uint64_t size = wire_u64(head + 5);
        const char *leaf;
        int dir;

        read_entry_path(strcmp(base, "/") == 0 ? "" : base,
                        wire_u32(head + 21));
        dir = open_parent(path, true, &leaf);
        if (head[0] == AGENT_ENTRY_FILE)
            put_file(dir, leaf, mode, size, wire_u64(head + 13));
        else if (head[0] == AGENT_ENTRY_LINK)
            put_link(dir, leaf, size);
        else if (head[0] == AGENT_ENTRY_DIR)
            put_dir(dir, leaf, mode);
        else
            fail(EINVAL, path);
        (void)close(dir);
    }
    _exit(0);
}
