/* cli/hosts.c - the Git hosts that a scheduler asks, as they are configured. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/hosts.h"

#include "cli/secret_source.h"
#include "cli/settings.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECRET_MAX_BYTES 32768 /* a key as PEM, and more than any token */

/* What one host has in the settings; all borrowed. */
struct host_settings {
    enum forge_kind kind;
    const char *name; /* of its keys */
    const char *base_url;
    const char *api_url, *ca, *token, *app, *app_key;
};

static struct host_settings settings_of(const struct settings *s,
                                        enum forge_kind kind)
{
    struct host_settings out = {.kind = kind, .name = forge_name(kind)};

    if (kind == FORGE_GITHUB) {
        out.base_url = s->webhooks.github_url;
        out.api_url = s->github.api_url;
        out.ca = s->github.ca;
        out.token = s->github.token;
        out.app = s->github.app;
        out.app_key = s->github.app_key;
        return out;
    }
    out.app = out.app_key = "";
    out.base_url =
        kind == FORGE_GITLAB ? s->webhooks.gitlab_url : s->webhooks.gitea_url;
    out.api_url = kind == FORGE_GITLAB ? s->gitlab.api_url : s->gitea.api_url;
    out.ca = kind == FORGE_GITLAB ? s->gitlab.ca : s->gitea.ca;
    out.token = kind == FORGE_GITLAB ? s->gitlab.token : s->gitea.token;
    return out;
}

/* The key at fault is named here, as forge_new() does not know keys. */
static int check(const struct host_settings *host, struct err *err)
{
    if (*host->app && *host->token)
        return err_set(err, ERR_USER,
                       "%s.app and %s.token: either an App or a token, not "
                       "both",
                       host->name, host->name);
    if (*host->app && !*host->app_key)
        return err_set(err, ERR_USER, "%s.app_key is missing: %s.app needs it",
                       host->name, host->name);
    if (*host->app_key && !*host->app)
        return err_set(err, ERR_USER, "%s.app is missing: %s.app_key is its",
                       host->name, host->name);
    if (!*host->base_url && (*host->token || *host->app || *host->api_url))
        return err_set(err, ERR_USER,
                       "webhooks.%s_url is missing: %s.… needs it", host->name,
                       host->name);
    if (*host->ca && access(host->ca, R_OK) < 0)
        return err_sys(err, ERR_USER, "%s.ca: cannot read '%.200s'", host->name,
                       host->ca);
    return 0;
}

static int read_secret(const struct host_settings *host, const char *key,
                       const char *source, struct strbuf *out, struct err *err)
{
    if (!*source)
        return 0;
    if (secret_source_read(source, out, err) < 0)
        return err_wrap(err, "%s.%s", host->name, key);
    if (!out->len)
        return err_set(err, ERR_USER, "%s.%s: it is empty", host->name, key);
    return 0;
}

static int open_host(const struct settings *settings, struct loop *loop,
                     enum forge_kind kind, struct forge **out_forge,
                     struct err *err)
{
    const struct host_settings host = settings_of(settings, kind);
    struct strbuf token = STRBUF_MAX(SECRET_MAX_BYTES);
    struct strbuf key = STRBUF_MAX(SECRET_MAX_BYTES);
    struct forge_options options = {.loop = loop,
                                    .kind = kind,
                                    .base_url = host.base_url,
                                    .api_url = host.api_url,
                                    .ca = host.ca,
                                    .app = host.app,
                                    .gap_ms = settings->report.gap_ms};
    int rc = check(&host, err);

    if (rc == 0)
        rc = read_secret(&host, "token", host.token, &token, err);
    if (rc == 0)
        rc = read_secret(&host, "app_key", host.app_key, &key, err);
    if (rc == 0 && *host.base_url) {
        options.token = token.data;
        options.app_key = key.data;
        rc = forge_new(&options, out_forge, err);
        if (rc < 0)
            rc = err_wrap(err, "%s.%s", host.name,
                          *host.app ? "app, app_key" : "token");
    }
    mem_wipe(token.data, token.len);
    mem_wipe(key.data, key.len);
    strbuf_clear(&token);
    strbuf_clear(&key);
    return rc;
}

int hosts_open(const struct settings *settings, struct loop *loop,
               struct hosts **out_hosts, struct err *err)
{
    CLEANUP(hosts) struct hosts *hosts = xcalloc(1, sizeof(*hosts));

    if (open_host(settings, loop, FORGE_GITHUB, &hosts->github, err) < 0 ||
        open_host(settings, loop, FORGE_GITLAB, &hosts->gitlab, err) < 0 ||
        open_host(settings, loop, FORGE_GITEA, &hosts->gitea, err) < 0)
        return -1;
    *out_hosts = STEAL(hosts);
    return 0;
}

void hosts_free(struct hosts *hosts)
{
    if (!hosts)
        return;
    forge_free(hosts->github);
    forge_free(hosts->gitlab);
    forge_free(hosts->gitea);
    free(hosts);
}

struct forge *hosts_get(const struct hosts *hosts, enum forge_kind kind)
{
    switch (kind) {
    case FORGE_GITHUB:
        return hosts->github;
    case FORGE_GITLAB:
        return hosts->gitlab;
    case FORGE_GITEA:
        return hosts->gitea;
    case FORGE_NONE:
    default:
        return NULL;
    }
}
