/* worker/gateway/server.c - the listener of a sandbox, and its connections. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/gateway/server.h"

#include "base/clock.h"
#include "base/fd.h"
#include "worker/gateway/connection.h"
#include "worker/gateway/protocol.h"
#include "worker/gateway/resolver.h"
#include "worker/gateway/stream.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

#define PENDING_MAX ((size_t)1 << 20) /* reports nobody has read */
#define PAUSE_MS    20
#define ACCEPTS     16 /* before others get their turn */

struct guest {
    LIST_ENTRY(guest) link;
    struct connection *connection; /* owned */
    struct server *server;
};

struct server {
    struct loop *loop; /* these four borrowed */
    const struct setup *setup;
    int listener;
    struct channel *up;
    struct resolver *resolver; /* owned, as the next */
    SSL_CTX *context;          /* NULL: not needed */
    struct loop_source *source, *timer;
    LIST_HEAD(, guest) guests;
    size_t guest_count;
    uint64_t bytes;
    double tokens; /* connections that may be taken at once */
    int64_t counted_ms;
};

/* ---- for connections ------------------------------------------------------
 */

static bool spend(void *arg, size_t bytes)
{
    struct guest *guest = arg;
    struct server *server = guest->server;
    struct guest *other;
    bool had = server->bytes < server->setup->max_bytes;

    server->bytes += bytes;
    if (server->bytes < server->setup->max_bytes)
        return true;
    LIST_FOREACH(other, &server->guests, link)
    {
        if (had && other != guest)
            connection_limit(other->connection);
    }
    return false;
}

static void on_accept(void *arg, uint32_t events);
static void resume(void *arg);

static void report(void *arg, const struct connection *connection)
{
    const struct guest *guest = arg;
    struct server *server = guest->server;
    json_t *doc = connection_report(connection);
    char *text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;

    if (text)
        channel_send(server->up, GATEWAY_FRAME_CONNECTION, 0, text,
                     strlen(text));
    free(text);
    json_decref(doc);
}

static void guest_free(struct guest *guest)
{
    if (guest->connection) {
        LIST_REMOVE(guest, link);
        guest->server->guest_count--;
    }
    connection_free(guest->connection);
    free(guest);
}

static void on_end(void *arg, struct connection *connection UNUSED)
{
    struct guest *guest = arg;
    struct server *server = guest->server;

    guest_free(guest);
    if (!server->timer)
        resume(server);
}

/* ---- taking them ----------------------------------------------------------
 */

static void take(struct server *server, int fd)
{
    struct guest *guest = xcalloc(1, sizeof(*guest));
    struct connection_spec spec = {
        .loop = server->loop,
        .resolver = server->resolver,
        .setup = server->setup,
        .context = server->context,
        .spend = spend,
        .on_report = report,
        .on_end = on_end,
        .arg = guest,
    };

    guest->server = server;
    if (connection_new(&spec, fd, &guest->connection, NULL) < 0) {
        free(guest);
        return;
    }
    LIST_INSERT_HEAD(&server->guests, guest, link);
    server->guest_count++;
}

static bool has_room(struct server *server)
{
    int64_t now = clock_mono_ms();
    double rate = (double)server->setup->max_rate;

    server->tokens += (double)(now - server->counted_ms) * rate / 1000;
    server->counted_ms = now;
    if (server->tokens > rate)
        server->tokens = rate;
    return server->guest_count < server->setup->max_connections &&
           server->tokens >= 1 && channel_pending(server->up) < PENDING_MAX;
}

/* What cannot be taken now waits in the kernel's queue. */
static void pause_taking(struct server *server)
{
    loop_set_events(server->source, 0);
    if (!server->timer)
        server->timer = loop_add_timer(server->loop, clock_mono_ms() + PAUSE_MS,
                                       resume, server);
}

static void resume(void *arg)
{
    struct server *server = arg;

    server->timer = NULL;
    if (has_room(server))
        loop_set_events(server->source, EPOLLIN);
    else
        pause_taking(server);
}

static void on_accept(void *arg, uint32_t events UNUSED)
{
    struct server *server = arg;

    for (int i = 0; i < ACCEPTS; i++) {
        int fd;

        if (!has_room(server)) {
            pause_taking(server);
            return;
        }
        fd =
            accept4(server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            server->tokens -= 1;
            take(server, fd);
            continue;
        }
        /* No descriptor to be had: later. */
        if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
            pause_taking(server);
        return;
    }
}

/* ---- the whole ------------------------------------------------------------
 */

/* At once: later its files cannot be read. */
static int make_context(struct server *server, struct err *err)
{
    const struct setup_injects *injects = &server->setup->injects;
    bool tls = server->setup->tls;

    for (size_t i = 0; i < injects->count; i++)
        tls |= injects->items[i].tls;
    return tls ? stream_context(&server->context, err) : 0;
}

int server_new(struct loop *loop, const struct setup *setup, int listener,
               struct channel *up, struct server **out_server, struct err *err)
{
    CLEANUP(server) struct server *server = xcalloc(1, sizeof(*server));

    server->loop = loop;
    server->setup = setup;
    server->listener = listener;
    server->up = up;
    server->counted_ms = clock_mono_ms();
    server->tokens = (double)setup->max_rate;
    LIST_INIT(&server->guests);
    if (fd_set_nonblock(listener, err) < 0 ||
        resolver_new(loop, &server->resolver, err) < 0 ||
        make_context(server, err) < 0 ||
        loop_add_fd(loop, listener, EPOLLIN, on_accept, server, &server->source,
                    err) < 0)
        return -1;
    *out_server = STEAL(server);
    return 0;
}

void server_hold(struct server *server, const struct setup_injects *next)
{
    struct guest *guest;

    LIST_FOREACH(guest, &server->guests, link)
    {
        connection_hold(guest->connection, next);
    }
}

void server_settle(struct server *server)
{
    struct guest *guest;

    loop_remove(server->source);
    loop_remove(server->timer);
    server->source = server->timer = NULL;
    LIST_FOREACH(guest, &server->guests, link)
    {
        connection_settle(guest->connection);
    }
}

void server_free(struct server *server)
{
    struct guest *guest;

    if (!server)
        return;
    loop_remove(server->source);
    loop_remove(server->timer);
    while ((guest = LIST_FIRST(&server->guests)))
        guest_free(guest);
    resolver_free(server->resolver);
    SSL_CTX_free(server->context);
    free(server);
}
