/* scheduler/intake/webhook.c - where Git hosts send what happened. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/intake/webhook.h"

#include "base/clock.h"
#include "base/host_rule.h"
#include "scheduler/intake/webhook_impl.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define IDLE_S ((unsigned)10)
/* Of a connection's head, and what MHD needs besides. */
#define HEAD_BYTES ((size_t)32 << 10)

/* ---- the loop --------------------------------------------------------------
 */

static void on_timer(void *arg);

/* Its own time limits: MHD says when it wants to look at them. */
static void set_timer(struct webhook *w)
{
    MHD_UNSIGNED_LONG_LONG wait_ms = 0;

    loop_remove(w->timer);
    w->timer = NULL;
    if (MHD_get_timeout(w->daemon, &wait_ms) == MHD_YES)
        w->timer = loop_add_timer(
            w->options.loop, clock_mono_ms() + (int64_t)wait_ms, on_timer, w);
}

static void run(struct webhook *w)
{
    (void)MHD_run(w->daemon);
    set_timer(w);
}

static void on_timer(void *arg)
{
    struct webhook *w = arg;

    w->timer = NULL;
    run(w);
}

static void on_ready(void *arg, uint32_t events UNUSED)
{
    run(arg);
}

void webhook_turn(struct webhook *w)
{
    loop_remove(w->timer);
    w->timer = loop_add_timer(w->options.loop, clock_mono_ms(), on_timer, w);
}

/* ---- listening -------------------------------------------------------------
 */

int webhook_address(const char *listen, struct sockaddr_storage *out,
                    struct err *err)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    struct sockaddr_in in = {.sin_family = AF_INET};
    const char *colon = strrchr(listen, ':');
    CLEANUP(mem) char *host = NULL;
    size_t len = colon ? (size_t)(colon - listen) : 0;
    bool in_brackets = len > 2 && *listen == '[' && listen[len - 1] == ']';
    uint16_t port = 0;

    if (!colon || (strcmp(colon, ":0") != 0 &&
                   host_port_parse(colon, strlen(colon), &port, NULL) < 0))
        return err_set(err, ERR_USER, "'%.80s' is not ADDRESS:PORT", listen);
    host = in_brackets ? xstrndup(listen + 1, len - 2) : xstrndup(listen, len);
    in.sin_port = in6.sin6_port = htons(port);
    if (!in_brackets && inet_pton(AF_INET, host, &in.sin_addr) == 1)
        memcpy(out, &in, sizeof(in));
    else if (in_brackets && inet_pton(AF_INET6, host, &in6.sin6_addr) == 1)
        memcpy(out, &in6, sizeof(in6));
    else
        return err_set(err, ERR_USER,
                       "'%.80s' has no address like 127.0.0.1 or [::1] in "
                       "front of its port",
                       listen);
    return 0;
}

static struct MHD_Daemon *start(struct webhook *w,
                                const struct sockaddr_storage *address)
{
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME;

    if (address->ss_family == AF_INET6)
        flags |= MHD_USE_IPv6;
    return MHD_start_daemon(
        flags, 0, NULL, NULL, webhook_on_request, w, MHD_OPTION_SOCK_ADDR,
        (const struct sockaddr *)address, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)WEBHOOK_MAX_CONNECTIONS, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        (unsigned)WEBHOOK_MAX_PER_ADDRESS, MHD_OPTION_CONNECTION_TIMEOUT,
        IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, HEAD_BYTES,
        MHD_OPTION_NOTIFY_CONNECTION, webhook_on_connection, w, MHD_OPTION_END);
}

static int watch(struct webhook *w, struct err *err)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(w->daemon, MHD_DAEMON_INFO_BIND_PORT);

    if (info)
        w->port = info->port;
    info = MHD_get_daemon_info(w->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (!info)
        return err_set(err, ERR_BUG, "libmicrohttpd has no epoll");
    return loop_add_fd(w->options.loop, info->epoll_fd, EPOLLIN, on_ready, w,
                       &w->source, err);
}

int webhook_new(const struct webhook_options *options,
                struct webhook **out_webhook, struct err *err)
{
    CLEANUP(webhook) struct webhook *w = xcalloc(1, sizeof(*w));
    struct sockaddr_storage address;

    TAILQ_INIT(&w->calls);
    w->options = *options;
    w->options.listen = NULL;
    w->rate = rate_new(options->max_rate);
    if (webhook_address(options->listen, &address, err) < 0)
        return err_wrap(err, "webhooks");
    w->daemon = start(w, &address);
    if (!w->daemon)
        return err_sys(err, ERR_USER, "cannot listen for webhooks on %s",
                       options->listen);
    if (watch(w, err) < 0)
        return err_wrap(err, "webhooks");
    set_timer(w);
    *out_webhook = STEAL(w);
    return 0;
}

uint16_t webhook_port(const struct webhook *webhook)
{
    return webhook->port;
}

void webhook_free(struct webhook *w)
{
    struct webhook_call *call;

    if (!w)
        return;
    /* It does not end while something is suspended. */
    TAILQ_FOREACH (call, &w->calls, link) {
        if (call->suspended)
            MHD_resume_connection(call->connection);
        call->suspended = false;
        call->asked = false; /* by queue_free() */
    }
    loop_remove(w->source);
    if (w->daemon)
        MHD_stop_daemon(w->daemon);
    /* Those whose client did not wait for Redis. */
    while ((call = TAILQ_FIRST(&w->calls)))
        webhook_call_free(call);
    loop_remove(w->timer);
    rate_free(w->rate);
    free(w);
}
