/* worker/gateway/connection.c - one connection out of a sandbox. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/gateway/connection.h"

#include "base/clock.h"
#include "base/fd.h"
#include "worker/gateway/client_hello.h"
#include "worker/gateway/connection_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINGER_MS 1000 /* for the client to read why it was refused */
#define ROUNDS    16   /* before others get their turn */

static void on_client(void *arg, uint32_t events);
static void on_stream(void *arg, uint32_t events);
static void set_interest(struct connection *c);
static void run(struct connection *c);

/* ---- stages ---------------------------------------------------------------
 */

void connection_settle(struct connection *c)
{
    if (!c->reported)
        c->spec.on_report(c->spec.arg, c);
    c->reported = true;
}

static void on_over(void *arg)
{
    struct connection *c = arg;

    c->timer = NULL;
    connection_settle(c);
    c->spec.on_end(c->spec.arg, c);
}

static void unwatch(struct connection *c)
{
    loop_remove(c->timer);
    loop_remove(c->client_source);
    loop_remove(c->stream_source);
    c->timer = c->client_source = c->stream_source = NULL;
}

/* No byte goes either way any more. */
void connection_end(struct connection *c)
{
    if (c->stage == OVER)
        return;
    unwatch(c);
    c->stage = OVER;
    c->timer = loop_add_timer(c->spec.loop, 0, on_over, c);
}

static void on_timer(void *arg);

static void enter(struct connection *c, enum stage stage, uint64_t limit_ms)
{
    c->stage = stage;
    loop_remove(c->timer);
    c->timer = loop_add_timer(c->spec.loop, clock_mono_ms() + (int64_t)limit_ms,
                              on_timer, c);
}

/* ---- refusing -------------------------------------------------------------
 */

/* The client's bytes are of no use any more, nor is the origin. */
static void take_leave(struct connection *c, const void *data, size_t len)
{
    size_t space;
    char *at;

    dial_free(STEAL(c->dial));
    loop_remove(c->stream_source);
    c->stream_source = NULL;
    stream_free(STEAL(c->stream));
    at = flow_space(&c->down, &space);
    len = len < space ? len : space;
    memcpy(at, data, len);
    flow_add(&c->down, len);
    c->down.ended = true;
    flow_drop(&c->up, flow_len(&c->up));
    enter(c, FAREWELL, LINGER_MS);
    /* Before the client knows, whose end may be that of a step. */
    connection_settle(c);
    set_interest(c);
}

