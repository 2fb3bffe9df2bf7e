/* worker/gateway/dial.c - a connection to a host, at an address that may be. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/gateway/dial.h"

#include "base/clock.h"
#include "base/fd.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct dial {
    struct dial_spec spec;
    char host[HOST_NAME_SIZE];
    struct resolver_query *query; /* NULL once answered */
    struct in6_addr addresses[RESOLVER_MAX_ADDRESSES];
    size_t count;
    size_t next; /* the one to try */
    int fd;      /* -1: none under way */
    struct loop_source *source, *timer;
    struct err why; /* the last one did not answer */
};

/* The last thing in its caller: what it calls may free the dial. */
static void end(struct dial *dial, int fd, const struct err *err)
{
    loop_remove(dial->timer);
    dial->timer = NULL;
    dial->spec.fn(dial->spec.arg, fd,
                  fd < 0 ? NULL : &dial->addresses[dial->next - 1], err);
}

static void drop_attempt(struct dial *dial)
{
    loop_remove(dial->source);
    dial->source = NULL;
    fd_close(&dial->fd);
}

static int connect_to(struct dial *dial, const struct in6_addr *address)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET,
                             .sin_port = htons(dial->spec.port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
                              .sin6_port = htons(dial->spec.port),
                              .sin6_addr = *address};
    bool is_v4 = IN6_IS_ADDR_V4MAPPED(address);
    int on = 1;
    int rc;

    memcpy(&v4.sin_addr, address->s6_addr + 12, sizeof(v4.sin_addr));
    dial->fd = socket(is_v4 ? AF_INET : AF_INET6,
                      SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (dial->fd < 0)
        return -1;
    (void)setsockopt(dial->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    rc = is_v4 ? connect(dial->fd, (struct sockaddr *)&v4, sizeof(v4))
               : connect(dial->fd, (struct sockaddr *)&v6, sizeof(v6));
    return rc < 0 && errno != EINPROGRESS ? -1 : 0;
}

static void try_next(struct dial *dial);

static void note_failure(struct dial *dial, int error)
{
    char text[ADDRESS_TEXT_SIZE];

    errno = error;
    (void)err_sys(&dial->why, ERR_TRANSIENT, "cannot connect to %s:%u (%s)",
                  dial->host, (unsigned)dial->spec.port,
                  address_format(&dial->addresses[dial->next - 1], text));
    drop_attempt(dial);
}

static void on_connect(void *arg, uint32_t events UNUSED)
{
    struct dial *dial = arg;
    int error = 0;
    socklen_t len = sizeof(error);
    int fd = dial->fd;

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
        error = errno;
    if (error) {
        note_failure(dial, error);
        try_next(dial);
        return;
    }
    loop_remove(dial->source);
    dial->source = NULL;
    dial->fd = -1;
    end(dial, fd, NULL);
}

static void try_next(struct dial *dial)
{
    while (dial->next < dial->count) {
        const struct in6_addr *address = &dial->addresses[dial->next++];

        if (connect_to(dial, address) == 0 &&
            loop_add_fd(dial->spec.loop, dial->fd, EPOLLOUT, on_connect, dial,
                        &dial->source, NULL) == 0)
            return;
        note_failure(dial, errno);
    }
    end(dial, -1, &dial->why);
}

/* The kind of an address that may not be reached, or NULL. */
static const char *refused(const struct dial *dial,
                           const struct in6_addr *address)
{
    const struct setup *setup = dial->spec.setup;

    if (setup_is_own(setup, dial->host, dial->spec.port) &&
        address_is_of_site(address))
        return NULL;
    return address_refused(address, setup->allowed, setup->allowed_count);
}

/* Keep those that may be reached; of the others the first is told. */
static void on_addresses(void *arg, const struct in6_addr *addresses,
                         size_t count, const struct err *err)
{
    struct dial *dial = arg;
    char text[ADDRESS_TEXT_SIZE];

    dial->query = NULL;
    if (!count)
        dial->why = *err;
    for (size_t i = 0; i < count; i++) {
        const char *kind = refused(dial, &addresses[i]);

        if (!kind)
            dial->addresses[dial->count++] = addresses[i];
        else if (dial->why.kind == ERR_NONE)
            (void)err_set(&dial->why, ERR_USER,
                          "'%s' is at %s (%s), which sandboxes may not reach; "
                          "whoever runs the worker can name it in "
                          "gateway.allow_addresses",
                          dial->host, address_format(&addresses[i], text),
                          kind);
    }
    try_next(dial);
}

static void on_timeout(void *arg)
{
    struct dial *dial = arg;
    struct err err;

    dial->timer = NULL;
    (void)err_set(&err, ERR_TRANSIENT, "%s:%u %s within %llu ms", dial->host,
                  (unsigned)dial->spec.port,
                  dial->query ? "could not be looked up" : "did not answer",
                  (unsigned long long)dial->spec.setup->connect_ms);
    end(dial, -1, &err);
}

static void on_start(void *arg)
{
    struct dial *dial = arg;

    dial->timer =
        loop_add_timer(dial->spec.loop,
                       clock_mono_ms() + (int64_t)dial->spec.setup->connect_ms,
                       on_timeout, dial);
    resolver_ask(dial->spec.resolver, dial->host, on_addresses, dial,
                 &dial->query);
}

struct dial *dial_start(const struct dial_spec *spec)
{
    struct dial *dial = xcalloc(1, sizeof(*dial));

    dial->spec = *spec;
    dial->fd = -1;
    memcpy(dial->host, spec->host, strlen(spec->host) + 1);
    dial->spec.host = dial->host;
    /* From the loop, as the answer may come from inside the question. */
    dial->timer = loop_add_timer(spec->loop, 0, on_start, dial);
    return dial;
}

void dial_free(struct dial *dial)
{
    if (!dial)
        return;
    resolver_forget(dial->query);
    loop_remove(dial->timer);
    drop_attempt(dial);
    free(dial);
}
