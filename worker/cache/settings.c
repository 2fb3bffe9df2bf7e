/* worker/cache/settings.c - where this host keeps its cache, and how much. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/cache/settings.h"

#include "base/state.h"
#include "base/units.h"

#include <stdlib.h>
#include <unistd.h>

void cache_settings_read(struct cache_settings *out_settings)
{
    const char *bytes = getenv(CACHE_BYTES_VARIABLE);
    const char *keep = getenv(CACHE_KEEP_VARIABLE);
    const char *entry = getenv(CACHE_ENTRY_VARIABLE);
    struct err ignored;

    if (!bytes || size_parse(bytes, &out_settings->bytes, &ignored) < 0)
        out_settings->bytes = CACHE_BYTES_DEFAULT;
    if (!keep || duration_parse(keep, &out_settings->keep_ms, &ignored) < 0)
        out_settings->keep_ms = CACHE_KEEP_DEFAULT_MS;
    if (!entry || size_parse(entry, &out_settings->entry_bytes, &ignored) < 0)
        out_settings->entry_bytes = CACHE_ENTRY_DEFAULT;
}

struct cache *cache_open_ours(const struct cache_settings *settings,
                              struct err *err)
{
    const char *given = getenv(CACHE_DIR_VARIABLE);
    CLEANUP(mem) char *dir = NULL;
    struct cache *cache = NULL;

    if (!settings->bytes)
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
