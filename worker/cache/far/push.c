/* worker/cache/far/push.c - from the cache of this host into the bucket. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/fd.h"
#include "worker/cache/far/far.h"
#include "worker/cache/seal.h"
#include "worker/cache/stamp.h"
#include "worker/cache/store_impl.h"
#include "worker/cache/verified.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARK      "pushed"
#define EXPIRED   "store-expired"
#define MARK_MAX  256
#define HOUR_MS   ((int64_t)3600000)
#define NS_PER_MS 1000000

struct push {
    struct far *far;         /* borrowed */
    struct far_count *count; /* borrowed */
    struct err err;          /* then it goes no further */
};

static int64_t mtime_ms(const char *path)
{
    struct stat st;

    return lstat(path, &st) < 0 ? 0
                                : (int64_t)st.st_mtim.tv_sec * 1000 +
                                      st.st_mtim.tv_nsec / NS_PER_MS;
}

/* ---- what the store has -------------------------------------------------- */

static void mark_of(const struct far *far, char out[SHA256_HEX_SIZE])
{
    struct sha256 sum;

    sha256_init(&sum);
    sha256_add(&sum, far->store, strlen(far->store));
    sha256_end_hex(&sum, out);
}

int far_mark(const struct far *far, const char *path, struct err *err)
{
    char text[SHA256_HEX_SIZE];

    mark_of(far, text);
    return stamp_write(path, MARK, text, err);
}

/* What is used here is not to get too old there. */
static bool is_pushed(const struct far *far, const char *path)
{
    CLEANUP(mem) char *file = xasprintf("%s/" MARK, path);
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    char wanted[SHA256_HEX_SIZE];
    int64_t at_ms = mtime_ms(file);
    struct err ignored;

    mark_of(far, wanted);
    if (file_read(file, MARK_MAX, &text, &ignored) < 0 ||
        strcmp(text.data, wanted) != 0)
        return false;
    return clock_wall_ms() - at_ms < far->settings.keep_ms / 2 ||
           mtime_ms(path) <= at_ms;
}

/* ---- an entry ------------------------------------------------------------ */

static int put(struct push *push, const struct cache_entry *entry,
               const char *name, int root)
{
    const struct far *far = push->far;
    const struct pack pack = {name, &far->key, far->settings.entry_bytes};
    const char *digest =
        json_string_value(json_object_get(entry->meta, "digest"));
    struct seal seal = {.max_bytes = far->settings.entry_bytes};
    CLEANUP(fd) int fd = -1;
    struct s3_blob blob = {0};
    struct stat st;

    if (fstat(root, &st) < 0)
        return err_sys(&push->err, ERR_TRANSIENT, "cannot read '%s'", name);
    /* What is damaged is `cache check`'s to remove. */
    if (seal_read(root, &seal, &push->err) < 0)
        return -1;
    if (strcmp(seal.digest, digest) != 0)
        return err_set(&push->err, ERR_USER, "it is damaged");
    if (far_scratch(far, &fd, &push->err) < 0 ||
        pack_write(&pack, root, st.st_uid == geteuid() ? 0 : st.st_uid,
                   entry->meta, fd, &push->err) < 0)
        return -1;
    if (fstat(fd, &st) < 0)
        return err_sys(&push->err, ERR_TRANSIENT, "cannot read '%s'", name);
    blob.fd = fd;
    blob.bytes = (uint64_t)st.st_size;
    if (s3_put(far->s3, name, &blob, &push->err) < 0)
        return -1;
    return far_mark(far, entry->path, &push->err);
}

static bool may_be_pushed(const struct far *far,
                          const struct cache_entry *entry)
{
    json_int_t bytes =
        json_integer_value(json_object_get(entry->meta, "bytes"));

    return verified_is_sealed(entry) && bytes >= 0 &&
           (uint64_t)bytes <= far->settings.entry_bytes;
}

static void push_held(struct push *push, const struct cache_entry *entry,
                      const char *name)
{
    CLEANUP(mem) char *path = xasprintf("%s/" CACHE_ROOT, entry->path);
    CLEANUP(fd)
    int root = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (root < 0 || !may_be_pushed(push->far, entry))
        return;
    if (put(push, entry, name, root) == 0) {
        push->count->pushed++;
    } else if (push->err.kind == ERR_USER) {
        /* The others are no worse for it, and it is not read each time. */
        push->err = (struct err){0};
        (void)!far_mark(push->far, entry->path, &push->err);
    }
}

static void push_entry(void *arg, const char *path)
{
    struct push *push = arg;
    const char *name = path + strlen(push->far->cache->dir) + 1;
    struct cache_entry entry = CACHE_ENTRY_INIT;
    CLEANUP(mem) char *kind = xstrndup(name, strcspn(name, "/"));

    if (push->err.kind != ERR_NONE || !far_keeps(kind) ||
        is_pushed(push->far, path))
        return;
    entry.lock = cache_hold(path, LOCK_SH);
    if (entry.lock < 0)
        return;
    entry.path = xstrdup(path);
    entry.meta = cache_read_meta(path);
    if (entry.meta)
        push_held(push, &entry, name);
    cache_entry_release(&entry);
}

/* ---- what is too old ----------------------------------------------------- */

static bool is_ours(const char *key)
{
    CLEANUP(mem) char *copy = xstrdup(key);
    char *rest = copy;
    const char *kind = strsep(&rest, "/");
    const char *scope = strsep(&rest, "/");

    return far_keeps(kind) && scope && rest && cache_name_ok(scope) &&
           cache_name_ok(rest);
}

static int expire(void *arg, const struct s3_object *object, struct err *err)
{
    struct push *push = arg;

    if (!is_ours(object->key) ||
        clock_wall_ms() - object->modified_ms < push->far->settings.keep_ms)
        return 0;
    if (s3_delete(push->far->s3, object->key, err) < 0)
        return -1;
    push->count->removed++;
    return 0;
}

static int expire_all(struct push *push, struct err *err)
{
    const char *dir = push->far->cache->dir;
    CLEANUP(mem) char *file = xasprintf("%s/" EXPIRED, dir);
    int64_t every_ms = push->far->settings.keep_ms / 4;
    int64_t past_ms = clock_wall_ms() - mtime_ms(file);

    if (past_ms >= 0 && past_ms < (every_ms < HOUR_MS ? every_ms : HOUR_MS))
        return 0;
    if (s3_list(push->far->s3, "", expire, push, err) < 0)
        return -1;
    return file_write(file, "", 0, 0600, err);
}

int far_push(struct far *far, struct far_count *out_count, struct err *err)
{
    struct push push = {.far = far, .count = out_count};

    cache_each(far->cache, push_entry, &push);
    if (push.err.kind == ERR_NONE)
        return expire_all(&push, err);
    *err = push.err;
    return -1;
}
