/* worker/checkout/stream.c - connections of libgit2 that do not wait. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/checkout/stream.h"

#include "base/fd.h"
#include "worker/checkout/giterr.h"

#include <errno.h>
#include <git2.h>
#include <git2/sys/stream.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct tcp_stream {
    git_stream parent; /* first: libgit2 knows that only */
    char *host, *port; /* owned */
    int fd;            /* -1: not connected */
};

static struct tcp_stream *of(git_stream *stream)
{
    return (struct tcp_stream *)stream;
}

static int fail(const struct tcp_stream *tcp, const char *what, const char *why)
{
    CLEANUP(mem)
    char *text = xasprintf("failed to %s %s: %s", what, tcp->host, why);

    return giterr_say(text);
}

/* To the first of the addresses that answers; why not is the last one's. */
static int connect_any(struct tcp_stream *tcp, const struct addrinfo *list)
{
    static const int on = 1;
    int why = EADDRNOTAVAIL;

    for (; list; list = list->ai_next) {
        int fd = socket(list->ai_family, list->ai_socktype | SOCK_CLOEXEC,
                        list->ai_protocol);

        if (fd >= 0 && connect(fd, list->ai_addr, list->ai_addrlen) == 0) {
            (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
            tcp->fd = fd;
            return 0;
        }
        why = errno;
        fd_close(&fd);
    }
    return fail(tcp, "connect to", strerrordesc_np(why));
}

static int tcp_connect(git_stream *stream)
{
    static const struct addrinfo wanted = {.ai_family = AF_UNSPEC,
                                           .ai_socktype = SOCK_STREAM};
    struct tcp_stream *tcp = of(stream);
    struct addrinfo *list = NULL;
    int rc = getaddrinfo(tcp->host, tcp->port, &wanted, &list);

    if (rc != 0)
        return fail(tcp, "resolve address for", gai_strerror(rc));
    rc = connect_any(tcp, list);
    freeaddrinfo(list);
    return rc;
}

static ssize_t tcp_read(git_stream *stream, void *data, size_t size)
{
    ssize_t n;

    do
        n = recv(of(stream)->fd, data, size, 0);
    while (n < 0 && errno == EINTR);
    return n < 0 ? fail(of(stream), "receive from", strerrordesc_np(errno)) : n;
}

static ssize_t tcp_write(git_stream *stream, const char *data, size_t size,
                         int flags)
{
    ssize_t n;

    (void)flags;
    do
        n = send(of(stream)->fd, data, size, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n < 0 ? fail(of(stream), "send to", strerrordesc_np(errno)) : n;
}

static int tcp_close(git_stream *stream)
{
    fd_close(&of(stream)->fd);
    return 0;
}

static void tcp_free(git_stream *stream)
{
    struct tcp_stream *tcp = of(stream);

    fd_close(&tcp->fd);
    free(tcp->host);
    free(tcp->port);
    free(tcp);
}

static int tcp_new(git_stream **out, const char *host, const char *port)
{
    struct tcp_stream *tcp = xcalloc(1, sizeof(*tcp));

    tcp->parent.version = GIT_STREAM_VERSION;
    tcp->parent.connect = tcp_connect;
    tcp->parent.read = tcp_read;
    tcp->parent.write = tcp_write;
    tcp->parent.close = tcp_close;
    tcp->parent.free = tcp_free;
    tcp->host = xstrdup(host);
    tcp->port = xstrdup(port);
    tcp->fd = -1;
    *out = &tcp->parent;
    return 0;
}

int stream_register(struct err *err)
{
    git_stream_registration registration = {.version = GIT_STREAM_VERSION,
                                            .init = tcp_new};

    if (git_stream_register(GIT_STREAM_STANDARD, &registration) < 0)
        return giterr_set(err, ERR_BUG, "cannot set up connections");
    return 0;
}
