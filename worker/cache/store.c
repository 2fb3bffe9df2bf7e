/* worker/cache/store.c - a directory of snapshots that jobs share. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/cache/store.h"

#include "base/fd.h"
#include "base/state.h"
#include "worker/cache/store_impl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define META_MAX      ((size_t)256 << 10)
#define NAME_MAX_SIZE 200
#define RANDOM_DIGITS 24
#define LIST_MAX      10000

bool cache_name_ok(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz"
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

    return len && len <= NAME_MAX_SIZE && !name[len] && name[0] != '.';
}

int cache_open(const char *dir, struct cache **out_cache, struct err *err)
{
    CLEANUP(cache) struct cache *cache = xcalloc(1, sizeof(*cache));
    CLEANUP(mem) char *trash = xasprintf("%s/trash", dir);
    CLEANUP(mem) char *staging = xasprintf("%s/staging", dir);

    cache->dir = xstrdup(dir);
    if (dir_make(trash, 0700, err) < 0 || chmod(trash, 0700) < 0 ||
        dir_make(staging, 0711, err) < 0 || chmod(dir, 0711) < 0 ||
        chmod(staging, 0711) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot use the cache '%s'", dir);
    *out_cache = STEAL(cache);
    return 0;
}

void cache_free(struct cache *cache)
{
    if (!cache)
        return;
    free(cache->dir);
    free(cache);
}

void cache_entry_release(struct cache_entry *entry)
{
    free(STEAL(entry->path));
    json_decref(STEAL(entry->meta));
    fd_close(&entry->lock);
}

int cache_hold(const char *path, int how)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat ours, named;

    if (fd < 0)
        return -1;
    /* It may have gone, or become another, before we had the lock. */
    if (flock(fd, how | LOCK_NB) == 0 && fstat(fd, &ours) == 0 &&
        lstat(path, &named) == 0 && ours.st_ino == named.st_ino &&
        ours.st_dev == named.st_dev)
        return fd;
    fd_close(&fd);
    return -1;
}

static char *path_of(const struct cache *cache, const struct cache_name *name)
{
    if (!cache_name_ok(name->kind) || !cache_name_ok(name->scope) ||
        !cache_name_ok(name->key))
        return NULL;
    return xasprintf("%s/%s/%s/%s", cache->dir, name->kind, name->scope,
                     name->key);
}

json_t *cache_read_meta(const char *path)
{
    CLEANUP(mem) char *file = xasprintf("%s/meta", path);
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    struct err ignored;
    json_t *meta;

    if (file_read(file, META_MAX, &text, &ignored) < 0)
        return NULL;
    meta = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(meta))
        return meta;
    json_decref(meta);
    return NULL;
}

bool cache_find(struct cache *cache, const struct cache_name *name,
                struct cache_entry *out_entry)
{
    CLEANUP(mem) char *path = path_of(cache, name);
    struct cache_entry entry = CACHE_ENTRY_INIT;

    if (!path)
        return false;
    entry.lock = cache_hold(path, LOCK_SH);
    if (entry.lock < 0)
        return false;
    entry.path = STEAL(path);
    entry.meta = cache_read_meta(entry.path);
    if (!entry.meta) {
        cache_condemn(cache, &entry);
        cache_entry_release(&entry);
        return false;
    }
    (void)futimens(entry.lock, NULL); /* used last; a full disk is no matter */
    *out_entry = entry;
    return true;
}

struct listed {
    char *key; /* owned */
    struct timespec time;
};

static int newest_first(const void *a, const void *b)
{
    const struct timespec *x = &((const struct listed *)a)->time;
    const struct timespec *y = &((const struct listed *)b)->time;

    if (x->tv_sec != y->tv_sec)
        return x->tv_sec < y->tv_sec ? 1 : -1;
    return (x->tv_nsec < y->tv_nsec) - (x->tv_nsec > y->tv_nsec);
}

/* What is listed, and by which time; false: it is not. */
static bool look_at(int dir, const char *key, const struct cache_query *query,
                    struct timespec *out_time)
{
    CLEANUP(mem) char *meta = xasprintf("%s/meta", key);
    struct stat st;

    if (strncmp(key, query->prefix, strlen(query->prefix)) != 0 ||
        !cache_name_ok(key) ||
        fstatat(dir, query->order == CACHE_NEWEST ? meta : key, &st,
                AT_SYMLINK_NOFOLLOW) < 0)
        return false;
    *out_time = st.st_mtim;
    return true;
}

