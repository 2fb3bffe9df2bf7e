/* worker/gateway/stream.c - bytes to and from an origin, plain or by TLS. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/gateway/stream.h"

#include "base/fd.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct stream {
    int fd;         /* owned */
    SSL *ssl;       /* owned; NULL: plain */
    uint32_t wants; /* of the last call */
};

struct stream *stream_plain(int fd)
{
    struct stream *stream = xcalloc(1, sizeof(*stream));

    stream->fd = fd;
    return stream;
}

/* The library's reason, of its queue of errors the first. */
static int tls_error(struct err *err, const char *what)
{
    const char *why = ERR_reason_error_string(ERR_peek_error());

    ERR_clear_error();
    return err_set(err, ERR_TRANSIENT, "%s: %s", what,
                   why ? why : "the connection broke");
}

int stream_context(SSL_CTX **out_context, struct err *err)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());

    if (!context || SSL_CTX_set_default_verify_paths(context) != 1 ||
        SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1) {
        SSL_CTX_free(context);
        return tls_error(err, "cannot set TLS up");
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    *out_context = context;
    return 0;
}

int stream_tls(int fd, SSL_CTX *context, const char *host,
               struct stream **out_stream, struct err *err)
{
    static const unsigned char http[] = "\x08http/1.1";
    CLEANUP(stream) struct stream *stream = stream_plain(fd);

    ERR_clear_error();
    stream->ssl = SSL_new(context);
    if (!stream->ssl || SSL_set_fd(stream->ssl, fd) != 1 ||
        SSL_set_tlsext_host_name(stream->ssl, host) != 1 ||
        SSL_set1_host(stream->ssl, host) != 1 ||
        SSL_set_alpn_protos(stream->ssl, http, sizeof(http) - 1) != 0)
        return tls_error(err, "cannot set TLS up");
    SSL_set_hostflags(stream->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    SSL_set_connect_state(stream->ssl);
    *out_stream = STEAL(stream);
    return 0;
}

void stream_free(struct stream *stream)
{
    if (!stream)
        return;
    SSL_free(stream->ssl);
    fd_close(&stream->fd);
    free(stream);
}

int stream_fd(const struct stream *stream)
{
    return stream->fd;
}

/* What became of a call of the TLS library that returned `rc`. */
static ssize_t tls_result(struct stream *stream, int rc, struct err *err)
{
    long verified;

    switch (SSL_get_error(stream->ssl, rc)) {
    case SSL_ERROR_NONE:
        return rc;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_WANT_READ:
        stream->wants = EPOLLIN;
        return STREAM_AGAIN;
    case SSL_ERROR_WANT_WRITE:
        stream->wants = EPOLLOUT;
        return STREAM_AGAIN;
    default:
        break;
    }
    verified = SSL_get_verify_result(stream->ssl);
    if (verified == X509_V_OK)
        return tls_error(err, "TLS failed");
    ERR_clear_error();
    return err_set(err, ERR_TRANSIENT, "its certificate is not trusted: %s",
                   X509_verify_cert_error_string(verified));
}

static ssize_t plain_result(struct stream *stream, ssize_t n, uint32_t wants,
                            struct err *err)
{
    if (n >= 0)
        return n;
    if (errno == EAGAIN || errno == EINTR) {
        stream->wants = wants;
        return STREAM_AGAIN;
    }
    return err_sys(err, ERR_TRANSIENT, "the connection broke");
}

int stream_handshake(struct stream *stream, struct err *err)
{
    stream->wants = 0;
    if (!stream->ssl)
        return 1;
    ERR_clear_error();
    return (int)tls_result(stream, SSL_do_handshake(stream->ssl), err);
}

ssize_t stream_read(struct stream *stream, void *data, size_t len,
                    struct err *err)
{
    stream->wants = 0;
    if (!stream->ssl)
        return plain_result(stream, read(stream->fd, data, len), EPOLLIN, err);
    ERR_clear_error();
    return tls_result(
        stream, SSL_read(stream->ssl, data, len > INT_MAX ? INT_MAX : (int)len),
        err);
}

ssize_t stream_write(struct stream *stream, const void *data, size_t len,
                     struct err *err)
{
    stream->wants = 0;
    if (!stream->ssl)
        return plain_result(stream, write(stream->fd, data, len), EPOLLOUT,
                            err);
    ERR_clear_error();
    return tls_result(
        stream,
        SSL_write(stream->ssl, data, len > INT_MAX ? INT_MAX : (int)len), err);
}

void stream_finish(struct stream *stream)
{
    if (stream->ssl)
        (void)SSL_shutdown(stream->ssl);
    else
        (void)shutdown(stream->fd, SHUT_WR);
    ERR_clear_error();
}

uint32_t stream_wants(const struct stream *stream)
{
    return stream->wants;
}

bool stream_has_more(const struct stream *stream)
{
    return stream->ssl && SSL_has_pending(stream->ssl);
}
