/* worker/gateway/client.h - run a gateway from inside a poll loop. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_GATEWAY_CLIENT_H
#define WORKER_GATEWAY_CLIENT_H

#include "base/loop.h"

#include <jansson.h>

/* One handle is one `gateway` process. Links with jansson alone. */
struct gateway;

/** A connection that has ended; as GATEWAY_FRAME_CONNECTION has it. */
struct gateway_event {
    const char *host; /* "" when none was understood */
    unsigned port;
    const char *address; /* "" when none was connected to */
    uint64_t up_bytes, down_bytes;
    int64_t ms;
    const char *verdict; /* "allowed", or why not */
    const char *message; /* for a person; "" when allowed */
};

struct gateway_spec {
    struct loop *loop;   /* borrowed; outlives the gateway */
    int listener;        /* a listening socket, borrowed during the call */
    unsigned uid;        /* to run as; 0: as we do */
    const json_t *setup; /* protocol.h; borrowed during the call */
    int64_t hold_ms;     /* how long it may take to hold; 0: GATEWAY_HOLD_MS */
    /** Once: it listens, or `err` says why not. */
    void (*on_ready)(void *arg, const struct err *err);
    void (*on_event)(void *arg, const struct gateway_event *event);
    /** What gateway_hold() last asked for is so. May be NULL. */
    void (*on_held)(void *arg);
    /** Once, after on_ready without an error: it is dead. */
    void (*on_lost)(void *arg, const struct err *err);
    void *arg;
};

/**
 * Start one. Callbacks come from the loop, and gateway_stop() is fine in them.
 */
MUST_USE int gateway_start(const struct gateway_spec *spec,
                           struct gateway **out_gateway, struct err *err);
/**
 * Have it inject `fields`, a list as "inject" of its setup, borrowed, in place
 * of all that it had; it has begun. on_held follows, or on_lost: also when it
 * does not answer in time.
 */
#define GATEWAY_HOLD_MS 10000
void gateway_hold(struct gateway *gateway, const json_t *fields);
/**
 * End every connection; their reports come, then on_lost with an `err` of
 * ERR_CANCELLED. For who waits for that, a second at most is enough.
 */
void gateway_settle(struct gateway *gateway);
/**
 * Kill it, connections and all, and reap it. Reports that have not been read
 * are lost. NULL is fine.
 */
void gateway_stop(struct gateway *gateway);

#endif
