/* worker/checkout/stream.h - connections of libgit2 that do not wait. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CHECKOUT_STREAM_H
#define WORKER_CHECKOUT_STREAM_H

#include "base/err.h"

/**
 * From now on libgit2 connects, for http and below TLS, by sockets with
 * TCP_NODELAY. It writes a request's head and body one after the other, and
 * its own sockets keep the body back until the head is acknowledged (Nagle),
 * which the other side delays (RFC 1122, 4.2.3.2): 40 ms for each of the two
 * or three requests of a fetch. ERR_BUG: libgit2 refuses.
 */
MUST_USE int stream_register(struct err *err);

#endif
