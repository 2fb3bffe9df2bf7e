/* worker/sandbox/hostenv.c - the environment that a sandbox's host implies. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/hostenv.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const fixed[] = {
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ("HOME=" SANDBOX_HOME), /* clang wants it so */
    "USER=berth",
    "LOGNAME=berth",
    "SHELL=/bin/sh",
    "LANG=C.UTF-8",
    "TMPDIR=/tmp",
};

/* Each names one file or one directory of certificates. */
static const char *const trust_stores[] = {
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH",
    "REQUESTS_CA_BUNDLE",
    "PIP_CERT",
    "AWS_CA_BUNDLE",
    "CARGO_HTTP_CAINFO",
    "NIX_SSL_CERT_FILE",
    "HTTPLIB2_CA_CERTS",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
    "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE",
    "npm_config_cafile",
    "NPM_CONFIG_CAFILE",
};

static const char *const network_variables[] = {
    "npm_config_registry",
    "NPM_CONFIG_REGISTRY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "npm_config_proxy",
    "npm_config_https_proxy",
};

/* What image `host` shows at the same place anyway (rootfs_host.c). */
static bool is_there(const char *image, const char *path)
{
    static const char *const places[] = {"/usr/", "/etc/ssl/certs"};

    if (strcmp(image, "host") != 0 || strstr(path, "/../"))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(places); i++)
        if (strncmp(path, places[i], strlen(places[i])) == 0)
            return true;
    return false;
}

/* Where `path` is inside; several variables often name one file. */
static const char *place(struct hostenv *out, const char *path)
{
    for (size_t i = 0; i < out->sources.count; i++)
        if (strcmp(out->sources.items[i], path) == 0)
            return out->targets.items[i];
    strv_add(&out->sources, path);
    strv_addf(&out->targets, "/.berth/ca/%zu", out->targets.count);
    return out->targets.items[out->targets.count - 1];
}

static void add_trust_store(const char *image, const char *name,
                            struct hostenv *out)
{
    const char *path = getenv(name);

    if (!path || path[0] != '/' || strlen(path) >= PATH_MAX ||
        access(path, R_OK) < 0)
        return;
    strv_setenv(&out->env, name,
                is_there(image, path) ? path : place(out, path));
}

void hostenv_fill(const char *image, enum sandbox_network network,
                  struct hostenv *out)
{
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
        strv_add(&out->env, fixed[i]);
    for (size_t i = 0; i < ARRAY_LEN(trust_stores); i++)
        add_trust_store(image, trust_stores[i], out);
    for (size_t i = 0; i < ARRAY_LEN(network_variables); i++) {
        const char *value = getenv(network_variables[i]);

        if (network != SANDBOX_NETWORK_NONE && value && *value &&
            !strchr(value, '@'))
            strv_setenv(&out->env, network_variables[i], value);
    }
}

void hostenv_clear(struct hostenv *hostenv)
{
    strv_clear(&hostenv->env);
    strv_clear(&hostenv->sources);
    strv_clear(&hostenv->targets);
}
