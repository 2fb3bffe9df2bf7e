/* worker/sandbox/agent/connect.c - connections to what listens inside. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/agent/agent.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct connection {
    bool used;
    bool open; /* the connection is made */
    uint32_t id;
    unsigned port;
    bool v6; /* the second try */
    int fd;
    size_t untaken; /* bytes sent up without AGENT_TAKEN */
    struct flow out;
};

static struct connection connections[AGENT_MAX_CONNECTIONS];
static uint8_t chunk[CHUNK_SIZE];

static struct connection *find(uint32_t id)
{
    for (size_t i = 0; i < AGENT_MAX_CONNECTIONS; i++)
        if (connections[i].used && connections[i].id == id)
            return &connections[i];
    return NULL;
}

static void send_done(uint32_t id, int sys)
{
    uint8_t reply[4];

    wire_put_u32(reply, (uint32_t)sys);
    wire_send(AGENT_DONE, id, reply, sizeof(reply));
}

static void finish(struct connection *c, int sys)
{
    flow_close(&c->out);
    close_fd(&c->fd);
    send_done(c->id, sys);
    c->used = false;
}

/* Begin to connect; the errno, or 0 when it is made or under way. */
static int try(struct connection *c)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)c->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
                              .sin6_port = htons((uint16_t)c->port),
                              .sin6_addr = IN6ADDR_LOOPBACK_INIT};

    close_fd(&c->fd);
    c->fd = socket(c->v6 ? AF_INET6 : AF_INET,
                   SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->fd < 0)
        return errno;
    if (connect(c->fd, c->v6 ? (void *)&v6 : (void *)&v4,
                c->v6 ? sizeof(v6) : sizeof(v4)) == 0 ||
        errno == EINPROGRESS)
        return 0;
    return errno;
}

/* What says `localhost` may listen at ::1 only. */
static void try_next(struct connection *c, int sys)
{
    while (sys && !c->v6) {
        int first = sys;

        c->v6 = true;
        sys = try(c);
        /* No IPv6 in here: the first answer is the one that helps. */
        if (sys == EADDRNOTAVAIL || sys == EAFNOSUPPORT)
            sys = first;
    }
    if (sys)
        finish(c, sys);
}

void connect_start(const struct frame *frame)
{
    struct connection *c = NULL;

    if (frame->len != 2)
        agent_die("a connection without a port");
    for (size_t i = 0; !c && i < AGENT_MAX_CONNECTIONS; i++)
        if (!connections[i].used)
            c = &connections[i];
    if (!c) {
        send_done(frame->id, EAGAIN);
        return;
    }
    c->used = true;
    c->open = c->v6 = false;
    c->id = frame->id;
    c->port = (unsigned)frame->data[0] << 8 | frame->data[1];
    c->untaken = 0;
    c->fd = -1;
    flow_open(&c->out, -1, c->id);
    try_next(c, try(c));
}

bool connect_input(const struct frame *frame)
{
    struct connection *c = find(frame->id);

    if (c && frame->type == AGENT_DATA)
        flow_add(&c->out, frame);
    else if (c)
        flow_end(&c->out);
    return c;
}

bool connect_drop(uint32_t id)
{
    struct connection *c = find(id);

    if (c)
        finish(c, 0);
    return c;
}

void connect_taken(const struct frame *frame)
{
    struct connection *c = find(frame->id);

    if (!c || frame->len != 4)
        return;
    if (wire_u32(frame->data) > c->untaken)
        agent_die("more was taken than was sent");
    c->untaken -= wire_u32(frame->data);
}

static bool may_read(const struct connection *c)
{
    return c->open && wire_has_room() &&
           c->untaken + CHUNK_SIZE <= AGENT_WINDOW;
}

size_t connect_poll(struct pollfd *fds)
{
    size_t n = 0;

    for (size_t i = 0; i < AGENT_MAX_CONNECTIONS; i++) {
        struct connection *c = &connections[i];

        if (!c->used)
            continue;
        if (!c->open)
            fds[n++] = (struct pollfd){c->fd, POLLOUT, 0};
        if (may_read(c))
            fds[n++] = (struct pollfd){c->fd, POLLIN, 0};
        if (c->open && flow_is_waiting(&c->out))
            fds[n++] = (struct pollfd){c->out.fd, POLLOUT, 0};
    }
    return n;
}

static void end_connect(struct connection *c)
{
    socklen_t len = sizeof(int);
    int sys = 0;

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &sys, &len) < 0)
        sys = errno;
    if (sys) {
        try_next(c, sys);
        return;
    }
    c->open = true;
    flow_open(&c->out, fcntl(c->fd, F_DUPFD_CLOEXEC, 3), c->id);
    wire_send(AGENT_OPEN, c->id, NULL, 0);
}

static void pump(struct connection *c)
{
    ssize_t n = read(c->fd, chunk, sizeof(chunk));

    if (n > 0) {
        wire_send(AGENT_GOT, c->id, chunk, (size_t)n);
        c->untaken += (size_t)n;
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        finish(c, n < 0 ? errno : 0);
    }
}

static void serve(struct connection *c, int fd)
{
    if (!c->open && fd == c->fd)
        end_connect(c);
    else if (fd == c->fd && may_read(c))
        pump(c);
    else if (fd == c->out.fd && flow_is_waiting(&c->out))
        flow_pump(&c->out);
}

void connect_serve(const struct pollfd *fds, size_t count)
{
    for (size_t n = 0; n < count; n++)
        for (size_t i = 0; fds[n].revents && i < AGENT_MAX_CONNECTIONS; i++)
            if (connections[i].used)
                serve(&connections[i], fds[n].fd);
}
