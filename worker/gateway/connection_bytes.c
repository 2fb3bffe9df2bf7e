/* worker/gateway/connection_bytes.c - a connection's bytes on their way. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "worker/gateway/connection_impl.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINGER_BYTES ((size_t)1 << 20) /* of a client that was refused */

static void note_moved(struct connection *c, uint64_t *counter, size_t bytes)
{
    *counter += bytes;
    c->moved_ms = clock_mono_ms();
    if (!c->spec.spend(c->spec.arg, bytes))
        connection_limit(c);
}

/* Of what lies behind the end of `up`, take what belongs to the request. */
void connection_take_body(struct connection *c, size_t len)
{
    int64_t n = (int64_t)len;
    char *at = c->up.data + c->up.end;

    if (c->request.connect) {
        flow_add(&c->up, len);
        return;
    }
    n = proxy_body_take(&c->body, at, len);
    if (n < 0) {
        c->verdict = VERDICT_REQUEST;
        (void)err_set(&c->why, ERR_USER,
                      "the body of a request to '%s' is malformed",
                      c->request.host);
        connection_end(c);
        return;
    }
    flow_add(&c->up, (size_t)n);
    c->up.ended = c->body.over;
}

bool connection_wants_client(const struct connection *c)
{
    if (c->stage == HEAD || c->stage == HELLO || c->stage == RELAY)
        return !c->up.ended && !flow_is_full(&c->up);
    return c->stage == FAREWELL && c->down.passed;
}

static void discard(struct connection *c, size_t len)
{
    c->lingered += len;
    if (c->lingered > LINGER_BYTES)
        connection_end(c);
}

/* One read from the client; whether there was something. */
bool connection_read_client(struct connection *c)
{
    size_t space;
    char *at = flow_space(&c->up, &space);
    ssize_t n = read(c->client, at, space);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n <= 0) {
        c->up.ended = true;
        /* Who asks for nothing more gets the answer; others are gone. */
        if (n < 0 || c->stage != RELAY || !(c->request.connect || c->body.over))
            connection_end(c);
        return c->stage == RELAY;
    }
    if (c->stage == FAREWELL)
        discard(c, (size_t)n);
    else if (c->stage == RELAY)
        connection_take_body(c, (size_t)n);
    else
        flow_add(&c->up, (size_t)n);
    return true;
}

bool connection_write_client(struct connection *c)
{
    ssize_t n = flow_len(&c->down)
                    ? write(c->client, flow_at(&c->down), flow_len(&c->down))
                    : 0;

    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        connection_end(c);
        return false;
    }
    if (n > 0) {
        flow_drop(&c->down, (size_t)n);
        if (c->stage == RELAY)
            note_moved(c, &c->down_bytes, (size_t)n);
    }
    if (flow_is_over(&c->down) && !c->down.passed) {
        c->down.passed = true;
        (void)shutdown(c->client, SHUT_WR);
    }
    return n > 0;
}

void connection_broken(struct connection *c)
{
    c->verdict = VERDICT_FAILED;
    (void)err_wrap(&c->why, "%s", c->request.host);
    connection_end(c);
}

static bool read_stream(struct connection *c)
{
    size_t space;
    char *at = flow_space(&c->down, &space);
    ssize_t n = stream_read(c->stream, at, space, &c->why);

    if (n == STREAM_AGAIN)
        return false;
    if (n < 0) {
        connection_broken(c);
        return false;
    }
    if (n == 0)
        c->down.ended = true;
    flow_add(&c->down, (size_t)n);
    return true;
}

static bool write_stream(struct connection *c)
{
    bool head = c->head.len > 0;
    size_t len = head ? c->head.len : flow_len(&c->up);
    ssize_t n =
        len ? stream_write(c->stream, head ? c->head.data : flow_at(&c->up),
                           len, &c->why)
            : 0;

    if (n == STREAM_AGAIN)
        return false;
    if (n < 0) {
        connection_broken(c);
        return false;
    }
    if (head)
        strbuf_consume(&c->head, (size_t)n);
    else
        flow_drop(&c->up, (size_t)n);
    if (n > 0)
        note_moved(c, &c->up_bytes, (size_t)n);
    /* A request's end is seen in itself, and some take a half-closed
     * connection for one that was given up. */
    if (c->request.connect && flow_is_over(&c->up) && !c->up.passed) {
        c->up.passed = true;
        stream_finish(c->stream);
    }
    return n > 0;
}

bool connection_relay(struct connection *c)
{
    bool moved = write_stream(c);

    if (c->stage == RELAY && !c->down.ended && !flow_is_full(&c->down))
        moved |= read_stream(c);
    if (c->stage == RELAY && c->down.passed &&
        (c->up.passed || !c->request.connect))
        connection_end(c);
    return moved;
}
