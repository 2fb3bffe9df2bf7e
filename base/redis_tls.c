/* base/redis_tls.c - TLS to Redis, where this build has it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/redis_tls.h"

#include "base/redis_url.h"

#ifdef HAVE_REDIS_TLS

#include <arpa/inet.h>
#include <hiredis/hiredis.h>
#include <hiredis/hiredis_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

struct redis_tls {
    SSL_CTX *context;            /* owned */
    const struct redis_url *url; /* borrowed */
};

int redis_tls_supported(struct err *err UNUSED)
{
    return 0;
}

void redis_tls_free(struct redis_tls *tls)
{
    if (!tls)
        return;
    SSL_CTX_free(tls->context);
    free(tls);
}

/* The newest error of OpenSSL in words; empties its list. */
static const char *reason(void)
{
    const char *words = ERR_reason_error_string(ERR_peek_last_error());

    ERR_clear_error();
    return words ? words : "unknown error";
}

int redis_tls_new(const struct redis_url *url, struct redis_tls **out_tls,
                  struct err *err)
{
    CLEANUP(redis_tls) struct redis_tls *tls = xcalloc(1, sizeof(*tls));

    tls->url = url;
    tls->context = SSL_CTX_new(TLS_client_method());
    if (!tls->context)
        abort(); /* out of memory: nothing else makes it fail */
    SSL_CTX_set_verify(tls->context, SSL_VERIFY_PEER, NULL);
    if (!SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION))
        return err_set(err, ERR_BUG, "cannot ask for TLS 1.2: %s", reason());
    if (url->ca ? !SSL_CTX_load_verify_locations(tls->context, url->ca, NULL)
                : !SSL_CTX_set_default_verify_paths(tls->context))
        return err_set(err, ERR_USER,
                       "cannot read the trusted certificates '%s': %s",
                       url->ca ? url->ca : "of the system", reason());
    if (url->cert &&
        !SSL_CTX_use_certificate_chain_file(tls->context, url->cert))
        return err_set(err, ERR_USER, "cannot read the certificate '%s': %s",
                       url->cert, reason());
    if (url->key &&
        !SSL_CTX_use_PrivateKey_file(tls->context, url->key, SSL_FILETYPE_PEM))
        return err_set(err, ERR_USER, "cannot use the key '%s': %s", url->key,
                       reason());
    *out_tls = STEAL(tls);
    return 0;
}

static bool is_address(const char *host)
{
    unsigned char bytes[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, host, bytes) == 1 ||
           inet_pton(AF_INET6, host, bytes) == 1;
}

static bool expect(SSL *session, const char *name)
{
    if (is_address(name))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), name);
    return SSL_set_tlsext_host_name(session, name) &&
           SSL_set1_host(session, name);
}

int redis_tls_start(const struct redis_tls *tls, struct redisContext *context,
                    const char *host, struct ssl_st **out_session,
                    struct err *err)
{
    SSL *session = SSL_new(tls->context);

    if (!session)
        abort(); /* out of memory: nothing else makes it fail */
    if (!expect(session, tls->url->sni ? tls->url->sni : host)) {
        SSL_free(session);
        return err_set(err, ERR_USER, "TLS cannot check this name: %s",
                       reason());
    }
    /* hiredis takes one reference over, unless it fails. */
    (void)SSL_up_ref(session);
    if (redisInitiateSSL(context, session) != REDIS_OK) {
        (void)redis_tls_failed(session, context->errstr, err);
        SSL_free(session);
        SSL_free(session);
        return -1;
    }
    *out_session = session;
    return 0;
}

int redis_tls_failed(const struct ssl_st *session, const char *what,
                     struct err *err)
{
    long result = session ? SSL_get_verify_result(session) : X509_V_OK;

    if (result == X509_V_OK)
        return err_set(err, ERR_TRANSIENT, "%s", what);
    return err_set(err, ERR_USER, "the server's certificate: %s",
                   X509_verify_cert_error_string(result));
}

void redis_tls_end(struct ssl_st *session)
{
    SSL_free(session);
}

#else /* hiredis is older than 1.0 */

int redis_tls_supported(struct err *err)
{
    return err_set(err, ERR_USER,
                   "rediss:// needs a berth built with TLS (hiredis 1.0 or "
                   "newer with hiredis_ssl), which this one is not; use "
                   "redis:// through a TLS tunnel, or unix://");
}

int redis_tls_new(const struct redis_url *url UNUSED,
                  struct redis_tls **out_tls UNUSED, struct err *err)
{
    return redis_tls_supported(err);
}

void redis_tls_free(struct redis_tls *tls UNUSED)
{
}

int redis_tls_start(const struct redis_tls *tls UNUSED,
                    struct redisContext *context UNUSED,
                    const char *host UNUSED, struct ssl_st **out_session UNUSED,
                    struct err *err)
{
    return redis_tls_supported(err);
}

int redis_tls_failed(const struct ssl_st *session UNUSED, const char *what,
                     struct err *err)
{
    return err_set(err, ERR_TRANSIENT, "%s", what);
}

void redis_tls_end(struct ssl_st *session UNUSED)
{
}

#endif
