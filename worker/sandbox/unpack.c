/* worker/sandbox/unpack.c - the agent's entries as files of the host. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/unpack.h"

#include "base/depth.h"
#include "base/fd.h"
#include "worker/sandbox/agent/protocol.h"
#include "worker/sandbox/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NS_A_SECOND UINT64_C(1000000000)

struct unpack {
    const struct sandbox_tree *tree; /* borrowed */
    int top;                         /* owned: its directory */
    struct strbuf held;              /* a head or a link's target, not whole */
    /* The entry that is read; no path: its head is yet to come. */
    uint8_t type;
    unsigned mode;
    uint64_t size, left, changed_ns;
    char *path; /* owned; NULL: none */
    int file;   /* owned, or -1 */
    uint64_t bytes;
    uint32_t entries;
};

int unpack_new(const struct sandbox_tree *tree, struct unpack **out_unpack,
               struct err *err)
{
    int top = open(tree->host_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct unpack *u;

    if (top < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot open '%s'", tree->host_dir);
    u = xcalloc(1, sizeof(*u));
    u->tree = tree;
    u->top = top;
    u->file = -1;
    u->held = (struct strbuf)STRBUF_MAX(AGENT_ENTRY_SIZE + AGENT_PATH_MAX + 1);
    *out_unpack = u;
    return 0;
}

void unpack_free(struct unpack *u)
{
    if (!u)
        return;
    fd_close(&u->file);
    fd_close(&u->top);
    strbuf_clear(&u->held);
    free(u->path);
    free(u);
}

/* Plain names, no more than a tree may be deep. */
static bool is_sound(const char *path, size_t len)
{
    unsigned depth = 0;

    if (memchr(path, '\0', len))
        return false;
    for (const char *s = path;; s++) {
        size_t n = strcspn(s, "/");

        if (!n || n > 255 || ++depth > TREE_MAX_DEPTH ||
            (n == 1 && s[0] == '.') || (n == 2 && s[0] == '.' && s[1] == '.'))
            return false;
        s += n;
        if (!*s)
            return true;
    }
}

static int open_dir(const struct unpack *u, const char *path)
{
    struct open_how how = {
        .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
    };

    return (int)syscall(SYS_openat2, u->top, path, &how, sizeof(how));
}

/* The directory above the last name, made if it is missing. */
static int open_parent(const struct unpack *u, const char **out_leaf)
{
    CLEANUP(mem) char *above = xstrdup(u->path);
    char *slash = strrchr(above, '/');
    int dir;

    *out_leaf = slash ? u->path + (slash + 1 - above) : u->path;
    if (!slash)
        return open_dir(u, ".");
    *slash = '\0';
    dir = open_dir(u, above);
    for (char *p = above; dir < 0 && errno == ENOENT && p; p = slash) {
        slash = strchr(p, '/');
        if (slash)
            *slash = '\0';
        if (mkdirat(u->top, above, 0700) < 0 && errno != EEXIST)
            return -1;
        if (slash)
            *slash++ = '/';
        else
            dir = open_dir(u, above);
        errno = ENOENT;
    }
    return dir;
}

static int complain(const struct unpack *u, struct err *err)
{
    return err_sys(err, ERR_TRANSIENT, "cannot write '%.200s' below '%.300s'",
                   u->path, u->tree->host_dir);
}

/* Usable by us at least; nobody else gets in above. */
static int make_dir(const struct unpack *u, int dir, const char *leaf)
{
    if (mkdirat(dir, leaf, 0700) < 0)
        return errno == EEXIST ? 0 : -1;
    return fchmodat(dir, leaf, (u->mode & 0777) | 0700, 0);
}

static int begin_entry(struct unpack *u, struct err *err)
{
    const char *leaf;
    CLEANUP(fd) int dir = open_parent(u, &leaf);

    if (dir < 0)
        return complain(u, err);
    if (u->type == AGENT_ENTRY_DIR)
        return make_dir(u, dir, leaf) < 0 ? complain(u, err) : 0;
    if (u->type == AGENT_ENTRY_LINK)
        return 0; /* with its target */
    u->file = openat(
        dir, leaf, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return u->file < 0 ? complain(u, err) : 0;
}

static int end_file(struct unpack *u)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};

    times[1].tv_sec = (time_t)(u->changed_ns / NS_A_SECOND);
    times[1].tv_nsec = (long)(u->changed_ns % NS_A_SECOND);
    /* Readable to us at least; nobody else gets in above. */
    if (fchmod(u->file, (u->mode & 0777) | 0600) < 0 ||
        (u->changed_ns && futimens(u->file, times) < 0))
        return -1;
    fd_close(&u->file);
    return 0;
}

static int end_link(struct unpack *u)
{
    const char *leaf;
    CLEANUP(fd) int dir = open_parent(u, &leaf);

    return dir < 0 ? -1 : symlinkat(u->held.data, dir, leaf);
}

static int end_entry(struct unpack *u, struct err *err)
{
    if ((u->type == AGENT_ENTRY_FILE && end_file(u) < 0) ||
        (u->type == AGENT_ENTRY_LINK && end_link(u) < 0))
        return complain(u, err);
    if (u->tree->on_entry && u->type != AGENT_ENTRY_DIR)
        u->tree->on_entry(u->tree->arg, u->path, u->size);
    strbuf_cut(&u->held, 0);
    free(STEAL(u->path));
    return 0;
}

static int refuse(struct err *err, const char *what)
{
    return err_set(err, ERR_TRANSIENT,
                   "the sandbox's agent sent a tree with %s", what);
}

static int check_head(struct unpack *u, struct err *err)
{
    bool link = u->type == AGENT_ENTRY_LINK;

    if (u->type != AGENT_ENTRY_FILE && u->type != AGENT_ENTRY_DIR && !link)
        return refuse(err, "an unknown entry");
    if ((u->type == AGENT_ENTRY_DIR && u->size) ||
        (link && (!u->size || u->size > AGENT_PATH_MAX)))
        return refuse(err, "an entry of a wrong size");
    if (u->entries++ == u->tree->max_entries ||
        u->size > u->tree->max_bytes - u->bytes)
        return refuse(err, "more than was asked for");
    u->bytes += u->size;
    return 0;
}

/* Takes bytes of the head; complete or not. The number taken, or -1. */
static ssize_t add_head(struct unpack *u, const uint8_t *data, size_t len,
                        struct err *err)
{
    size_t want = AGENT_ENTRY_SIZE, take;
    const uint8_t *head = (const uint8_t *)u->held.data;

