/* worker/sandbox/feed.c - files as a stream of the agent's entries. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/feed.h"

#include "base/depth.h"
#include "base/fd.h"
#include "worker/sandbox/agent/protocol.h"
#include "worker/sandbox/wire.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The directory itself, and below it all that checkout lets through. */
#define DEPTH_MAX  (TREE_MAX_DEPTH + 1)
#define CHUNK_SIZE ((size_t)64 << 10)

struct feed {
    DIR *dirs[DEPTH_MAX];   /* owned: open from the top down to here */
    size_t lens[DEPTH_MAX]; /* of `path` without what the level adds */
    size_t depth;
    int fd;        /* owned: the file that is being read, or -1 */
    uint64_t left; /* bytes of it */
    char path[AGENT_PATH_MAX + 1];
    struct strbuf ready; /* made and not yet taken */
    size_t taken;        /* of ready */
};

static struct feed *feed_new(void)
{
    struct feed *feed = xcalloc(1, sizeof(*feed));

    feed->fd = -1;
    feed->ready = (struct strbuf)STRBUF_INIT;
    return feed;
}

#define NS_A_SECOND UINT64_C(1000000000)

/* What is older than 1970 is new. */
static uint64_t changed_ns(const struct stat *st)
{
    return st->st_mtim.tv_sec < 0 ? 0
                                  : (uint64_t)st->st_mtim.tv_sec * NS_A_SECOND +
                                        (uint64_t)st->st_mtim.tv_nsec;
}

static void add_entry(struct feed *feed, char type, unsigned mode,
                      uint64_t size, uint64_t changed, const char *path)
{
    strbuf_addc(&feed->ready, type);
    wire_add(&feed->ready, mode, 4);
    wire_add(&feed->ready, size, 8);
    wire_add(&feed->ready, changed, 8);
    wire_add(&feed->ready, strlen(path), 4);
    strbuf_adds(&feed->ready, path);
}

struct feed *feed_of_file(const char *path, unsigned mode, const void *data,
                          size_t len)
{
    struct feed *feed = feed_new();

    add_entry(feed, AGENT_ENTRY_FILE, mode, len, 0, path);
    strbuf_add(&feed->ready, data, len);
    return feed;
}

struct feed *feed_of_bytes(const void *data, size_t len)
{
    struct feed *feed = feed_new();

    strbuf_add(&feed->ready, data, len);
    return feed;
}

static int enter(struct feed *feed, int at, const char *name, size_t len,
                 struct err *err)
{
    CLEANUP(fd)
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return err_sys(err, ERR_USER, "cannot open directory '%s'", name);
    if (feed->depth == DEPTH_MAX)
        return err_set(err, ERR_USER, "'%.200s' is nested too deeply", name);
    feed->dirs[feed->depth] = fdopendir(fd);
    if (!feed->dirs[feed->depth])
        return err_sys(err, ERR_TRANSIENT, "cannot list '%s'", name);
    fd = -1;
    feed->lens[feed->depth++] = len;
    return 0;
}

int feed_of_tree(const char *dir, struct feed **out_feed, struct err *err)
{
    CLEANUP(feed) struct feed *feed = feed_new();

    if (enter(feed, AT_FDCWD, dir, 0, err) < 0)
        return -1;
    *out_feed = STEAL(feed);
    return 0;
}

void feed_free(struct feed *feed)
{
    if (!feed)
        return;
    while (feed->depth)
        (void)closedir(feed->dirs[--feed->depth]);
    fd_close(&feed->fd);
    strbuf_clear(&feed->ready);
    free(feed);
}

static int add_link(struct feed *feed, int dir, const char *name,
                    struct err *err)
{
    char target[AGENT_PATH_MAX + 1];
    ssize_t len = readlinkat(dir, name, target, sizeof(target));

    if (len < 0 || (size_t)len == sizeof(target))
        return err_sys(err, ERR_USER, "cannot read link '%s'", feed->path);
    add_entry(feed, AGENT_ENTRY_LINK, 0777, (uint64_t)len, 0, feed->path);
    strbuf_add(&feed->ready, target, (size_t)len);
    return 0;
}

static int add_file(struct feed *feed, int dir, const char *name,
                    struct err *err)
{
    struct stat st;

    feed->fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (feed->fd < 0 || fstat(feed->fd, &st) < 0)
        return err_sys(err, ERR_USER, "cannot open '%s'", feed->path);
    feed->left = (uint64_t)st.st_size;
    add_entry(feed, AGENT_ENTRY_FILE, st.st_mode & 0777, feed->left,
              changed_ns(&st), feed->path);
    return 0;
}

static int add_one(struct feed *feed, const char *name, struct err *err)
{
    int dir = dirfd(feed->dirs[feed->depth - 1]);
    size_t len = feed->lens[feed->depth - 1];
    size_t more = strlen(name) + (len ? 1 : 0);
    struct stat st;

    if (len + more > AGENT_PATH_MAX)
        return err_set(err, ERR_USER, "the path of '%.200s' is too long", name);
    if (len)
        feed->path[len] = '/';
    memcpy(feed->path + len + (len ? 1 : 0), name, strlen(name) + 1);
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_sys(err, ERR_USER, "cannot look at '%s'", feed->path);
    if (S_ISLNK(st.st_mode))
        return add_link(feed, dir, name, err);
    if (S_ISREG(st.st_mode))
        return add_file(feed, dir, name, err);
    if (!S_ISDIR(st.st_mode))
        return 0;
    add_entry(feed, AGENT_ENTRY_DIR, (st.st_mode & 0777) | 0700, 0, 0,
              feed->path);
    return enter(feed, dir, name, len + more, err);
}

static int add_next(struct feed *feed, struct err *err)
{
    struct dirent *entry = readdir(feed->dirs[feed->depth - 1]);

    if (!entry) {
        (void)closedir(feed->dirs[--feed->depth]);
        return 0;
    }
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
        return 0;
    return add_one(feed, entry->d_name, err);
}

static int add_content(struct feed *feed, struct err *err)
{
    char chunk[CHUNK_SIZE];
    size_t want =
        feed->left < sizeof(chunk) ? (size_t)feed->left : sizeof(chunk);
    ssize_t n = want ? read(feed->fd, chunk, want) : 0;

    if (n < 0 && errno != EINTR)
        return err_sys(err, ERR_USER, "cannot read '%s'", feed->path);
    if (n == 0 && want)
        return err_set(err, ERR_USER, "'%s' became shorter while it was read",
                       feed->path);
    if (n > 0) {
        strbuf_add(&feed->ready, chunk, (size_t)n);
        feed->left -= (uint64_t)n;
    }
    if (!feed->left)
        fd_close(&feed->fd);
    return 0;
}

int feed_take(struct feed *feed, size_t max, struct strbuf *out, bool *out_end,
              struct err *err)
{
    size_t part;

    while (feed->ready.len - feed->taken < max &&
           (feed->fd >= 0 || feed->depth)) {
        if (feed->taken) {
            strbuf_consume(&feed->ready, feed->taken);
            feed->taken = 0;
        }
        if (feed->fd >= 0 ? add_content(feed, err) < 0
                          : add_next(feed, err) < 0)
            return -1;
    }
    part = feed->ready.len - feed->taken;
    if (part > max)
        part = max;
    strbuf_add(out, feed->ready.data + feed->taken, part);
    feed->taken += part;
    *out_end = feed->taken == feed->ready.len && feed->fd < 0 && !feed->depth;
    return 0;
}
