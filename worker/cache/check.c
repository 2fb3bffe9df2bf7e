/* worker/cache/check.c - read again, in the background, what is kept. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/cache/check.h"

#include "base/clock.h"
#include "base/fd.h"
#include "worker/cache/seal.h"
#include "worker/cache/store_impl.h"
#include "worker/cache/verified.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define MAX_DUE 100000

struct due {
    char *path; /* owned */
    int64_t at_ms;
};

struct round {
    struct due *items; /* owned */
    size_t count;
    int64_t before_ms;
};

static void add_due(void *arg, const char *path)
{
    struct round *round = arg;
    int64_t at_ms = verified_at_ms(path);

    /* A clock that was set back makes nothing wait for ever. */
    bool recent = at_ms > round->before_ms && at_ms <= clock_wall_ms();

    if ((recent && verified_since_boot(path)) || round->count == MAX_DUE)
        return;
    round->items =
        xreallocarray(round->items, round->count + 1, sizeof(*round->items));
    round->items[round->count].path = xstrdup(path);
    round->items[round->count++].at_ms = at_ms;
}

static int by_time(const void *a, const void *b)
{
    const struct due *x = a;
    const struct due *y = b;

    return (x->at_ms > y->at_ms) - (x->at_ms < y->at_ms);
}

static bool is_good(const struct cache_entry *entry, uint64_t *out_bytes)
{
    CLEANUP(mem) char *path = xasprintf("%s/" CACHE_ROOT, entry->path);
    CLEANUP(fd)
    int root = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct seal seal = {.max_bytes = UINT64_MAX};
    struct err ignored;
    bool read = root >= 0 && seal_read(root, &seal, &ignored) == 0;

    *out_bytes = seal.bytes;
    return verified_judge(entry, read ? seal.digest : NULL);
}

/* How many bytes that took. */
static uint64_t look_at(struct cache *cache, const char *path,
                        struct check_count *count)
{
    struct cache_entry entry = {.path = xstrdup(path)};
    uint64_t bytes = 0;
    struct err ignored;

    entry.lock = cache_hold(path, LOCK_SH);
    if (entry.lock >= 0)
        entry.meta = cache_read_meta(path);
    /* Gone meanwhile, or of a kind without a digest. */
    if (json_object_get(entry.meta, "digest") &&
        verified_try(path, &ignored) == 0) {
        count->read++;
        if (!is_good(&entry, &bytes)) {
            count->damaged++;
            cache_condemn(cache, &entry);
        }
    }
    cache_entry_release(&entry);
    return bytes;
}

void cache_check(struct cache *cache, const struct check_limits *limits,
                 struct check_count *out_count)
{
    struct round round = {.before_ms = clock_wall_ms() - limits->every_ms};
    int64_t until = clock_mono_ms() + limits->ms;
    struct check_count count = {0, 0};
    uint64_t bytes = 0;

    cache_each(cache, add_due, &round);
    if (round.count)
        qsort(round.items, round.count, sizeof(*round.items), by_time);
    for (size_t i = 0; i < round.count; i++) {
        if (bytes < limits->bytes && clock_mono_ms() < until)
            bytes += look_at(cache, round.items[i].path, &count);
        free(round.items[i].path);
    }
    free(round.items);
    *out_count = count;
}
