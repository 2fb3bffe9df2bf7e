/* worker/sandbox/agent/helper.c - file work, done as the sandbox's user. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/agent/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MODE_MASK 0777u

static uint8_t data[CHUNK_SIZE];
static char path[AGENT_PATH_MAX + 1];
static char target[AGENT_PATH_MAX + 1];

/* The exit code is the errno; stderr says about what. */
__attribute__((noreturn)) static void fail(int sys, const char *about)
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

static void write_whole(int fd, const uint8_t *p, size_t len, const char *about)
{
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

static void make_dir(const char *dir)
{
    struct stat st;

    if (mkdir(dir, 0755) == 0)
        return;
    if (errno != EEXIST && stat(dir, &st) < 0)
        fail(errno, dir);
    if (stat(dir, &st) < 0 || !S_ISDIR(st.st_mode))
        fail(ENOTDIR, dir);
}

/* Make every directory above `name`; it is put back as it was. */
static void make_parents(char *name)
{
    for (char *p = name + 1; *p; p++) {
        struct stat st;

        if (*p != '/')
            continue;
        *p = '\0';
        if (stat(name, &st) < 0 || !S_ISDIR(st.st_mode))
            make_dir(name);
        *p = '/';
    }
}

static void put_file(unsigned mode, uint64_t size)
{
    char tmp[AGENT_PATH_MAX + 32];
    int fd;

    (void)snprintf(tmp, sizeof(tmp), "%s.berth-%d", path, (int)getpid());
    (void)unlink(tmp);
    fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        fail(errno, path);
    while (size) {
        size_t part = size < sizeof(data) ? (size_t)size : sizeof(data);

        if (!read_whole(data, part)) {
            (void)unlink(tmp);
            fail(EPIPE, path);
        }
        write_whole(fd, data, part, path);
        size -= part;
    }
    if (fchmod(fd, mode & MODE_MASK) < 0 || close(fd) < 0 ||
        rename(tmp, path) < 0) {
        int sys = errno;

        (void)unlink(tmp);
        fail(sys, path);
    }
}

static void put_link(uint64_t size)
{
    if (size < 1 || size > AGENT_PATH_MAX || !read_whole(target, (size_t)size))
        fail(EINVAL, path);
    target[size] = '\0';
    if (unlink(path) < 0 && errno != ENOENT)
        fail(errno, path);
    if (symlink(target, path) < 0)
        fail(errno, path);
}

static void put_dir(unsigned mode)
{
    make_dir(path);
    if (chmod(path, mode & MODE_MASK) < 0)
        fail(errno, path);
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
    make_parents(path);
}

void helper_put(const char *base)
{
    uint8_t head[AGENT_ENTRY_SIZE];

    (void)umask(0);
    /* Only with the base itself there do entries have a place. */
    (void)snprintf(path, sizeof(path), "%s", base);
    if (strcmp(base, "/") != 0) {
        make_parents(path);
        make_dir(path);
    }
    while (read_whole(head, sizeof(head))) {
        unsigned mode = wire_u32(head + 1);
        uint64_t size = wire_u64(head + 5);

        read_entry_path(strcmp(base, "/") == 0 ? "" : base,
                        wire_u32(head + 13));
        if (head[0] == AGENT_ENTRY_FILE)
            put_file(mode, size);
        else if (head[0] == AGENT_ENTRY_LINK)
            put_link(size);
        else if (head[0] == AGENT_ENTRY_DIR)
            put_dir(mode);
        else
            fail(EINVAL, path);
    }
    _exit(0);
}

void helper_get(const char *name, uint64_t max_bytes)
{
    /* Non-blocking, or opening a stranger's FIFO would wait for ever. */
    int fd = open(name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
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
