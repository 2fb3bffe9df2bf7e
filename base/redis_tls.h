/* base/redis_tls.h - TLS to Redis, where this build has it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_REDIS_TLS_H
#define BASE_REDIS_TLS_H

#include "base/err.h"

struct redisContext; /* <hiredis/hiredis.h> */
struct redis_url;    /* base/redis_url.h */
struct ssl_st;       /* <openssl/ssl.h>, its SSL */

/** Whom to trust and who we are: for any number of connections. */
struct redis_tls;

/** 0, or ERR_USER that says what a build with TLS needs. */
MUST_USE int redis_tls_supported(struct err *err);

/**
 * From the `ca`, `cert`, `key` and `sni` of `url`, which is borrowed. ERR_USER:
 * one of the files is no good.
 */
MUST_USE int redis_tls_new(const struct redis_url *url,
                           struct redis_tls **out_tls, struct err *err);
void redis_tls_free(struct redis_tls *tls);
OWNER(redis_tls)

/**
 * Speak TLS 1.2 or newer on a connection that hiredis is making to `host`,
 * whose certificate must be good and bear that name (or `sni`). Sets
 * `*out_session` (for redis_tls_failed(); owned: redis_tls_end()). On failure
 * the error is that of redis_tls_failed().
 */
MUST_USE int redis_tls_start(const struct redis_tls *tls,
                             struct redisContext *context, const char *host,
                             struct ssl_st **out_session, struct err *err);
/**
 * Say why a connection ended, and return -1. ERR_USER: the server's certificate
 * was refused; ERR_TRANSIENT: `what`. `session` may be NULL: in the clear.
 */
int redis_tls_failed(const struct ssl_st *session, const char *what,
                     struct err *err);
/** NULL is fine. */
void redis_tls_end(struct ssl_st *session);

#endif