void cache_list(struct cache *cache, const struct cache_query *query,
                struct strv *out_keys)
{
    CLEANUP(mem)
    char *path = xasprintf("%s/%s/%s", cache->dir, query->kind, query->scope);
    CLEANUP(mem) struct listed *all = NULL;
    bool ok = cache_name_ok(query->kind) && cache_name_ok(query->scope);
    DIR *dir = ok ? opendir(path) : NULL;
    struct dirent *item;
    size_t count = 0;

    while (dir && count < LIST_MAX && (item = readdir(dir))) {
        struct timespec time;

        if (!look_at(dirfd(dir), item->d_name, query, &time))
            continue;
        all = xreallocarray(all, count + 1, sizeof(*all));
        all[count].key = xstrdup(item->d_name);
        all[count++].time = time;
    }
    if (dir)
        (void)closedir(dir);
    if (count)
        qsort(all, count, sizeof(*all), newest_first);
    for (size_t i = 0; i < count; i++) {
        if (i < query->most)
            strv_add(out_keys, all[i].key);
        free(all[i].key);
    }
}

/* ---- making -------------------------------------------------------------- */

int cache_stage(struct cache *cache, struct cache_entry *out_stage,
                struct err *err)
{
    char random[RANDOM_DIGITS + 1];
    struct cache_entry stage = CACHE_ENTRY_INIT;

    state_random_hex(random, RANDOM_DIGITS);
    stage.path = xasprintf("%s/staging/%s", cache->dir, random);
    if (mkdir(stage.path, 0711) == 0 && chmod(stage.path, 0711) == 0)
        stage.lock = cache_hold(stage.path, LOCK_SH);
    if (stage.lock < 0) {
        (void)err_sys(err, ERR_TRANSIENT, "cannot make '%s'", stage.path);
        cache_entry_release(&stage);
        return -1;
    }
    *out_stage = stage;
    return 0;
}

void cache_condemn(struct cache *cache, const struct cache_entry *entry)
{
    char random[RANDOM_DIGITS + 1];
    CLEANUP(mem) char *trash = NULL;

    state_random_hex(random, RANDOM_DIGITS);
    trash = xasprintf("%s/trash/%s", cache->dir, random);
    (void)rename(entry->path, trash);
}

void cache_drop(struct cache *cache, struct cache_entry *stage)
{
    if (stage->path && !stage->meta) /* else it has a place already */
        cache_condemn(cache, stage);
    cache_entry_release(stage);
}

static int write_meta(const char *path, json_t *meta, struct err *err)
{
    CLEANUP(mem) char *file = xasprintf("%s/meta", path);
    char *text = json_dumps(meta, JSON_COMPACT);
    int rc;

    if (!text || strlen(text) > META_MAX) {
        free(text);
        return err_set(err, ERR_TRANSIENT, "what is to be kept has no meta");
    }
    rc = file_write(file, text, strlen(text), 0600, err);
    free(text);
    return rc;
}

/* 1: somebody came first, and his is good. */
static int take_place(struct cache *cache, const struct cache_name *name,
                      const char *path, struct cache_entry *stage,
                      struct err *err)
{
    for (int i = 0; i < 3; i++) {
        struct cache_entry other = CACHE_ENTRY_INIT;

        if (rename(stage->path, path) == 0)
            return 0;
        if (errno != EEXIST && errno != ENOTEMPTY)
            break;
        if (cache_find(cache, name, &other)) {
            cache_drop(cache, stage);
            *stage = other;
            return 1;
        }
    }
    return err_sys(err, ERR_TRANSIENT, "cannot keep '%s'", path);
}

int cache_publish(struct cache *cache, const struct cache_name *name,
                  json_t *meta, struct cache_entry *stage, struct err *err)
{
    CLEANUP(mem) char *path = path_of(cache, name);
    CLEANUP(mem) char *kind = NULL;
    CLEANUP(mem) char *scope = NULL;
    int taken;

    if (!path)
        return err_set(err, ERR_BUG, "'%.300s' is no key of a cache",
                       name->key);
    kind = xasprintf("%s/%s", cache->dir, name->kind);
    scope = xasprintf("%s/%s", kind, name->scope);
    if (dir_make(kind, 0700, err) < 0 || dir_make(scope, 0700, err) < 0 ||
        write_meta(stage->path, meta, err) < 0)
        return -1;
    if (chmod(stage->path, 0700) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot close '%s'", stage->path);
    taken = take_place(cache, name, path, stage, err);
    if (taken < 0)
        return -1;
    if (taken == 0) {
        free(stage->path);
        stage->path = STEAL(path);
        stage->meta = json_incref(meta);
    }
    return 0;
}
