/* worker/sandbox/forward.c - a port inside, reached from this host. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/forward.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/state.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_CLIENTS  8
#define TOKEN_DIGITS 32
#define HEAD_MAX     ((size_t)16 << 10)
#define HEAD_MS      10000 /* for a whole head to arrive */
#define CHUNK_SIZE   ((size_t)16 << 10)
#define UNSENT_HIGH  ((size_t)256 << 10) /* then its client has to wait … */
#define UNSENT_LOW   ((size_t)64 << 10)  /* … until this */

struct client {
    LIST_ENTRY(client) link;
    struct forward *forward; /* borrowed */
    int fd;                  /* owned */
    struct loop_source *source;
    struct loop_source *timer; /* while its head is not there */
    struct strbuf head;        /* of the first request */
    struct strbuf out;         /* on its way to the client */
    uint32_t id;               /* of the connection inside; 0: none */
    size_t unsent;             /* bytes that are on their way there */
    bool answered;             /* something came from inside */
    bool ended;                /* no more comes from the client */
    bool full;                 /* the client waits */
    bool closing;              /* once `out` is written */
};

struct forward {
    struct forward_spec spec;
    int fd; /* owned */
    struct loop_source *source;
    char token[TOKEN_DIGITS + 1];
    char *url; /* owned */
    LIST_HEAD(, client) clients;
    unsigned count;
};

static void watch_clients(struct forward *f)
{
    loop_set_events(f->source, f->count < MAX_CLIENTS ? EPOLLIN : 0);
}

static void client_free(struct client *c)
{
    struct forward *f = c->forward;

    if (c->id)
        f->spec.driver->disconnect(f->spec.sandbox, c->id);
    LIST_REMOVE(c, link);
    loop_remove(c->source);
    loop_remove(c->timer);
    fd_close(&c->fd);
    strbuf_clear(&c->head);
    strbuf_clear(&c->out);
    free(c);
    f->count--;
    watch_clients(f);
}

static void watch(struct client *c)
{
    uint32_t events = 0;

    if (!c->ended && !c->full && !c->closing)
        events |= EPOLLIN;
    if (c->out.len)
        events |= EPOLLOUT;
    loop_set_events(c->source, events);
}

/* Returns false when the client is gone, and freed. */
static bool flush(struct client *c)
{
    struct forward *f = c->forward;

    while (c->out.len) {
        ssize_t n = send(c->fd, c->out.data, c->out.len, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0) {
            client_free(c);
            return false;
        }
        strbuf_consume(&c->out, (size_t)n);
        if (c->id)
            f->spec.driver->taken(f->spec.sandbox, c->id, (size_t)n);
    }
    if (c->closing && !c->out.len) {
        client_free(c);
        return false;
    }
    watch(c);
    return true;
}

static void answer(struct client *c, const char *status, const char *text)
{
    strbuf_addf(&c->out,
                "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: "
                "%zu\r\nConnection: close\r\n\r\n%s",
                status, strlen(text), text);
    c->closing = true;
    (void)flush(c);
}

/* ---- the token -------------------------------------------------------- */

/* In a time that does not tell how much of it was right. */
static bool is_token(const char *s, size_t len, const char *token)
{
    unsigned differs = 0;

    if (len != strlen(token))
        return false;
    for (size_t i = 0; i < len; i++)
        differs |= (unsigned char)s[i] ^ (unsigned char)token[i];
    return !differs;
}

/* What a header line says behind `name` and blanks; NULL: another header. */
static const char *value_of(const char *line, const char *name)
{
    size_t len = strlen(name);

    if (strncasecmp(line, name, len) != 0)
        return NULL;
    return line + len + strspn(line + len, " \t");
}

static bool shows_token(const char *head, const char *token)
{
    for (const char *line = strchr(head, '\n'); line;
         line = strchr(line, '\n')) {
        const char *host = value_of(++line, "Host:");
        const char *bearer = value_of(line, "Authorization: Bearer");

        if (host && is_token(host, strcspn(host, ".\r\n"), token))
            return true;
        if (bearer && is_token(bearer, strcspn(bearer, " \t\r\n"), token))
            return true;
    }
    return false;
}

/* ---- inside ----------------------------------------------------------- */

static void on_open(void *arg)
{
    (void)arg;
}

static void on_data(void *arg, const void *data, size_t len)
{
    struct client *c = arg;

    c->answered = true;
    strbuf_add(&c->out, data, len);
    (void)flush(c);
}

static void on_sent(void *arg, size_t unsent)
{
    struct client *c = arg;

    c->unsent = unsent;
    if (c->full && unsent < UNSENT_LOW) {
        c->full = false;
        watch(c);
    }
}

static void on_closed(void *arg, const struct err *err)
{
    struct client *c = arg;

    c->id = 0;
    if (err && !c->answered) {
        answer(c, "502 Bad Gateway", err->msg);
        return;
    }
    c->closing = true;
    (void)flush(c);
}

