/* worker/gateway/proxy_request.h - what a client asks of an HTTP proxy. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_GATEWAY_PROXY_REQUEST_H
#define WORKER_GATEWAY_PROXY_REQUEST_H

#include "base/host_rule.h"
#include "base/strbuf.h"

#define PROXY_HEAD_MAX_BYTES ((size_t)32 << 10) /* line and fields */
#define PROXY_MAX_FIELDS     100

enum proxy_body_kind { BODY_NONE, BODY_LENGTH, BODY_CHUNKED };

/** Start zeroed. */
struct proxy_request {
    bool connect; /* CONNECT host:port; else a method with http://host… */
    char host[HOST_NAME_SIZE];
    uint16_t port;
    char *method; /* owned; NULL for CONNECT, as are the following */
    char *path;   /* owned: "/a?b" */
    struct strv names, values; /* owned: fields for the origin, Host not */
    enum proxy_body_kind body;
    uint64_t length; /* BODY_LENGTH */
    bool tls; /* false; the caller's to set: 443 is what goes unsaid, not 80 */
};

/**
 * Parse the head of an HTTP/1.1 or 1.0 request to a proxy (RFC 9112). Returns
 * how many bytes it has, and fills the zeroed `*out_request`; 0 when it is not
 * whole yet; -1 with ERR_USER when it is refused, `*out_status` being the
 * status to answer with.
 *
 * Refused is all that two programs could understand in two ways: lines without
 * CR LF, folded fields, blanks before a colon, control characters, two Host or
 * Content-Length fields or one of these beside Transfer-Encoding, any coding
 * but one `chunked`, a Host that is not that of the target, user names in it, a
 * body of CONNECT. Of the fields that are for the next hop alone (RFC 9110,
 * 7.6.1), and those that Connection names, none is in `names`.
 */
MUST_USE int64_t proxy_request_parse(const char *data, size_t len,
                                     struct proxy_request *out_request,
                                     int *out_status, struct err *err);

/**
 * Whether its method is one whose answer is not made of the request's fields,
 * as that of TRACE is (RFC 9110, 9.3.8): GET, HEAD, POST, PUT, PATCH, DELETE,
 * OPTIONS, in capitals.
 */
bool proxy_request_is_plain(const struct proxy_request *request);

/** A field to send in place of the client's own of that name. */
struct proxy_field {
    const char *name, *value;
};

/** The head as the origin gets it, asked to close the connection behind it. */
void proxy_request_write(const struct proxy_request *request,
                         const struct proxy_field *field, struct strbuf *out);

void proxy_request_clear(struct proxy_request *request);
UNUSED static inline void proxy_request_freep(struct proxy_request *request)
{
    proxy_request_clear(request);
}

/** How far a body has come. Start with its request's kind and length. */
struct proxy_body {
    enum proxy_body_kind kind;
    uint64_t left; /* BODY_LENGTH: all; BODY_CHUNKED: of this chunk */
    int state;     /* of BODY_CHUNKED; private, like the next */
    unsigned digits;
    bool over; /* nothing more belongs to it */
};

void proxy_body_init(struct proxy_body *body,
                     const struct proxy_request *request);
/**
 * How many of `len` bytes belong to the body; -1 for chunks that are malformed,
 * have extensions, or fields behind them. What is behind the body is none of
 * the origin's business.
 */
int64_t proxy_body_take(struct proxy_body *body, const char *data, size_t len);

#endif
