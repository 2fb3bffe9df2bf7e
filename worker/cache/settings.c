/* worker/cache/settings.c - where this host keeps its cache, and how much. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/cache/settings.h"

#include "base/state.h"

#include <stdlib.h>
#include <unistd.h>

static int64_t number_of(const char *name, int64_t otherwise)
{
    const char *text = getenv(name);
    char *end;
    long long value;

    if (!text || !*text)
        return otherwise;
    value = strtoll(text, &end, 10);
    return *end || value < 0 ? otherwise : value;
}

void cache_settings_read(struct cache_settings *out_settings)
{
    out_settings->bytes =
        (uint64_t)number_of(CACHE_BYTES_VARIABLE, (int64_t)CACHE_BYTES_DEFAULT);
    out_settings->keep_ms =
        number_of(CACHE_KEEP_VARIABLE, CACHE_KEEP_DEFAULT_MS);
}

struct cache *cache_open_ours(const struct cache_settings *settings,
                              struct err *err)
{
    const char *given = getenv(CACHE_DIR_VARIABLE);
    CLEANUP(mem) char *dir = NULL;
    struct cache *cache = NULL;

    if (geteuid() != 0 || !settings->bytes)
        return NULL;
    if (given && *given)
        dir = xstrdup(given);
    else if (state_subdir("cache", 0711, &dir, err) < 0)
        return NULL;
    return cache_open(dir, &cache, err) < 0 ? NULL : cache;
}

void cache_tidy(void)
{
    struct cache_settings settings;
    struct err ignored;
    CLEANUP(cache) struct cache *cache = NULL;

    cache_settings_read(&settings);
    cache = cache_open_ours(&settings, &ignored);
    if (cache)
        cache_trim(cache, &settings);
}