static void let_in(struct client *c)
{
    struct forward *f = c->forward;
    struct sandbox_connection connection = {
        .port = f->spec.port,
        .on_open = on_open,
        .on_data = on_data,
        .on_sent = on_sent,
        .on_closed = on_closed,
        .arg = c,
    };
    struct err err = {0};

    loop_remove(STEAL(c->timer));
    if (f->spec.driver->connect(f->spec.sandbox, &connection, &c->id, &err) <
        0) {
        answer(c, "502 Bad Gateway", err.msg);
        return;
    }
    f->spec.driver->send(f->spec.sandbox, c->id, c->head.data, c->head.len);
    strbuf_clear(&c->head);
}

/* ---- clients ---------------------------------------------------------- */

static void take_head(struct client *c, const char *data, size_t len)
{
    strbuf_add(&c->head, data, len);
    if (strstr(c->head.data, "\r\n\r\n")) {
        if (shows_token(c->head.data, c->forward->token))
            let_in(c);
        else
            answer(c, "403 Forbidden", "the token is missing or wrong\n");
    } else if (c->head.truncated || c->head.len == HEAD_MAX) {
        answer(c, "431 Request Header Fields Too Large", "");
    }
}

static void take(struct client *c, const char *data, size_t len)
{
    const struct forward_spec *spec = &c->forward->spec;

    if (!c->id) {
        take_head(c, data, len);
        return;
    }
    spec->driver->send(spec->sandbox, c->id, data, len);
    c->unsent += len;
    c->full = c->unsent > UNSENT_HIGH;
    watch(c);
}

static void on_client(void *arg, uint32_t events)
{
    struct client *c = arg;
    const struct forward_spec *spec = &c->forward->spec;
    char chunk[CHUNK_SIZE];
    ssize_t n;

    if ((events & EPOLLOUT) && !flush(c))
        return;
    if (events & (EPOLLERR | EPOLLHUP)) {
        client_free(c);
        return;
    }
    if (!(events & EPOLLIN) || c->ended || c->full || c->closing)
        return;
    n = read(c->fd, chunk, sizeof(chunk));
    if (n > 0) {
        take(c, chunk, (size_t)n);
    } else if (n == 0 && c->id) {
        c->ended = true;
        spec->driver->send(spec->sandbox, c->id, NULL, 0);
        watch(c);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        client_free(c);
    }
}

static void on_no_head(void *arg)
{
    struct client *c = arg;

    c->timer = NULL;
    client_free(c);
}

static void on_listener(void *arg, uint32_t events UNUSED)
{
    struct forward *f = arg;
    int fd = accept4(f->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct client *c;
    struct err ignored;

    if (fd < 0)
        return;
    c = xcalloc(1, sizeof(*c));
    c->forward = f;
    c->fd = fd;
    c->head = (struct strbuf)STRBUF_MAX(HEAD_MAX);
    c->out = (struct strbuf)STRBUF_INIT;
    LIST_INSERT_HEAD(&f->clients, c, link);
    f->count++;
    c->timer =
        loop_add_timer(f->spec.loop, clock_mono_ms() + HEAD_MS, on_no_head, c);
    if (loop_add_fd(f->spec.loop, fd, EPOLLIN, on_client, c, &c->source,
                    &ignored) < 0)
        client_free(c);
    else
        watch_clients(f);
}

/* ---- the listener ----------------------------------------------------- */

static int start_listening(struct forward *f, struct err *err)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);

    f->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (f->fd < 0 ||
        bind(f->fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(f->fd, MAX_CLIENTS) < 0 ||
        getsockname(f->fd, (struct sockaddr *)&address, &len) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot listen on 127.0.0.1");
    f->url =
        xasprintf("http://%s.localhost:%u/", f->token, ntohs(address.sin_port));
    return loop_add_fd(f->spec.loop, f->fd, EPOLLIN, on_listener, f, &f->source,
                       err);
}

int forward_start(const struct forward_spec *spec, struct forward **out_forward,
                  struct err *err)
{
    CLEANUP(forward) struct forward *f = xcalloc(1, sizeof(*f));

    f->spec = *spec;
    f->fd = -1;
    LIST_INIT(&f->clients);
    state_random_hex(f->token, TOKEN_DIGITS);
    if (start_listening(f, err) < 0)
        return err_wrap(err, "cannot expose port %u", spec->port);
    *out_forward = STEAL(f);
    return 0;
}

void forward_free(struct forward *f)
{
    if (!f)
        return;
    while (!LIST_EMPTY(&f->clients))
        client_free(LIST_FIRST(&f->clients));
    loop_remove(f->source);
    fd_close(&f->fd);
    free(f->url);
    free(f);
}

const char *forward_url(const struct forward *f)
{
    return f->url;
}
