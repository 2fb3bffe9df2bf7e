/* worker/gateway/stream.h - bytes to and from an origin, plain or by TLS. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_GATEWAY_STREAM_H
#define WORKER_GATEWAY_STREAM_H

#include "base/err.h"

#include <openssl/types.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct stream;

/** Over a connected non-blocking socket, which is the stream's from now on. */
struct stream *stream_plain(int fd);

/**
 * A context that verifies certificates by the host's trust store, or by
 * SSL_CERT_FILE and SSL_CERT_DIR. The caller's (SSL_CTX_free).
 */
MUST_USE int stream_context(SSL_CTX **out_context, struct err *err);
/**
 * The same by TLS 1.2 or later, for HTTP/1.1, with a certificate of `host`. The
 * socket is the stream's, also on failure.
 */
MUST_USE int stream_tls(int fd, SSL_CTX *context, const char *host,
                        struct stream **out_stream, struct err *err);
/** Closes the socket. NULL is fine. */
void stream_free(struct stream *stream);
OWNER(stream)

int stream_fd(const struct stream *stream);

/** Of these calls: to be tried again when stream_wants() is there. */
#define STREAM_AGAIN (-2)

/** 1 when bytes can go; STREAM_AGAIN; -1 with ERR_TRANSIENT. */
MUST_USE int stream_handshake(struct stream *stream, struct err *err);
/** Bytes, 0 at the end, STREAM_AGAIN, or -1 with ERR_TRANSIENT. */
MUST_USE ssize_t stream_read(struct stream *stream, void *data, size_t len,
                             struct err *err);
MUST_USE ssize_t stream_write(struct stream *stream, const void *data,
                              size_t len, struct err *err);
/** Tell the origin that nothing more comes. */
void stream_finish(struct stream *stream);

/** The events (EPOLLIN, EPOLLOUT) that the last call which failed waits for. */
uint32_t stream_wants(const struct stream *stream);
/** Whether bytes were read already that poll() does not know of. */
bool stream_has_more(const struct stream *stream);

#endif
