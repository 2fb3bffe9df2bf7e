/* worker/gateway/dial.h - a connection to a host, at an address that may be. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_GATEWAY_DIAL_H
#define WORKER_GATEWAY_DIAL_H

#include "worker/gateway/resolver.h"
#include "worker/gateway/setup.h"

struct dial;

/**
 * Once, from the loop: the connected non-blocking socket, the caller's from now
 * on, and the address that it leads to; or -1 and why not: ERR_USER when no
 * address of the host may be reached, ERR_TRANSIENT when none answers.
 */
typedef void dial_fn(void *arg, int fd, const struct in6_addr *address,
                     const struct err *err);

struct dial_spec {
    struct loop *loop; /* these three borrowed, and outlive it */
    struct resolver *resolver;
    const struct setup *setup; /* allow_addresses, own_hosts, connect_ms */
    const char *host;          /* copied */
    uint16_t port;
    dial_fn *fn;
    void *arg;
};

/**
 * Look the host up, once, and connect to the first of those addresses that may
 * be reached and answers; it is looked up no second time, so an answer that
 * changes meanwhile leads nowhere. All within connect_ms.
 */
struct dial *dial_start(const struct dial_spec *spec);
/** No callback after it. NULL is fine. */
void dial_free(struct dial *dial);
OWNER(dial)

#endif
