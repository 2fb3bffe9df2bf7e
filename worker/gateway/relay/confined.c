/* worker/gateway/relay/confined.c - give up what a relay does not need. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/gateway/relay/confined.h"

#include "base/confine_network.h"

#include <stdlib.h>

#define MEMORY_MAX ((uint64_t)4 << 30) /* each thread reserves much of it */

int confined(uid_t uid, struct err *err)
{
    return confine_network(uid, MEMORY_MAX, true, err);
}

static void list_files(const struct relay_setup *setup, struct strv *out)
{
    static const char *const always[] = {
        "/etc/gai.conf",        "/etc/ssl", "/etc/pki/tls", "/etc/pki/ca-trust",
        "/etc/ca-certificates",
    };
    static const char *const named[] = {"SSL_CERT_FILE", "SSL_CERT_DIR"};

    for (size_t i = 0; i < ARRAY_LEN(always); i++)
        strv_add(out, always[i]);
    for (size_t i = 0; i < ARRAY_LEN(named); i++) {
        const char *path = getenv(named[i]);

        if (path && *path == '/')
            strv_add(out, path);
    }
    for (size_t i = 0; i < setup->count; i++)
        if (setup->models[i].ca)
            strv_add(out, setup->models[i].ca);
}

int confined_rest(const struct relay_setup *setup, struct err *err)
{
    CLEANUP(strv) struct strv reads = {0};

    list_files(setup, &reads);
    return confine_network_rest(&reads, true, err);
}
