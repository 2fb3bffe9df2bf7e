/* worker/sandbox/docker/attach.c - stdin and stdout of a container. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/docker/attach.h"

#include "base/fd.h"
#include "worker/sandbox/docker/engine.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define HEAD_MAX    8192u
#define TIMEOUT_S   30
#define BUFFER_SIZE ((size_t)64 << 10)
#define HEADER_SIZE 8u

/* ---- opening ---------------------------------------------------------- */

static int dial(const char *path, int *out_fd, struct err *err)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    struct timeval limit = {.tv_sec = TIMEOUT_S};
    CLEANUP(fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (strlen(path) >= sizeof(at.sun_path))
        return err_set(err, ERR_USER, "'%s' is too long for a socket", path);
    memcpy(at.sun_path, path, strlen(path));
    if (fd < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0 ||
        connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot connect to '%s'", path);
    *out_fd = fd;
    fd = -1;
    return 0;
}

/* One byte at a time: what follows is the container's. */
static int read_head(int fd, char *head, size_t size, struct err *err)
{
    size_t len = 0;

    while (len < size - 1) {
        ssize_t n = read(fd, head + len, 1);

        if (n <= 0)
            return err_sys(err, ERR_TRANSIENT,
                           "the Docker Engine does not attach");
        head[++len] = '\0';
        if (len >= 4 && strcmp(head + len - 4, "\r\n\r\n") == 0)
            return 0;
    }
    return err_set(err, ERR_TRANSIENT, "the Docker Engine says too much");
}

int attach_open(const char *socket, const char *container, int *out_fd,
                struct err *err)
{
    CLEANUP(fd) int fd = -1;
    CLEANUP(mem)
    char *request = xasprintf(
        "POST /" ENGINE_API
        "/containers/%s/attach?stream=1&stdin=1&stdout=1&stderr=1 HTTP/1.1\r\n"
        "Host: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
        "Content-Length: 0\r\n\r\n",
        container);
    char head[HEAD_MAX];

    if (dial(socket, &fd, err) < 0 ||
        fd_write_all(fd, request, strlen(request), err) < 0 ||
        read_head(fd, head, sizeof(head), err) < 0)
        return -1;
    /* An engine before 1.23 says 200; both mean the same. */
    if (strncmp(head, "HTTP/1.1 101 ", 13) != 0 &&
        strncmp(head, "HTTP/1.1 200 ", 13) != 0) {
        head[strcspn(head, "\r\n")] = '\0';
        return err_set(err, ERR_TRANSIENT,
                       "the Docker Engine does not attach: %.200s", head);
    }
    *out_fd = fd;
    fd = -1;
    return 0;
}

/* ---- passing on ------------------------------------------------------- */

struct flow {
    char data[BUFFER_SIZE];
    size_t from, to; /* what is to be written */
};

struct pump {
    struct flow up, down; /* to and from the container */
    uint8_t header[HEADER_SIZE];
    size_t header_len;
    uint8_t stream;  /* of the bytes that come: 1 stdout, 2 stderr */
    uint32_t expect; /* how many of them */
    struct strbuf *text;
};

/* Each piece has a header: the stream, three zeros, the length. Take it out;
 * what is stdout stays in `data`. Returns how much, or -1. */
static ssize_t demultiplex(struct pump *p, char *data, size_t len)
{
    size_t kept = 0;

    for (size_t i = 0; i < len;) {
        size_t n = len - i < p->expect ? len - i : p->expect;

        if (!p->expect) {
            p->header[p->header_len++] = (uint8_t)data[i++];
            if (p->header_len < HEADER_SIZE)
                continue;
            p->header_len = 0;
            p->stream = p->header[0];
            p->expect = (uint32_t)p->header[4] << 24 |
                        (uint32_t)p->header[5] << 16 |
                        (uint32_t)p->header[6] << 8 | p->header[7];
            if (p->stream != 1 && p->stream != 2)
                return -1;
            continue;
        }
        if (p->stream == 1) {
            memmove(data + kept, data + i, n);
            kept += n;
        } else {
            strbuf_add(p->text, data + i, n);
        }
        i += n;
        p->expect -= (uint32_t)n;
    }
    return (ssize_t)kept;
}

static bool is_empty(const struct flow *flow)
{
    return flow->from == flow->to;
}

/* Returns 1, or 0 at the end of the other side. */
static int fill(struct flow *flow, int fd)
{
    ssize_t n = read(fd, flow->data, sizeof(flow->data));

    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    flow->from = 0;
    flow->to = (size_t)n;
    return n > 0;
}

static int drain(struct flow *flow, int fd)
{
    ssize_t n = write(fd, flow->data + flow->from, flow->to - flow->from);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    flow->from += (size_t)n;
    return 1;
}

/* One turn; true when it is over. */
static bool turn(struct pump *p, const struct attach_spec *spec,
                 const struct pollfd *ready, enum attach_end *out_end,
                 struct err *err)
{
    *out_end = ATTACH_ASKED;
    if (ready[0].revents && is_empty(&p->up) && !fill(&p->up, spec->in))
        return true;
    if (ready[1].revents & (POLLERR | POLLHUP) && is_empty(&p->down))
        return true;
    if (!is_empty(&p->down) && !drain(&p->down, spec->out))
        return true;
    *out_end = ATTACH_STOPPED;
    if (!is_empty(&p->up) && !drain(&p->up, spec->fd))
        return true;
    if (ready[2].revents & (POLLIN | POLLHUP | POLLERR) && is_empty(&p->down)) {
        ssize_t kept;

        if (!fill(&p->down, spec->fd))
            return true;
        kept = demultiplex(p, p->down.data, p->down.to);
        p->down.to = kept > 0 ? (size_t)kept : 0;
        if (kept >= 0)
            return false;
        (void)err_set(err, ERR_TRANSIENT,
                      "the Docker Engine's stream is broken");
        return true;
    }
    return false;
}

int attach_pump(const struct attach_spec *spec, enum attach_end *out_end,
                struct err *err)
{
    CLEANUP(mem) struct pump *p = xcalloc(1, sizeof(*p));
    struct err broken = {0};
    bool over = false;

    (void)signal(SIGPIPE, SIG_IGN);
    p->text = spec->stderr_;
    if (fd_set_nonblock(spec->fd, err) < 0 ||
        fd_set_nonblock(spec->in, err) < 0 ||
        fd_set_nonblock(spec->out, err) < 0)
        return -1;
    while (!over) {
        bool up = !is_empty(&p->up), down = !is_empty(&p->down);
        /* What is not asked for is not looked at: its end would be told again
         * and again. */
        struct pollfd ready[] = {
            {.fd = up ? -1 : spec->in, .events = POLLIN},
            {.fd = spec->out, .events = down ? POLLOUT : 0},
            {.fd = down && !up ? -1 : spec->fd,
             .events = (short)((up ? POLLOUT : 0) | (down ? 0 : POLLIN))},
        };

        if (poll(ready, 3, -1) < 0 && errno != EINTR)
            return err_sys(err, ERR_BUG, "cannot poll");
        over = turn(p, spec, ready, out_end, &broken);
    }
    if (broken.kind != ERR_NONE) {
        *err = broken;
        return -1;
    }
    return 0;
}
