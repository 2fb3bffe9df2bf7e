/* base/http.h - HTTP requests by libcurl, in the poll loop. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_HTTP_H
#define BASE_HTTP_H

#include "base/loop.h"
#include "base/strbuf.h"

#include <stdint.h>

/** The connections that a process keeps open in one loop. */
struct http;
/** A request under way. */
struct http_call;

/**
 * Called with bytes of the answer's body as they come; -1 ends the call. It
 * may not send or cancel anything.
 */
typedef int http_data_fn(void *arg, const void *data, size_t len);

struct http_response {
    int status;       /* 200, 404 …; of the last answer (not 1xx) */
    const char *body; /* with a NUL behind it; "" with on_data. Borrowed */
    size_t len;
    const struct strv *headers; /* "Name: value" of it, as they came */
};

/**
 * The end of a call: `err` NULL and a whole answer, whatever its status, or
 * `response` NULL. From the loop, never from inside http_send(). It may send
 * and cancel others, but not free the `http`.
 */
typedef void http_done_fn(void *arg, const struct http_response *response,
                          const struct err *err);

/** A body that is read from a descriptor, from its beginning on (pread). */
struct http_upload {
    int fd; /* borrowed until the call ends */
    uint64_t len;
};

/**
 * Sign as Amazon's services have it, version 4, by libcurl. What old ones of it
 * get wrong is the caller's to avoid: the query is sorted and encoded, the path
 * encoded once, and "Host" and "x-amz-content-sha256" are among the headers.
 */
struct http_sign {
    const char *scope; /* "aws:amz:REGION:SERVICE" */
    const char *key_id, *secret;
};

/** All borrowed, for the duration of the call of http_send(). */
struct http_request {
    const char *method;         /* GET, HEAD, POST, PUT, DELETE … */
    const char *url;            /* http:// or https:// */
    const char *unix_socket;    /* connect to it; NULL: where the url says */
    const char *const *headers; /* "Name: value", NULL at its end; or NULL */
    const void *body;           /* copied; NULL: none */
    size_t body_len;
    const struct http_upload *upload; /* in place of `body`; NULL: none */
    const struct http_sign *sign;     /* NULL: it is not signed */
    const char *ca_file; /* trust who is in it alone; NULL: see http_send() */
    bool once; /* do not send it again, as libcurl does by itself when a kept
                  connection ends without an answer: it gets one of its own */
    int64_t timeout_ms;    /* from http_send() to the end; above 0 */
    int64_t stall_ms;      /* as long may nothing come or go; 0: any time */
    size_t max_bytes;      /* of the answer's body; one larger is an error */
    http_data_fn *on_data; /* NULL: gather it */
    http_done_fn *done;
    void *arg; /* for both */
};

/** ERR_TRANSIENT when libcurl cannot start. */
MUST_USE int http_new(struct loop *loop, struct http **out_http,
                      struct err *err);
/** Ends all calls without calling back. NULL is fine. */
void http_free(struct http *http);
OWNER(http)

/**
 * Send a request. No redirect is followed, nothing is decompressed, no cookie
 * and no password of the user's files is sent; TLS is checked against the
 * host's trust store (SSL_CERT_FILE, SSL_CERT_DIR), and proxies are those of
 * the environment, but none for a unix socket. Headers of an answer are at
 * most 64 KiB. Errors reach `done`: ERR_TIMEOUT after `timeout_ms` or
 * `stall_ms`, ERR_USER for a certificate
 * that is not trusted, ERR_TRANSIENT for all else, the message naming the host
 * or socket.
 *
 * `*out_call` (NULL is fine) is valid until `done`. -1 and ERR_BUG for a
 * request that cannot be one.
 */
MUST_USE int http_send(struct http *http, const struct http_request *request,
                       struct http_call **out_call, struct err *err);
/** No callback comes any more. NULL is fine. */
void http_cancel(struct http_call *call);

/** Of the answer that is coming (on_data): 200, 404 …; 0 before it. */
int http_call_status(struct http_call *call);

/** Whether a request left for the server: it may have read it. */
bool http_call_has_sent(struct http_call *call);

/** The value of the first header of this name, any case; NULL: none. */
const char *http_header(const struct http_response *response, const char *name);

/**
 * Milliseconds since 1970 of a header's date, in any of the three forms of
 * RFC 9110, 5.6.7; -1 for what is none.
 */
int64_t http_date_ms(const char *text);

/**
 * For one-shot programs: send, and turn the loop until the answer is there.
 * `done` and `arg` of `request` are not used (`arg` goes to on_data). The body
 * is added to `out_body` (NULL: thrown away).
 */
MUST_USE int http_run(struct http *http, const struct http_request *request,
                      int *out_status, struct strbuf *out_body,
                      struct err *err);

#endif
