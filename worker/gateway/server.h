/* worker/gateway/server.h - the listener of a sandbox, and its connections. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_GATEWAY_SERVER_H
#define WORKER_GATEWAY_SERVER_H

#include "base/channel.h"
#include "worker/gateway/setup.h"

struct server;

/**
 * Serve `listener`, a non-blocking listening socket, borrowed like the rest:
 * at most setup's max_connections at once and max_rate a second (further ones
 * wait in the kernel), max_bytes in all. Each that ends is reported on `up`; no
 * new one is taken while reports pile up there.
 */
MUST_USE int server_new(struct loop *loop, const struct setup *setup,
                        int listener, struct channel *up,
                        struct server **out_server, struct err *err);
/** The fields to inject become `next`, which is about to be its setup's. */
void server_hold(struct server *server, const struct setup_injects *next);
/** Take no more, and report all that are under way, as they are. */
void server_settle(struct server *server);
/** Ends every connection. NULL is fine. */
void server_free(struct server *server);
OWNER(server)

#endif
