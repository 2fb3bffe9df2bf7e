/* worker/gateway/relay/guest.c - one connection out of a sandbox. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/gateway/relay/guest.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_MS 60000 /* for a client to send its request */
#define DRAIN_MS   30000 /* for it to take the answer's last bytes */
#define LINGER_MS  1000  /* for it to stop sending what nobody reads */
/* More than the largest answer with its chunks, and a head. */
#define OUT_MAX    ((size_t)64 << 20)
#define READ_BYTES 65536

enum stage { READING, ANSWERING, ENDING, LINGERING, OVER };

struct guest {
    struct guest_spec spec;
    int fd; /* owned */
    enum stage stage;
    struct loop_source *source, *timer;
    struct wire wire;
    struct strbuf out;
    size_t sent; /* of `out` */
    bool begun, chunked, told_leave;
};

static void arm(struct guest *guest, int64_t ms, loop_timer_fn *fn)
{
    loop_remove(guest->timer);
    guest->timer =
        loop_add_timer(guest->spec.loop, clock_mono_ms() + ms, fn, guest);
}

static void on_over(void *arg)
{
    struct guest *guest = arg;

    guest->timer = NULL;
    guest->spec.on_gone(guest->spec.arg, guest);
}

/* The end is told from the loop, never from inside a call. */
static void over(struct guest *guest)
{
    if (guest->stage == OVER)
        return;
    guest->stage = OVER;
    loop_set_events(guest->source, 0);
    loop_remove(guest->source);
    guest->source = NULL;
    arm(guest, 0, on_over);
}

static void on_time_up(void *arg)
{
    struct guest *guest = arg;

    guest->timer = NULL;
    over(guest);
}

/* A client that still sends would have the answer torn from its hands. */
static void linger(struct guest *guest)
{
    (void)shutdown(guest->fd, SHUT_WR);
    guest->stage = LINGERING;
    loop_set_events(guest->source, EPOLLIN);
    arm(guest, LINGER_MS, on_time_up);
}

static void flush(struct guest *guest)
{
    while (guest->sent < guest->out.len) {
        ssize_t n = send(guest->fd, guest->out.data + guest->sent,
                         guest->out.len - guest->sent, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN) {
            loop_set_events(guest->source, EPOLLIN | EPOLLOUT);
            return;
        }
        if (n < 0) {
            over(guest);
            return;
        }
        guest->sent += (size_t)n;
    }
    strbuf_cut(&guest->out, 0);
    guest->sent = 0;
    if (guest->stage == ENDING)
        linger(guest);
    else
        loop_set_events(guest->source, EPOLLIN);
}

static void feed(struct guest *guest, const char *data, size_t len)
{
    struct err err = {0};
    int status = 400;
    int rc;

    if (guest->spec.has_room(guest->spec.arg, 2 * len)) {
        rc = wire_feed(&guest->wire, data, len, &status, &err);
    } else {
        status = 503;
        rc = err_set(&err, ERR_USER, "%s", GUEST_CROWDED);
    }
    if (rc == 0 && guest->wire.wants_leave && !guest->told_leave) {
        guest->told_leave = true;
        strbuf_adds(&guest->out, "HTTP/1.1 100 Continue\r\n\r\n");
        flush(guest);
    }
    if (rc == 0)
        return;
    loop_remove(guest->timer);
    guest->timer = NULL;
    guest->stage = ANSWERING;
    if (rc < 0) {
        wire_clear(&guest->wire);
        guest->spec.on_refused(guest->spec.arg, guest, status, err.msg);
    } else {
        guest->spec.on_request(guest->spec.arg, guest, &guest->wire);
    }
}

/* Behind its request a client sends nothing; that it ends says it is gone,
 * also where it ended one direction only: nobody who wants an answer does. */
static void take(struct guest *guest)
{
    char data[READ_BYTES];
    ssize_t n = recv(guest->fd, data, sizeof(data), 0);

    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n <= 0)
        over(guest);
    else if (guest->stage == READING)
        feed(guest, data, (size_t)n);
}

