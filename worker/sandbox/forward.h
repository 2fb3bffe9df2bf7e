/* worker/sandbox/forward.h - a port inside, reached from this host. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SANDBOX_FORWARD_H
#define WORKER_SANDBOX_FORWARD_H

#include "worker/sandbox/sandbox.h"

/*
 * Listens on a free port of 127.0.0.1 and passes HTTP connections on to a port
 * of the sandbox's loopback, by the agent: no path of the network leads in or
 * out. A connection is let through whose first request shows the token, as the
 * first label of Host (http://TOKEN.localhost:PORT/, which browsers and curl
 * take to be this host, and where a page has an origin of its own) or as
 * `Authorization: Bearer TOKEN`; all others get 403. Eight at a time, further
 * ones wait.
 */
struct forward;

/** All borrowed and alive until forward_free(). */
struct forward_spec {
    struct loop *loop;
    const struct sandbox_driver *driver;
    struct sandbox *sandbox;
    unsigned port; /* inside */
};

/** ERR_TRANSIENT when this host has no port or descriptor. Owned. */
MUST_USE int forward_start(const struct forward_spec *spec,
                           struct forward **out_forward, struct err *err);
/** Closes the port and all connections. NULL is fine. */
void forward_free(struct forward *forward);
OWNER(forward)

/** "http://TOKEN.localhost:PORT/": who has it gets in. Borrowed. */
const char *forward_url(const struct forward *forward);

#endif
