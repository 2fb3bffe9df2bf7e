/* base/redis_topology.c - which server of a Redis to talk to. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/redis_topology.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One dead sentinel must not use up the time of the others. */
#define MAX_SENTINEL_MS 1000

struct redis_topology {
    struct loop *loop;           /* borrowed */
    const struct redis_url *url; /* borrowed */
    struct redis_link_spec spec; /* of a link to a sentinel */
    size_t next;                 /* the host to begin with */
    struct redis_link *sentinel; /* owned; NULL: none is being asked */
    struct loop_source *limit;   /* borrowed; of its answer */
    size_t asked;                /* in this search */
    redis_topology_fn *fn;       /* of this search */
    void *arg;
};

static void ask(struct redis_topology *t, const struct err *last);

struct redis_topology *redis_topology_new(struct loop *loop,
                                          const struct redis_url *url,
                                          const struct redis_link_spec *spec)
{
    struct redis_topology *t = xcalloc(1, sizeof(*t));

    t->loop = loop;
    t->url = url;
    t->spec = (struct redis_link_spec){
        .tls = spec->tls,
        .user = url->sentinel_user,
        .password = url->sentinel_password,
        .timeout_ms = spec->timeout_ms < MAX_SENTINEL_MS ? spec->timeout_ms
                                                         : MAX_SENTINEL_MS,
        .max_reply_bytes = spec->max_reply_bytes,
    };
    return t;
}

static void hang_up(struct redis_topology *t)
{
    loop_remove(STEAL(t->limit));
    redis_link_free(STEAL(t->sentinel));
}

void redis_topology_free(struct redis_topology *t)
{
    if (!t)
        return;
    hang_up(t);
    free(t);
}

static bool set_address(struct redis_address *address, const char *host,
                        size_t host_len, const char *port)
{
    char *end;
    long number = strtol(port, &end, 10);

    if (host_len == 0 || host_len >= sizeof(address->host) || end == port ||
        *end || number < 1 || number > 65535)
        return false;
    memset(address, 0, sizeof(*address));
    memcpy(address->host, host, host_len);
    address->port = (int)number;
    return true;
}

/* ---- sentinels ---------------------------------------------------------- */

static void next_sentinel(struct redis_topology *t, const struct err *err)
{
    struct err last = *err;

    hang_up(t);
    (void)err_wrap(&last, "sentinel %s:%d", t->url->hosts[t->next].host,
                   t->url->hosts[t->next].port);
    redis_topology_reject(t);
    ask(t, &last);
}

static void on_limit(void *arg);

static void on_ready(void *arg)
{
    struct redis_topology *t = arg;
    const char *const words[] = {"SENTINEL", "GET-MASTER-ADDR-BY-NAME",
                                 t->url->master};
    struct redis_call *call =
        redis_call_new(&(struct redis_words){words, NULL, ARRAY_LEN(words)});

    redis_link_send(t->sentinel, call->wire, call->len, NULL);
    redis_call_free(call);
    t->limit = loop_add_timer(t->loop, clock_mono_ms() + t->spec.timeout_ms,
                              on_limit, t);
}

static const char *text_of(const redisReply *reply, size_t i)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements <= i ||
        reply->element[i]->type != REDIS_REPLY_STRING)
        return NULL;
    return reply->element[i]->str;
}

static void on_reply(void *arg, void *token UNUSED, redisReply *reply)
{
    struct redis_topology *t = arg;
    const char *host = text_of(reply, 0);
    const char *port = text_of(reply, 1);
    struct redis_address address;
    struct err err;

    if (host && port && set_address(&address, host, strlen(host), port)) {
        hang_up(t);
        t->fn(t->arg, &address, NULL);
        return;
    }
    if (reply->type == REDIS_REPLY_ERROR)
        (void)err_set(&err, ERR_USER, "%.200s", reply->str);
    else
        (void)err_set(&err, ERR_TRANSIENT, "it knows no master '%.100s'",
                      t->url->master);
    next_sentinel(t, &err);
}

static void on_down(void *arg, const struct err *err)
{
    next_sentinel(arg, err);
}

static void on_limit(void *arg)
{
    struct redis_topology *t = arg;
    struct err err;

    t->limit = NULL;
    (void)err_set(&err, ERR_TRANSIENT, "no answer in time");
    next_sentinel(t, &err);
}

static const struct redis_link_calls sentinel_calls = {on_ready, on_reply,
                                                       on_down};

/* Ask one; `last` is why the one before was no good. */
static void ask(struct redis_topology *t, const struct err *last)
{
    struct redis_address address = {.path = NULL};
    struct err err = *last;

    while (t->asked++ < t->url->host_count) {
        const struct redis_host *host = &t->url->hosts[t->next];

        (void)snprintf(address.host, sizeof(address.host), "%s", host->host);
        address.port = host->port;
        if (redis_link_open(t->loop, &address, &t->spec, &sentinel_calls, t,
                            &t->sentinel, &err) == 0)
            return;
        (void)err_wrap(&err, "sentinel %s:%d", host->host, host->port);
        redis_topology_reject(t);
    }
    t->fn(t->arg, NULL, &err);
}

/* ---- all kinds ---------------------------------------------------------- */

void redis_topology_find(struct redis_topology *t, redis_topology_fn *fn,
                         void *arg)
{
    static const struct err none = {ERR_TRANSIENT, 0, "no sentinel answers"};
    struct redis_address address = {.path = t->url->path};

    if (t->url->kind == REDIS_SENTINEL) {
        t->fn = fn;
        t->arg = arg;
        t->asked = 0;
        ask(t, &none);
        return;
    }
    if (!address.path) {
        (void)snprintf(address.host, sizeof(address.host), "%s",
                       t->url->hosts[t->next].host);
        address.port = t->url->hosts[t->next].port;
    }
    fn(arg, &address, NULL);
}

void redis_topology_reject(struct redis_topology *t)
{
    if (t->url->host_count)
        t->next = (t->next + 1) % t->url->host_count;
}

size_t redis_topology_size(const struct redis_topology *t)
{
    return t->url->kind == REDIS_CLUSTER ? t->url->host_count : 1;
}

bool redis_topology_redirect(const char *reply,
                             const struct redis_address *here,
                             struct redis_address *out)
{
    const char *host = strchr(reply, ' ');
    const char *colon = strrchr(reply, ':');

    host = host ? strchr(host + 1, ' ') : NULL;
    if (!host || !colon || colon <= host)
        return false;
    host++;
    if (colon == host)
        return set_address(out, here->host, strlen(here->host), colon + 1);
    return set_address(out, host, (size_t)(colon - host), colon + 1);
}

bool redis_address_same(const struct redis_address *a,
                        const struct redis_address *b)
{
    return !a->path && !b->path && a->port == b->port &&
           strcmp(a->host, b->host) == 0;
}