static void on_events(void *arg, uint32_t events)
{
    struct guest *guest = arg;

    if (events & EPOLLERR)
        over(guest);
    else if (events & EPOLLOUT)
        flush(guest);
    else if (events & (EPOLLIN | EPOLLHUP))
        take(guest);
}

int guest_new(const struct guest_spec *spec, int client,
              struct guest **out_guest, struct err *err)
{
    struct guest *guest = xcalloc(1, sizeof(*guest));

    guest->spec = *spec;
    guest->fd = client;
    guest->out = (struct strbuf)STRBUF_MAX(OUT_MAX);
    wire_init(&guest->wire);
    if (loop_add_fd(spec->loop, client, EPOLLIN, on_events, guest,
                    &guest->source, err) < 0) {
        guest_free(guest);
        return -1;
    }
    arm(guest, REQUEST_MS, on_time_up);
    *out_guest = guest;
    return 0;
}

void guest_free(struct guest *guest)
{
    if (!guest)
        return;
    loop_remove(guest->source);
    loop_remove(guest->timer);
    wire_clear(&guest->wire);
    strbuf_clear(&guest->out);
    (void)close(guest->fd);
    free(guest);
}

/* ---- answers --------------------------------------------------------------
 */

static const char *words_of(int status)
{
    static const struct {
        int status;
        const char *words;
    } all[] = {
        {200, "OK"},
        {400, "Bad Request"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {413, "Too Large"},
        {415, "Unsupported Media Type"},
        {429, "Too Many Requests"},
        {431, "Head Too Large"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
    };

    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (all[i].status == status)
            return all[i].words;
    return "Other";
}

static void end(struct guest *guest)
{
    guest->stage = ENDING;
    arm(guest, DRAIN_MS, on_time_up);
    flush(guest);
}

void guest_answer(struct guest *guest, int status, const char *type,
                  const void *body, size_t len)
{
    if (guest->stage != ANSWERING || guest->begun)
        return;
    guest->begun = true;
    strbuf_addf(&guest->out,
                "HTTP/1.1 %d %s\r\nContent-Type: %s\r\n%s"
                "Content-Length: %zu\r\nConnection: close\r\n\r\n",
                status, words_of(status), type,
                status == 429 || status == 503 ? "Retry-After: 1\r\n" : "",
                len);
    strbuf_add(&guest->out, body, len);
    end(guest);
}

void guest_begin(struct guest *guest, int status, const char *type)
{
    if (guest->stage != ANSWERING || guest->begun)
        return;
    guest->begun = true;
    guest->chunked = !guest->wire.is_old;
    strbuf_addf(&guest->out,
                "HTTP/1.1 %d %s\r\nContent-Type: %s\r\n%s"
                "Cache-Control: no-cache\r\nConnection: close\r\n\r\n",
                status, words_of(status), type,
                guest->chunked ? "Transfer-Encoding: chunked\r\n" : "");
    flush(guest);
}

void guest_add(struct guest *guest, const void *data, size_t len)
{
    if (guest->stage != ANSWERING || !guest->begun || !len)
        return;
    if (guest->chunked)
        strbuf_addf(&guest->out, "%zx\r\n", len);
    strbuf_add(&guest->out, data, len);
    if (guest->chunked)
        strbuf_adds(&guest->out, "\r\n");
    flush(guest);
}

void guest_end(struct guest *guest)
{
    if (guest->stage != ANSWERING || !guest->begun)
        return;
    if (guest->chunked)
        strbuf_adds(&guest->out, "0\r\n\r\n");
    end(guest);
}

void guest_cut(struct guest *guest)
{
    if (guest->stage == ANSWERING)
        end(guest);
}

bool guest_has_begun(const struct guest *guest)
{
    return guest->begun;
}

size_t guest_bytes(const struct guest *guest)
{
    /* A buffer grows to twice its size. */
    return 2 * (guest->wire.head.len + guest->wire.body.len + guest->out.len);
}
