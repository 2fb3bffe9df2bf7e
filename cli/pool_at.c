/* cli/pool_at.c - which pool a command is about, and on which Redis. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/pool_at.h"

#include "cli/embedded.h"

#include <stdlib.h>
#include <string.h>

int pool_at_find(struct pool_at *at, const struct pool_at_options *options,
                 int *out_status, struct err *err)
{
    const char *given = options->redis;

    *out_status = OPTIONS_USAGE;
    if (settings_get(&options->settings, NULL, &at->settings, err) < 0)
        return -1;
    at->pool = options->pool ? options->pool : at->settings->pool.name;
    if (!given && *at->settings->redis.url)
        given = at->settings->redis.url;
    at->embedded = !given;
    at->url = given ? xstrdup(given) : embedded_find(at->settings->state_dir);
    if (at->url)
        return 0;
    *out_status = POOL_AT_NO_REDIS;
    return err_set(err, ERR_USER,
                   "no Redis is configured, and no berth runs one in '%s': "
                   "name it with --redis URL or BERTH_REDIS",
                   at->settings->state_dir);
}

void pool_at_clear(struct pool_at *at)
{
    if (at->url)
        mem_wipe(at->url, strlen(at->url));
    free(STEAL(at->url));
    settings_free(STEAL(at->settings));
}

struct queue_options pool_at_queue(const struct pool_at *at)
{
    const struct settings *s = at->settings;

    return (struct queue_options){
        .url = at->url,
        .pool = at->pool,
        .max_instances = (unsigned)s->pool.max_instances,
        .lease_ms = (uint32_t)s->lease.duration_ms,
        .kill_grace_ms = (uint32_t)s->lease.kill_grace_ms,
        .wait_replicas = (uint32_t)s->redis.wait_replicas,
        .wait_ms = (uint32_t)s->redis.wait_timeout_ms,
    };
}
