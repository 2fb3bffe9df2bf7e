/* worker/gateway/connection_impl.h - what a connection has in it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_GATEWAY_CONNECTION_IMPL_H
#define WORKER_GATEWAY_CONNECTION_IMPL_H

#include "worker/gateway/connection.h"
#include "worker/gateway/dial.h"
#include "worker/gateway/flow.h"
#include "worker/gateway/proxy_request.h"
#include "worker/gateway/stream.h"

enum stage { HEAD, DIALLING, HANDSHAKE, HELLO, RELAY, FAREWELL, OVER };

struct connection {
    struct connection_spec spec;
    enum stage stage;
    int client; /* owned */
    struct loop_source *client_source, *stream_source;
    struct loop_source *timer; /* the stage's limit, or the next turn */
    struct flow up, down;      /* to the origin, to the client */
    struct proxy_request request;
    struct proxy_body body;
    const struct setup_inject *inject; /* borrowed from the setup; or NULL */
    struct dial *dial;                 /* owned, as the next */
    struct stream *stream;
    struct strbuf head;      /* what the origin gets before the body */
    struct in6_addr address; /* once there is a stream */
    size_t lingered;
    int64_t began_ms, moved_ms; /* moved: the last byte */
    uint64_t up_bytes, down_bytes;
    enum verdict verdict;
    bool reported;
    struct err why;
};

/* No byte goes either way any more. Once over, it is over. */
void connection_end(struct connection *c);

/* What connection_bytes.c does; true: something has moved. */
bool connection_wants_client(const struct connection *c);
bool connection_read_client(struct connection *c);
bool connection_write_client(struct connection *c);
/* In the stage RELAY, to and from the origin. */
bool connection_relay(struct connection *c);
/* Of `len` bytes behind the end of `up`, take what belongs to the request. */
void connection_take_body(struct connection *c, size_t len);
/* The origin's side failed, as `why` says. */
void connection_broken(struct connection *c);

#endif
