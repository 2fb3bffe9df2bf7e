/* worker/gateway/relay/desk.h - who may ask a model, and for how long. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_GATEWAY_RELAY_DESK_H
#define WORKER_GATEWAY_RELAY_DESK_H

#include "base/channel.h"
#include "worker/gateway/relay/setup.h"

struct desk;

/** Requests under way at a time, and connections. */
#define DESK_MAX_REQUESTS 8
#define DESK_MAX_GUESTS   16

/**
 * Serve `listener`, a non-blocking listening socket, borrowed like the rest;
 * all that is told goes `up` (protocol.h).
 */
MUST_USE int desk_new(struct loop *loop, struct relay_setup *setup,
                      int listener, struct channel *up, struct desk **out_desk,
                      struct err *err);
/** A step may ask from now on, as RELAY_FRAME_BEGIN has it. ERR_BUG. */
MUST_USE int desk_begin(struct desk *desk, const void *data, size_t len,
                        struct err *err);
/** It may not any more: what is under way ends, and is counted. */
void desk_end(struct desk *desk);
/** NULL is fine. */
void desk_free(struct desk *desk);
OWNER(desk)

#endif
