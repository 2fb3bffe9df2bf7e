/* cli/webhooks.c - the webhooks of a scheduler, as they are configured. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/webhooks.h"

#include "base/log.h"
#include "base/strbuf.h"
#include "cli/secret_source.h"
#include "cli/settings.h"

#include <stdlib.h>
#include <string.h>

#define SECRET_MAX_BYTES 1024
#define ANSWER_MS        8000 /* hosts wait for 10 s */

/* What one host has, with what it borrows. */
struct host {
    struct webhook_host host;
    struct webhook_secret *secrets; /* owned */
    struct strv texts;              /* values, scopes and names; owned */
};

struct webhooks {
    struct webhook *webhook; /* owned */
    struct host github, gitlab, gitea;
};

/* Where the item without its scope begins; NULL: it is none. */
static const char *source_of(const char *item)
{
    size_t scope = strcspn(item, "@:");
    const char *source = item[scope] == '@' ? item + scope + 1 : item;

    if (source == item + 1)
        return NULL;
    if (!strncmp(source, "file:/", 6) ||
        (!strncmp(source, "env:", 4) && source[4]))
        return source;
    return NULL;
}

int webhook_secret_item_check(const char *item, struct err *err)
{
    if (!source_of(item))
        return err_set(err, ERR_USER,
                       "a secret is file:/PATH or env:NAME, with OWNER@ or "
                       "OWNER/NAME@ in front or not");
    return 0;
}

static int add_secret(struct host *host, const char *item, struct err *err)
{
    struct strbuf value = STRBUF_MAX(SECRET_MAX_BYTES);
    const char *source = source_of(item);
    struct webhook_secret *secret = &host->secrets[host->host.secrets.count];
    int rc = secret_source_read(source, &value, err);

    if (rc == 0) {
        strv_add(&host->texts, value.data);
        secret->value = host->texts.items[host->texts.count - 1];
        secret->name = item;
        if (source != item) {
            CLEANUP(mem)
            char *scope = xstrndup(item, (size_t)(source - item) - 1);

            strv_add(&host->texts, scope);
            secret->scope = host->texts.items[host->texts.count - 1];
        }
        rc = webhook_secret_check(secret, err);
        host->host.secrets.count++;
    }
    mem_wipe(value.data, value.len);
    strbuf_clear(&value);
    return rc < 0 ? err_wrap(err, "the webhook secret '%s'", item) : 0;
}

static int open_host(struct host *host, const char *url,
                     const struct strv *items, struct err *err)
{
    if (items->count > WEBHOOK_MAX_SECRETS)
        return err_set(err, ERR_USER,
                       "a Git host has %d webhook secrets at "
                       "most",
                       WEBHOOK_MAX_SECRETS);
    if (items->count && !*url)
        return err_set(err, ERR_USER, "webhooks.gitea_url is missing");
    host->secrets = xcalloc(items->count + 1, sizeof(*host->secrets));
    host->host.base_url = url;
    host->host.secrets.items = host->secrets;
    for (size_t i = 0; i < items->count; i++)
        if (add_secret(host, items->items[i], err) < 0)
            return -1;
    return 0;
}

static const struct webhook_host *taken(const struct host *host)
{
    return host->host.secrets.count ? &host->host : NULL;
}

int webhooks_open(const struct settings *settings, struct loop *loop,
                  struct queue *queue, struct webhooks **out_webhooks,
                  struct err *err)
{
    CLEANUP(webhooks) struct webhooks *w = xcalloc(1, sizeof(*w));
    struct webhook_options options = {
        .loop = loop,
        .queue = queue,
        .listen = settings->webhooks.listen,
        .limits = {.keep_ms = settings->webhooks.keep_ms,
                   .budget_bytes = (uint64_t)settings->webhooks.budget_bytes},
        .max_rate = (unsigned)settings->webhooks.max_rate,
        .answer_ms = ANSWER_MS};

    if (!*settings->webhooks.listen) {
        *out_webhooks = NULL;
        return 0;
    }
    if (open_host(&w->github, settings->webhooks.github_url,
                  &settings->webhooks.github_secrets, err) < 0 ||
        open_host(&w->gitlab, settings->webhooks.gitlab_url,
                  &settings->webhooks.gitlab_secrets, err) < 0 ||
        open_host(&w->gitea, settings->webhooks.gitea_url,
                  &settings->webhooks.gitea_secrets, err) < 0)
        return -1;
    options.github = taken(&w->github);
    options.gitlab = taken(&w->gitlab);
    options.gitea = taken(&w->gitea);
    if (webhook_new(&options, &w->webhook, err) < 0)
        return -1;
    log_info("webhooks are taken on port %u", webhook_port(w->webhook));
    *out_webhooks = STEAL(w);
    return 0;
}

static void host_clear(struct host *host)
{
    for (size_t i = 0; i < host->texts.count; i++)
        mem_wipe(host->texts.items[i], strlen(host->texts.items[i]));
    strv_clear(&host->texts);
    free(host->secrets);
}

void webhooks_free(struct webhooks *w)
{
    if (!w)
        return;
    webhook_free(w->webhook);
    host_clear(&w->github);
    host_clear(&w->gitlab);
    host_clear(&w->gitea);
    free(w);
}