/* An answer of our own, with the reason that `why` has. */
static void refuse(struct connection *c, enum verdict verdict, int status)
{
    static const struct {
        int status;
        const char *phrase;
    } phrases[] = {
        {400, "Bad Request"},
        {403, "Forbidden"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {431, "Request Header Fields Too Large"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {505, "HTTP Version Not Supported"},
    };
    CLEANUP(strbuf) struct strbuf text = STRBUF_MAX(8192);
    const char *phrase = "Error";

    for (size_t i = 0; i < ARRAY_LEN(phrases); i++)
        if (phrases[i].status == status)
            phrase = phrases[i].phrase;
    c->verdict = verdict;
    strbuf_addf(&text,
                "HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\n"
                "Content-Length: %zu\r\nConnection: close\r\n\r\nberth: %s\n",
                status, phrase, strlen(c->why.msg) + 8, c->why.msg);
    take_leave(c, text.data, text.len);
}

/* Behind the 200 of a CONNECT only TLS can say no: alert 49, access_denied. */
static void refuse_tls(struct connection *c)
{
    c->verdict = VERDICT_SNI;
    (void)err_wrap(&c->why, "'%s'", c->request.host);
    take_leave(c, "\x15\x03\x03\x00\x02\x02\x31", 7);
}

static void explain_host(struct connection *c, uint16_t port)
{
    const struct setup *setup = c->spec.setup;
    char entry[HOST_NAME_SIZE + 8];

    if (port == 80 || port == 443)
        (void)snprintf(entry, sizeof(entry), "%s", c->request.host);
    else
        (void)snprintf(entry, sizeof(entry), "%s:%u", c->request.host,
                       (unsigned)port);
    if (setup->narrowed && setup_lists(setup, c->request.host, port))
        (void)err_set(&c->why, ERR_USER,
                      "'%s' is not allowed to jobs of forks here "
                      "(gateway.fork_hosts of the worker)",
                      entry);
    else
        (void)err_set(&c->why, ERR_USER,
                      "'%s' is not allowed; where the pipeline may reach it, "
                      "write `network: [%s%s%s]` below `sandbox:`",
                      entry, setup->listed, *setup->listed ? ", " : "", entry);
}

/* ---- the head -------------------------------------------------------------
 */

static void on_dialled(void *arg, int fd, const struct in6_addr *address,
                       const struct err *err);

static void start_dial(struct connection *c, uint16_t port)
{
    struct dial_spec spec = {
        .loop = c->spec.loop,
        .resolver = c->spec.resolver,
        .setup = c->spec.setup,
        .host = c->request.host,
        .port = port,
        .fn = on_dialled,
        .arg = c,
    };

    /* Its own limit is a little shorter, and says more. */
    enter(c, DIALLING, c->spec.setup->connect_ms + 1000);
    c->dial = dial_start(&spec);
}

static void take_head(struct connection *c)
{
    int status = 400;
    int64_t n = proxy_request_parse(flow_at(&c->up), flow_len(&c->up),
                                    &c->request, &status, &c->why);
    struct proxy_request *r = &c->request;

    if (n < 0)
        refuse(c, VERDICT_REQUEST, status);
    if (n <= 0)
        return;
    flow_drop(&c->up, (size_t)n);
    c->began_ms = clock_mono_ms();
    if (!r->connect)
        c->inject = setup_find_inject(c->spec.setup, r->host, r->port);
    if (c->inject && !proxy_request_is_plain(r)) {
        (void)err_set(&c->why, ERR_USER,
                      "'%s' is not sent to '%s' with a secret in it: its "
                      "answer could hold it",
                      r->method, r->host);
        refuse(c, VERDICT_REQUEST, 405);
        return;
    }
    if (c->inject) {
        r->tls = c->inject->tls;
        r->port = c->inject->port;
    }
    if (!setup_allows(c->spec.setup, r->host, r->port)) {
        explain_host(c, r->port);
        refuse(c, VERDICT_HOST, 403);
        return;
    }
    if (!c->spec.spend(c->spec.arg, 0)) {
        connection_limit(c);
        return;
    }
    start_dial(c, r->port);
}

/* ---- the origin -----------------------------------------------------------
 */

static void greet_origin(struct connection *c)
{
    struct proxy_field field;
    size_t early;

    if (c->request.connect) {
        static const char ok[] = "HTTP/1.1 200 Connection established\r\n\r\n";
        size_t space;
        char *at = flow_space(&c->down, &space);

        memcpy(at, ok, sizeof(ok) - 1);
        flow_add(&c->down, sizeof(ok) - 1);
        enter(c, HELLO, c->spec.setup->head_ms);
        return;
    }
    if (c->inject)
        field = (struct proxy_field){c->inject->header, c->inject->value};
    proxy_request_write(&c->request, c->inject ? &field : NULL, &c->head);
    proxy_body_init(&c->body, &c->request);
    enter(c, RELAY, c->spec.setup->idle_ms);
    c->moved_ms = clock_mono_ms();
    /* Of what came with the head, what is behind the body goes. */
    early = flow_len(&c->up);
    c->up.end = c->up.start;
    connection_take_body(c, early);
}

static int make_stream(struct connection *c, int fd)
{
    if (!c->inject || !c->inject->tls) {
        c->stream = stream_plain(fd);
        return 0;
    }
    return stream_tls(fd, c->spec.context, c->request.host, &c->stream,
                      &c->why);
}

static void on_dialled(void *arg, int fd, const struct in6_addr *address,
                       const struct err *err)
{
    struct connection *c = arg;
    bool refused = err && err->kind == ERR_USER;

    if (err)
        c->why = *err;
    else
        c->address = *address;
    dial_free(STEAL(c->dial));
    if (fd >= 0) {
        if (make_stream(c, fd) == 0 &&
            loop_add_fd(c->spec.loop, stream_fd(c->stream), EPOLLOUT, on_stream,
                        c, &c->stream_source, &c->why) == 0) {
            enter(c, HANDSHAKE, c->spec.setup->connect_ms);
            run(c);
            return;
        }
    }
    refuse(c, refused ? VERDICT_ADDRESS : VERDICT_FAILED, refused ? 403 : 502);
    run(c);
}

static void shake_hands(struct connection *c)
{
    int rc = stream_handshake(c->stream, &c->why);

    if (rc == STREAM_AGAIN)
        return;
    if (rc == 1) {
        greet_origin(c);
        return;
    }
    if (rc == 0)
        (void)err_set(&c->why, ERR_TRANSIENT, "the connection broke");
    (void)err_wrap(&c->why, "%s", c->request.host);
    refuse(c, VERDICT_FAILED, 502);
}

static void take_hello(struct connection *c)
{
    char name[HOST_NAME_SIZE];
    int rc =
        client_hello_name(flow_at(&c->up), flow_len(&c->up), name, &c->why);

    if (rc == 0)
        return;
    if (rc == 1 && strcmp(name, c->request.host) != 0)
        rc = err_set(&c->why, ERR_USER,
                     "the TLS inside names another host, '%s'", name);
    if (rc < 0) {
        refuse_tls(c);
        return;
    }
    enter(c, RELAY, c->spec.setup->idle_ms);
    c->moved_ms = clock_mono_ms();
}

/* ---- the loop -------------------------------------------------------------
 */

static void set_interest(struct connection *c)
{
    uint32_t to_stream = 0;

    /* With nothing to wait for, the loop would not tell of its end either. */
    loop_set_events(c->client_source,
                    (uint32_t)EPOLLPRI |
                        (connection_wants_client(c) ? (uint32_t)EPOLLIN : 0) |
                        (flow_len(&c->down) ? (uint32_t)EPOLLOUT : 0));
    if (!c->stream_source)
        return;
    if (c->stage == RELAY) {
        if (!c->down.ended && !flow_is_full(&c->down))
            to_stream |= EPOLLIN;
        if (c->head.len || flow_len(&c->up))
            to_stream |= EPOLLOUT;
    }
    if (c->stage == HANDSHAKE || c->stage == RELAY)
        to_stream |= stream_wants(c->stream);
    loop_set_events(c->stream_source, to_stream);
}

static void on_turn(void *arg)
{
    struct connection *c = arg;

    c->timer = NULL;
    enter(c, RELAY, c->spec.setup->idle_ms);
    run(c);
}

/* Go on as far as it goes. It may be over behind this, but never freed. */
static void run(struct connection *c)
{
    bool moved = true;

    for (int round = 0; moved && c->stage != OVER && round < ROUNDS; round++) {
        enum stage before = c->stage;

        moved = connection_write_client(c);
        if (connection_wants_client(c))
            moved |= connection_read_client(c);
        if (c->stage == HEAD && flow_len(&c->up))
            take_head(c);
        if (c->stage == HANDSHAKE)
            shake_hands(c);
        if (c->stage == HELLO && flow_len(&c->up))
            take_hello(c);
        if (c->stage == RELAY)
            moved |= connection_relay(c);
        moved |= c->stage != before;
    }
    if (c->stage == OVER)
        return;
    set_interest(c);
    /* What TLS has read already raises no event. */
    if (moved && c->stage == RELAY && stream_has_more(c->stream)) {
        loop_remove(c->timer);
        c->timer = loop_add_timer(c->spec.loop, 0, on_turn, c);
    }
}

static void on_client(void *arg, uint32_t events)
{
    struct connection *c = arg;

    /* Without a wish to read, these would be told for ever; and urgent data
     * is nothing that HTTP or TLS has. */
    if (events & EPOLLPRI ||
        (events & (EPOLLHUP | EPOLLERR) && !connection_wants_client(c) &&
         !flow_len(&c->down)))
        connection_end(c);
    else
        run(c);
}

static void on_stream(void *arg, uint32_t events)
{
    struct connection *c = arg;
    bool reads = c->stage == HANDSHAKE || (c->stage == RELAY && !c->down.ended);

    if (events & (EPOLLHUP | EPOLLERR) && !reads) {
        /* An origin that went while we wait for a client. */
        if (c->stage == HELLO || flow_len(&c->up)) {
            (void)err_set(&c->why, ERR_TRANSIENT, "the connection broke");
            connection_broken(c);
        }
        loop_remove(c->stream_source);
        c->stream_source = NULL;
        return;
    }
    run(c);
}

static void on_timer(void *arg)
{
    struct connection *c = arg;
    int64_t now = clock_mono_ms();
    int64_t left = c->moved_ms + (int64_t)c->spec.setup->idle_ms - now;

    c->timer = NULL;
    if (c->stage == RELAY && left > 0) {
        enter(c, RELAY, (uint64_t)left);
        return;
    }
    if (c->stage == HEAD && flow_len(&c->up)) {
        (void)err_set(&c->why, ERR_USER, "the request came too slowly");
        refuse(c, VERDICT_REQUEST, 408);
        run(c);
        return;
    }
    if (c->stage == HELLO) {
        (void)err_set(&c->why, ERR_USER, "the client began no TLS");
        refuse_tls(c);
        run(c);
        return;
    }
    if (c->stage == HANDSHAKE) {
        (void)err_set(&c->why, ERR_TRANSIENT, "%s: TLS took too long",
                      c->request.host);
        refuse(c, VERDICT_FAILED, 502);
        run(c);
        return;
    }
    connection_end(c);
}

/* ---- the whole ------------------------------------------------------------
 */

int connection_new(const struct connection_spec *spec, int client,
                   struct connection **out_connection, struct err *err)
{
    CLEANUP(connection) struct connection *c = xcalloc(1, sizeof(*c));

    c->spec = *spec;
    c->client = client;
    c->head = (struct strbuf)STRBUF_MAX(4 * PROXY_HEAD_MAX_BYTES);
    c->began_ms = clock_mono_ms();
    if (loop_add_fd(spec->loop, client, EPOLLIN, on_client, c,
                    &c->client_source, err) < 0)
        return -1;
    enter(c, HEAD, spec->setup->head_ms);
    *out_connection = STEAL(c);
    return 0;
}

void connection_free(struct connection *c)
{
    if (!c)
        return;
    unwatch(c);
    dial_free(c->dial);
    stream_free(c->stream);
    fd_close(&c->client);
    flow_clear(&c->up);
    flow_clear(&c->down);
    if (c->head.len)
        mem_wipe(c->head.data, c->head.len);
    strbuf_clear(&c->head);
    proxy_request_clear(&c->request);
    free(c);
}

/* What has not gone yet does not go; of what has, no answer comes. */
void connection_hold(struct connection *c, const struct setup_injects *next)
{
    if (!c->inject)
        return;
    c->inject = setup_injects_find(next, c->inject);
    if (c->inject || c->stage == OVER || c->stage == FAREWELL)
        return;
    (void)err_set(&c->why, ERR_USER,
                  "the step that '%s' was asked with a secret for has ended",
                  c->request.host);
    c->verdict = VERDICT_REQUEST;
    if (c->stage == DIALLING || c->stage == HANDSHAKE)
        refuse(c, VERDICT_REQUEST, 403);
    else
        connection_end(c);
}

void connection_limit(struct connection *c)
{
    if (c->stage == OVER || c->stage == FAREWELL)
        return;
    c->verdict = VERDICT_LIMIT;
    (void)err_set(&c->why, ERR_USER,
                  "the job has used up the %llu bytes that it may send and "
                  "receive (gateway.max_bytes of the worker)",
                  (unsigned long long)c->spec.setup->max_bytes);
    if (c->stage == HEAD || c->stage == DIALLING)
        refuse(c, VERDICT_LIMIT, 403);
    else
        connection_end(c);
}

json_t *connection_report(const struct connection *c)
{
    static const char *const words[] = {
        [VERDICT_ALLOWED] = "allowed", [VERDICT_HOST] = "host",
        [VERDICT_ADDRESS] = "address", [VERDICT_SNI] = "sni",
        [VERDICT_REQUEST] = "request", [VERDICT_LIMIT] = "limit",
        [VERDICT_FAILED] = "failed",
    };
    char address[ADDRESS_TEXT_SIZE] = "";

    if (!*c->request.host && c->verdict == VERDICT_ALLOWED)
        return NULL;
    if (!IN6_IS_ADDR_UNSPECIFIED(&c->address))
        (void)address_format(&c->address, address);
    return json_pack("{s:s, s:i, s:s, s:I, s:I, s:I, s:s, s:s}", "host",
                     c->request.host, "port", (int)c->request.port, "address",
                     address, "up", (json_int_t)c->up_bytes, "down",
                     (json_int_t)c->down_bytes, "ms",
                     (json_int_t)(clock_mono_ms() - c->began_ms), "verdict",
                     words[c->verdict], "message",
                     c->verdict == VERDICT_ALLOWED ? "" : c->why.msg);
}
