/* worker/gateway/connection.h - one connection out of a sandbox. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_GATEWAY_CONNECTION_H
#define WORKER_GATEWAY_CONNECTION_H

#include "worker/gateway/resolver.h"
#include "worker/gateway/setup.h"

#include <jansson.h>
#include <openssl/types.h>

/*
 * A client asks for a host and gets it, or is told why not:
 *
 *   head ─▶ allowed? ─▶ dial ─┬▶ 200 ─▶ ClientHello ─▶ its name? ─▶ relay
 *                             └▶ (TLS ─▶) rewritten head ─▶ relay
 *
 * It serves one request. Nothing of a client's bytes goes on before all has
 * been checked, and behind a request of plain HTTP nothing goes on at all.
 */
struct connection;

/** Why it ended as it did; the words are in protocol.h. */
enum verdict {
    VERDICT_ALLOWED,
    VERDICT_HOST,    /* no rule allows the host */
    VERDICT_ADDRESS, /* none of its addresses may be reached */
    VERDICT_SNI,     /* no TLS, or TLS with another host */
    VERDICT_REQUEST, /* what the client sent is malformed */
    VERDICT_LIMIT,   /* the job used up its bytes */
    VERDICT_FAILED,  /* the host cannot be reached */
};

struct connection_spec {
    struct loop *loop; /* all borrowed, and outlive it */
    struct resolver *resolver;
    const struct setup *setup;
    SSL_CTX *context; /* NULL: no field of `setup` goes by TLS */
    /** So many bytes more have passed: false when that was too much. */
    bool (*spend)(void *arg, size_t bytes);
    /** Once, when there is nothing to add to connection_report(). */
    void (*on_report)(void *arg, const struct connection *connection);
    /** It is over, and may be freed here. From the loop. */
    void (*on_end)(void *arg, struct connection *connection);
    void *arg;
};

/** `client` is a non-blocking socket, the connection's, also on failure. */
MUST_USE int connection_new(const struct connection_spec *spec, int client,
                            struct connection **out_connection,
                            struct err *err);
void connection_free(struct connection *connection);
OWNER(connection)

/** Call on_report, unless that was done. */
void connection_settle(struct connection *connection);
/**
 * The fields to inject become `next`, which outlives it: one that has a field
 * which is not among them is ended.
 */
void connection_hold(struct connection *connection,
                     const struct setup_injects *next);
/** End what is under way; on_end follows from the loop. */
void connection_limit(struct connection *connection);

/**
 * GATEWAY_FRAME_CONNECTION of one that has ended, the caller's (json_decref);
 * NULL when the client went without a word.
 */
MUST_USE json_t *connection_report(const struct connection *connection);

#endif
