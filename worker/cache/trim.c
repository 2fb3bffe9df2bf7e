/* worker/cache/trim.c - what has to go, by age and by size. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/fd.h"
#include "worker/cache/store_impl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_ENTRIES 100000

struct candidate {
    char *path; /* owned */
    int64_t used_ms;
    uint64_t bytes;
};

struct survey {
    struct candidate *items; /* owned */
    size_t count;
    uint64_t bytes;
};

struct each {
    cache_item_fn *fn;
    void *arg;
};

static void each(const char *path, cache_item_fn *fn, void *arg)
{
    DIR *dir = opendir(path);
    struct dirent *item;

    while (dir && (item = readdir(dir))) {
        CLEANUP(mem) char *below = xasprintf("%s/%s", path, item->d_name);

        if (item->d_name[0] != '.')
            fn(arg, below);
    }
    if (dir)
        (void)closedir(dir);
}

static void each_of_scope(void *arg, const char *path)
{
    const struct each *all = arg;

    each(path, all->fn, all->arg);
    (void)rmdir(path); /* an empty one */
}

static void each_of_kind(void *arg, const char *path)
{
    const char *name = strrchr(path, '/') + 1;

    if (strcmp(name, "staging") != 0 && strcmp(name, "trash") != 0)
        each(path, each_of_scope, arg);
}

void cache_each(struct cache *cache, cache_item_fn *fn, void *arg)
{
    struct each all = {fn, arg};

    each(cache->dir, each_of_kind, &all);
}

/* Whoever lives holds what he uses. */
static void remove_unheld(void *arg UNUSED, const char *path)
{
    CLEANUP(fd) int lock = cache_hold(path, LOCK_EX);
    struct err ignored;

    if ((lock >= 0 || errno == ENOTDIR) && tree_remove(path, &ignored) < 0)
        return; /* the next one tries again */
}

static void add_entry(void *arg, const char *path)
{
    struct survey *survey = arg;
    struct candidate *item;
    struct stat st;
    json_t *meta;

    if (survey->count == MAX_ENTRIES || lstat(path, &st) < 0)
        return;
    meta = cache_read_meta(path);
    survey->items =
        xreallocarray(survey->items, survey->count + 1, sizeof(*survey->items));
    item = &survey->items[survey->count++];
    item->path = xstrdup(path);
    /* Without a meta it is nobody's: the oldest of all. */
    item->used_ms =
        meta ? (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000
             : 0;
    item->bytes = (uint64_t)json_integer_value(json_object_get(meta, "bytes"));
    survey->bytes += item->bytes;
    json_decref(meta);
}

static int by_use(const void *a, const void *b)
{
    const struct candidate *x = a;
    const struct candidate *y = b;

    return (x->used_ms > y->used_ms) - (x->used_ms < y->used_ms);
}

/* Out of its place first: nobody finds one that is half gone. */
static bool evict(struct cache *cache, const char *path)
{
    struct cache_entry entry = {.path = (char *)(uintptr_t)path};
    CLEANUP(fd) int lock = cache_hold(path, LOCK_EX);

    if (lock < 0)
        return false;
    cache_condemn(cache, &entry);
    return true;
}

void cache_trim(struct cache *cache, const struct cache_settings *settings)
{
    CLEANUP(mem) char *lock_path = xasprintf("%s/trim.lock", cache->dir);
    CLEANUP(mem) char *staging = xasprintf("%s/staging", cache->dir);
    CLEANUP(mem) char *trash = xasprintf("%s/trash", cache->dir);
    CLEANUP(fd) int lock = -1;
    struct survey survey = {0};
    struct err ignored;
    int64_t oldest = clock_wall_ms() - settings->keep_ms;

    if (file_lock(lock_path, 0, &lock, &ignored) < 0)
        return;
    cache_each(cache, add_entry, &survey);
    if (survey.count)
        qsort(survey.items, survey.count, sizeof(*survey.items), by_use);
    for (size_t i = 0; i < survey.count; i++) {
        const struct candidate *item = &survey.items[i];

        if ((item->used_ms < oldest || survey.bytes > settings->bytes) &&
            evict(cache, item->path))
            survey.bytes -= item->bytes;
        free(item->path);
    }
    free(survey.items);
    each(staging, remove_unheld, NULL);
    each(trash, remove_unheld, NULL);
}
