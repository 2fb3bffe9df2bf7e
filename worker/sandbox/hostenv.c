/* worker/sandbox/hostenv.c - the environment that a sandbox's host implies. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/hostenv.h"

#include "base/fd.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NPMRC_MAX ((size_t)64 << 10)

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

static const char *const registry_variables[] = {
    "npm_config_registry",
    "NPM_CONFIG_REGISTRY",
};

static const char *const proxy_variables[] = {
    "http_proxy",  "https_proxy", "no_proxy",         "HTTP_PROXY",
    "HTTPS_PROXY", "NO_PROXY",    "npm_config_proxy", "npm_config_https_proxy",
};

#define STRING_OF(number) #number
#define PROXY_AT(port)    "http://127.0.0.1:" STRING_OF(port)
#define PROXY             PROXY_AT(SANDBOX_PROXY_PORT)
#define INSIDE            "localhost,127.0.0.1,::1"

static const char *const gateway_variables[][2] = {
    {"http_proxy", PROXY},          {"https_proxy", PROXY},
    {"no_proxy", INSIDE},           {"HTTP_PROXY", PROXY},
    {"HTTPS_PROXY", PROXY},         {"NO_PROXY", INSIDE},
    {"npm_config_proxy", PROXY},    {"npm_config_https_proxy", PROXY},
    {"npm_config_noproxy", INSIDE}, {"NODE_USE_ENV_PROXY", "1"},
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

static void pass_on(const char *const *names, size_t count, struct hostenv *out)
{
    for (size_t i = 0; i < count; i++) {
        const char *value = getenv(names[i]);

        if (value && *value && !strchr(value, '@'))
            strv_setenv(&out->env, names[i], value);
    }
}

void hostenv_fill(const char *image, enum sandbox_network network,
                  struct hostenv *out)
{
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
        strv_add(&out->env, fixed[i]);
    for (size_t i = 0; i < ARRAY_LEN(trust_stores); i++)
        add_trust_store(image, trust_stores[i], out);
    if (network != SANDBOX_NETWORK_NONE)
        pass_on(registry_variables, ARRAY_LEN(registry_variables), out);
    if (network == SANDBOX_NETWORK_FULL)
        pass_on(proxy_variables, ARRAY_LEN(proxy_variables), out);
    for (size_t i = 0;
         network == SANDBOX_NETWORK_HOSTS && i < ARRAY_LEN(gateway_variables);
         i++)
        strv_setenv(&out->env, gateway_variables[i][0],
                    gateway_variables[i][1]);
}

/* The value of `registry` in a configuration of npm, or NULL. */
static char *registry_of(const char *file)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    char *save = NULL;

    if (file_read(file, NPMRC_MAX, &text, NULL) < 0)
        return NULL;
    for (char *line = strtok_r(text.data, "\r\n", &save); line;
         line = strtok_r(NULL, "\r\n", &save)) {
        line += strspn(line, " \t");
        if (strncmp(line, "registry", 8) != 0)
            continue;
        line += 8 + strspn(line + 8, " \t");
        if (*line == '=')
            return xstrdup(line + 1 + strspn(line + 1, " \t\""));
    }
    return NULL;
}

char *hostenv_npm_registry(const char *image)
{
    static const char *const files[] = {
        "/usr/etc/npmrc", "/usr/local/etc/npmrc",
        "/usr/lib/node_modules/npm/npmrc",
        "/usr/local/lib/node_modules/npm/npmrc", "/usr/share/nodejs/npm/npmrc"};

    for (size_t i = 0; i < ARRAY_LEN(registry_variables); i++) {
        const char *value = getenv(registry_variables[i]);

        if (value && *value && !strchr(value, '@'))
            return xstrdup(value);
    }
    for (size_t i = 0; !strcmp(image, "host") && i < ARRAY_LEN(files); i++) {
        char *value = registry_of(files[i]);

        if (value)
            return value;
    }
    return xstrdup("https://registry.npmjs.org/");
}

void hostenv_clear(struct hostenv *hostenv)
{
    strv_clear(&hostenv->env);
    strv_clear(&hostenv->sources);
    strv_clear(&hostenv->targets);
}
