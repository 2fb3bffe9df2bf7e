/* tests/fuzz/redis_url_fuzz.c - addresses of a Redis, of any bytes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/redis_link.h"
#include "base/redis_topology.h"
#include "base/redis_url.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void check(const struct redis_url *url)
{
    require(!url->path == (url->host_count > 0));
    require(url->host_count <= REDIS_MAX_HOSTS);
    for (size_t i = 0; i < url->host_count; i++) {
        size_t len = strlen(url->hosts[i].host);

        require(len > 0 && len <= REDIS_MAX_HOST);
        require(url->hosts[i].port > 0 && url->hosts[i].port <= 65535);
    }
    require(url->db >= 0 && url->db <= 65535);
    require((url->kind == REDIS_SENTINEL) == (url->master != NULL));
    require(url->kind != REDIS_CLUSTER || url->db == 0);
    require(!url->cert == !url->key);
    require(url->name && strlen(url->name) <= 300);
    /* No letter, digit or escape of a password so long comes by chance. */
    if (url->password && strncmp(url->password, "SECRETS", 7) == 0)
        require(!strstr(url->name, url->password));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct redis_address here = {NULL, "here", 1};
    CLEANUP(redis_url) struct redis_url *url = NULL;
    CLEANUP(mem) char *text = xmalloc(size + 1);
    struct redis_address to;
    struct err err = {ERR_NONE, 0, ""};

    memcpy(text, data, size);
    text[size] = '\0';
    if (redis_url_parse(text, &url, &err) == 0)
        check(url);
    else
        require(err.kind == ERR_USER && *err.msg);
    if (redis_topology_redirect(text, &here, &to))
        require(*to.host && to.port > 0 && to.port <= 65535);
    return 0;
}
