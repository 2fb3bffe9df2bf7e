/* worker/gateway/resolver.c - addresses of names, without blocking. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/gateway/resolver.h"

#include "base/clock.h"
#include "worker/gateway/address.h"

#include <ares.h>
#include <stdlib.h>
#include <string.h>

#define TRY_MS      2500
#define TRIES       2
#define SOCKETS_MAX 64

struct watch {
    struct resolver *resolver;
    int fd; /* the library's; -1: free */
    struct loop_source *source;
};

struct resolver {
    struct loop *loop; /* borrowed */
    ares_channel channel;
    struct watch watches[SOCKETS_MAX];
    struct loop_source *timer;
};

struct resolver_query {
    resolver_fn *fn; /* NULL: forgotten */
    void *arg;
    char *name; /* owned */
};

static void set_timer(struct resolver *resolver);

static void on_timer(void *arg)
{
    struct resolver *resolver = arg;

    resolver->timer = NULL;
    ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    set_timer(resolver);
}

static void set_timer(struct resolver *resolver)
{
    struct timeval wait;

    loop_remove(resolver->timer);
    resolver->timer = NULL;
    if (!ares_timeout(resolver->channel, NULL, &wait))
        return;
    resolver->timer = loop_add_timer(resolver->loop,
                                     clock_mono_ms() + wait.tv_sec * 1000 +
                                         wait.tv_usec / 1000 + 1,
                                     on_timer, resolver);
}

static void on_socket(void *arg, uint32_t events)
{
    struct watch *watch = arg;
    struct resolver *resolver = watch->resolver;
    bool writes = events & EPOLLOUT;
    bool reads = events & ~(uint32_t)EPOLLOUT;

    ares_process_fd(resolver->channel, reads ? watch->fd : ARES_SOCKET_BAD,
                    writes ? watch->fd : ARES_SOCKET_BAD);
    set_timer(resolver);
}

/* The one of this descriptor, else a free one, else NULL. */
static struct watch *watch_of(struct resolver *resolver, int fd)
{
    struct watch *unused = NULL;

    for (size_t i = 0; i < SOCKETS_MAX; i++) {
        if (resolver->watches[i].fd == fd)
            return &resolver->watches[i];
        if (resolver->watches[i].fd < 0 && !unused)
            unused = &resolver->watches[i];
    }
    return unused;
}

/* What cannot be watched gets no answer, and times out. */
static void on_state(void *arg, ares_socket_t fd, int reads, int writes)
{
    struct resolver *resolver = arg;
    struct watch *watch = watch_of(resolver, fd);
    uint32_t events =
        (reads ? (uint32_t)EPOLLIN : 0) | (writes ? (uint32_t)EPOLLOUT : 0);

    if (!watch || (watch->fd < 0 && !events))
        return;
    if (!events) {
        loop_remove(watch->source);
        watch->source = NULL;
        watch->fd = -1;
    } else if (watch->fd == fd) {
        loop_set_events(watch->source, events);
    } else if (loop_add_fd(resolver->loop, fd, events, on_socket, watch,
                           &watch->source, NULL) == 0) {
        watch->fd = fd;
    }
}

int resolver_new(struct loop *loop, struct resolver **out_resolver,
                 struct err *err)
{
    CLEANUP(resolver) struct resolver *resolver = xcalloc(1, sizeof(*resolver));
    struct ares_options options = {
        .flags = ARES_FLAG_NOSEARCH,
        .timeout = TRY_MS,
        .tries = TRIES,
        .sock_state_cb = on_state,
        .sock_state_cb_data = resolver,
    };
    int rc;

    resolver->loop = loop;
    for (size_t i = 0; i < SOCKETS_MAX; i++)
        resolver->watches[i] = (struct watch){resolver, -1, NULL};
    rc = ares_library_init(ARES_LIB_INIT_ALL);
    if (rc == ARES_SUCCESS)
        rc = ares_init_options(&resolver->channel, &options,
                               ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS |
                                   ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
    if (rc != ARES_SUCCESS)
        return err_set(err, ERR_TRANSIENT, "cannot look names up: %s",
                       ares_strerror(rc));
    *out_resolver = STEAL(resolver);
    return 0;
}

void resolver_free(struct resolver *resolver)
{
    if (!resolver)
        return;
    /* Calls every query back, and takes its watches away. */
    if (resolver->channel)
        ares_destroy(resolver->channel);
    loop_remove(resolver->timer);
    for (size_t i = 0; i < SOCKETS_MAX; i++)
        loop_remove(resolver->watches[i].source);
    free(resolver);
}

static size_t gather(const struct ares_addrinfo *info,
                     struct in6_addr out[RESOLVER_MAX_ADDRESSES])
{
    size_t count = 0;

    for (const struct ares_addrinfo_node *node = info->nodes;
         node && count < RESOLVER_MAX_ADDRESSES; node = node->ai_next) {
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;

        if (node->ai_family == AF_INET) {
            memcpy(&v4, node->ai_addr, sizeof(v4));
            out[count++] = address_of_v4(v4.sin_addr);
        } else if (node->ai_family == AF_INET6) {
            memcpy(&v6, node->ai_addr, sizeof(v6));
            out[count++] = v6.sin6_addr;
        }
    }
    return count;
}

static void on_answer(void *arg, int status, int timeouts UNUSED,
                      struct ares_addrinfo *info)
{
    struct resolver_query *query = arg;
    struct in6_addr addresses[RESOLVER_MAX_ADDRESSES];
    size_t count = info ? gather(info, addresses) : 0;
    struct err err = {0};

    ares_freeaddrinfo(info);
    if (!count)
        (void)err_set(&err, ERR_TRANSIENT, "'%s' cannot be looked up: %s",
                      query->name,
                      status == ARES_SUCCESS ? "it has no address"
                                             : ares_strerror(status));
    if (query->fn && status != ARES_EDESTRUCTION)
        query->fn(query->arg, addresses, count, count ? NULL : &err);
    free(query->name);
    free(query);
}

void resolver_ask(struct resolver *resolver, const char *name, resolver_fn *fn,
                  void *arg, struct resolver_query **out_query)
{
    static const struct ares_addrinfo_hints hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct resolver_query *query = xcalloc(1, sizeof(*query));

    query->fn = fn;
    query->arg = arg;
    query->name = xstrdup(name);
    *out_query = query;
    ares_getaddrinfo(resolver->channel, query->name, NULL, &hints, on_answer,
                     query);
    set_timer(resolver);
}

void resolver_forget(struct resolver_query *query)
{
    if (query)
        query->fn = NULL;
}
