/* tests/fuzz/redis_url_fuzz.c - addresses of a Redis, of any bytes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/redis_link.h"
#include "base/redis_topology.h"
#include "base/redis_url.h"
#include "tests/fuzz/fuzz.h"

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
}

/* With a password an address has the name that it has without. */
static void check_secret(const struct redis_url *url, const char *text)
{
    CLEANUP(redis_url) struct redis_url *other = NULL;
    CLEANUP(mem) char *longer = NULL;
    size_t scheme = strspn(text, "redisuntlc+");

    if (url->password || strncmp(text + scheme, "://", 3) != 0)
        return;
    longer = xasprintf("%.*s://:SECRET%%2F@%s", (int)scheme, text,
                       text + scheme + 3);
    if (redis_url_parse(longer, &other, NULL) < 0)
        return; /* it is too long now */
    require(strcmp(other->password, "SECRET/") == 0);
    require(strcmp(other->name, url->name) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct redis_address here = {NULL, "here", 1};
    CLEANUP(redis_url) struct redis_url *url = NULL;
    CLEANUP(mem) char *text = fuzz_text(data, size);
    struct redis_address to;
    struct err err = {ERR_NONE, 0, ""};

    if (redis_url_parse(text, &url, &err) == 0) {
        check(url);
        check_secret(url, text);
    } else {
        require(err.kind == ERR_USER && *err.msg);
    }
    if (redis_topology_redirect(text, &here, &to))
        require(*to.host && to.port > 0 && to.port <= 65535);
    return 0;
}
