/* worker/cache/far/get.c - from the bucket into the cache of this host. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "base/state.h"
#include "base/units.h"
#include "worker/cache/far/far.h"
#include "worker/cache/far/program.h"
#include "worker/cache/seal.h"
#include "worker/cache/store_impl.h"
#include "worker/cache/verified.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RANDOM_DIGITS 24
#define NEWEST_MAX    3 /* of those that begin as a prefix does */

struct get {
    struct far *far; /* borrowed, as the following */
    const char *kind;
    json_t *notes;
    bool found;
};

bool far_keeps(const char *kind)
{
    return strcmp(kind, "installs") == 0 || strcmp(kind, "caches") == 0;
}

int far_scratch(const struct far *far, int *out_fd, struct err *err)
{
    char random[RANDOM_DIGITS + 1];
    CLEANUP(mem) char *path = NULL;

    state_random_hex(random, RANDOM_DIGITS);
    path = xasprintf("%s/staging/%s", far->cache->dir, random);
    *out_fd =
        open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (*out_fd < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot make '%s'", path);
    (void)unlink(path);
    return 0;
}

/* "scope/key" in two, of which `*out_key` is in `name`. */
static char *split(const char *name, const char **out_key)
{
    const char *slash = strchr(name, '/');

    if (!slash)
        return NULL;
    *out_key = slash + 1;
    return xstrndup(name, (size_t)(slash - name));
}

/* A job may be told: there is nothing of the host in it. */
static void note(struct get *get, const char *name, const char *what)
{
    CLEANUP(mem)
    char *line = xasprintf("the store's '%.200s' is not used: %s", name, what);

    (void)json_array_append_new(get->notes, json_string(line));
}

/* What it was sealed with, and whether that is in root/. */
static int compare(const struct far *far, const char *stage, const json_t *meta,
                   struct err *err)
{
    CLEANUP(mem) char *root = xasprintf("%s/" CACHE_ROOT, stage);
    CLEANUP(fd)
    int fd = open(root, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct seal seal = {.max_bytes = far->settings.entry_bytes};
    const char *wanted = json_string_value(json_object_get(meta, "digest"));

    if (fd < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot open '%s'", root);
    if (seal_read(fd, &seal, err) < 0)
        return -1;
    return wanted && strcmp(wanted, seal.digest) == 0
               ? 0
               : err_set(err, ERR_USER, "it is not what was sealed");
}

static int fill(struct get *get, const struct pack *pack, int packed,
                const char *stage, json_t **out_meta, struct err *err)
{
    CLEANUP(mem) char *path = xasprintf("%s/" CACHE_ROOT, stage);
    CLEANUP(fd) int root = -1;

    if (dir_make(path, 0755, err) < 0)
        return -1;
    root = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (root < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot open '%s'", path);
    if (pack_read(pack, packed, root, out_meta, err) < 0)
        return -1;
    if (compare(get->far, stage, *out_meta, err) < 0 ||
        verified_note(stage, err) < 0)
        return -1;
    return far_mark(get->far, stage, err);
}

static int unpack(struct get *get, const struct cache_name *name,
                  const struct pack *pack, int packed, struct err *err)
{
    struct cache *cache = get->far->cache;
    struct cache_entry stage = CACHE_ENTRY_INIT;
    json_t *meta = NULL;
    int rc;

    if (pack_check(pack, packed, err) < 0 ||
        cache_stage(cache, &stage, err) < 0)
        return -1;
    rc = fill(get, pack, packed, stage.path, &meta, err);
    if (rc == 0)
        rc = cache_publish(cache, name, meta, &stage, err);
    cache_drop(cache, &stage);
    json_decref(meta);
    return rc;
}

static int fetch(struct get *get, const struct cache_name *name,
                 const char *object, struct err *err)
{
    const struct far *far = get->far;
    const struct pack pack = {object, &far->key, far->settings.entry_bytes};
    CLEANUP(fd) int fd = -1;
    struct s3_blob blob = {.bytes = far->settings.entry_bytes};

    if (far_scratch(far, &fd, err) < 0)
        return -1;
    blob.fd = fd;
    (void)alarm(CACHE_FETCH_S);
    if (s3_get(far->s3, object, &blob, err) < 0)
        return -1;
    return unpack(get, name, &pack, fd, err);
}

/* -1 only where the store cannot be asked. */
static int try(struct get *get, const char *name, struct err *err)
{
    const char *key = "";
    CLEANUP(mem) char *scope = split(name, &key);
    const struct cache_name full = {get->kind, scope ? scope : "", key};
    CLEANUP(mem) char *object = xasprintf("%s/%s", get->kind, name);
    struct err why = {0};
    uint64_t bytes = 0;

    if (!cache_name_ok(full.scope) || !cache_name_ok(key))
        return 0;
    if (s3_head(get->far->s3, object, &bytes, &why) < 0) {
        if (why.kind == ERR_USER)
            return 0;
        *err = why;
        return -1;
    }
    if (bytes > get->far->settings.entry_bytes) {
        note(get, key, "it is too large (cache.entry_bytes)");
        return 0;
    }
    if (fetch(get, &full, object, &why) == 0) {
        get->found = true;
        (void)json_array_append_new(get->notes,
                                    json_string("brought it from the store"));
        return 0;
    }
    note(get, key,
         why.kind == ERR_USER ? why.msg : "the worker's own log says why");
    if (why.kind != ERR_USER)
        (void)fprintf(stderr, CACHE_PROGRAM ": %s\n", why.msg);
    return 0;
}

/* ---- those that begin with something ------------------------------------- */

struct newest {
    struct {
        char *key; /* owned */
        int64_t at_ms;
    } items[NEWEST_MAX]; /* the newest first */
};

static int add_newest(void *arg, const struct s3_object *object,
                      struct err *err UNUSED)
{
    struct newest *newest = arg;
    size_t at = NEWEST_MAX;

    while (at > 0 && (!newest->items[at - 1].key ||
                      newest->items[at - 1].at_ms < object->modified_ms))
        at--;
    if (at == NEWEST_MAX)
        return 0;
    free(newest->items[NEWEST_MAX - 1].key);
    memmove(&newest->items[at + 1], &newest->items[at],
            (NEWEST_MAX - 1 - at) * sizeof(newest->items[0]));
    newest->items[at].key = xstrdup(object->key);
    newest->items[at].at_ms = object->modified_ms;
    return 0;
}

static int try_prefix(struct get *get, const char *prefix, struct err *err)
{
    CLEANUP(mem) char *start = xasprintf("%s/%s", get->kind, prefix);
    size_t skip = strlen(get->kind) + 1;
    struct newest newest = {0};
    int rc = 0;

    if (prefix[strspn(prefix, "abcdefghijklmnopqrstuvwxyz"
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/")])
        return 0;
    rc = s3_list(get->far->s3, start, add_newest, &newest, err);
    for (size_t i = 0; i < NEWEST_MAX; i++) {
        if (rc == 0 && !get->found && newest.items[i].key)
            rc = try(get, newest.items[i].key + skip, err);
        free(newest.items[i].key);
    }
    return rc;
}

int far_get(struct far *far, const struct far_wish *wish, json_t *notes,
            bool *out_found, struct err *err)
{
    struct get get = {.far = far, .kind = wish->kind, .notes = notes};

    if (!far_keeps(wish->kind))
        return err_set(err, ERR_BUG, "'%.100s' is not kept", wish->kind);
    (void)alarm(CACHE_ANSWER_S);
    for (size_t i = 0; i < wish->name_count && !get.found; i++)
        if (try(&get, wish->names[i], err) < 0)
            return -1;
    for (size_t i = 0; i < wish->prefix_count && !get.found; i++)
        if (try_prefix(&get, wish->prefixes[i], err) < 0)
            return -1;
    (void)alarm(0);
    *out_found = get.found;
    return 0;
}