    if (u->held.len >= AGENT_ENTRY_SIZE)
        want += wire_u32(head + 21);
    if (want < AGENT_ENTRY_SIZE + 1 && u->held.len >= AGENT_ENTRY_SIZE)
        return refuse(err, "an entry without a path");
    if (want > AGENT_ENTRY_SIZE + AGENT_PATH_MAX)
        return refuse(err, "too long a path");
    take = want - u->held.len < len ? want - u->held.len : len;
    strbuf_add(&u->held, data, take);
    if (u->held.len < want || want == AGENT_ENTRY_SIZE)
        return (ssize_t)take;
    head = (const uint8_t *)u->held.data;
    u->type = head[0];
    u->mode = wire_u32(head + 1);
    u->size = u->left = wire_u64(head + 5);
    u->changed_ns = wire_u64(head + 13);
    if (!is_sound(u->held.data + AGENT_ENTRY_SIZE, want - AGENT_ENTRY_SIZE))
        return refuse(err, "a path that leads elsewhere");
    u->path = xstrdup(u->held.data + AGENT_ENTRY_SIZE);
    strbuf_cut(&u->held, 0);
    if (check_head(u, err) < 0 || begin_entry(u, err) < 0)
        return -1;
    return (ssize_t)take;
}

static ssize_t add_content(struct unpack *u, const uint8_t *data, size_t len,
                           struct err *err)
{
    size_t take = u->left < len ? (size_t)u->left : len;

    u->left -= take;
    if (u->file < 0)
        strbuf_add(&u->held, data, take);
    else if (fd_write_all(u->file, data, take, err) < 0)
        return err_wrap(err, "cannot write '%.200s'", u->path);
    return (ssize_t)take;
}

int unpack_add(struct unpack *u, const void *data, size_t len, struct err *err)
{
    const uint8_t *p = data;

    while (len) {
        ssize_t n =
            u->path ? add_content(u, p, len, err) : add_head(u, p, len, err);

        if (n < 0)
            return -1;
        p += n;
        len -= (size_t)n;
        if (u->path && !u->left && end_entry(u, err) < 0)
            return -1;
    }
    return 0;
}

int unpack_end(const struct unpack *u, struct err *err)
{
    return u->path || u->held.len ? refuse(err, "a part missing") : 0;
}
