/* base/resolve.h - the addresses of a host, while the loop goes on. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_RESOLVE_H
#define BASE_RESOLVE_H

#include "base/loop.h"

#include <stdbool.h>

#define RESOLVE_MAX 16 /* addresses of a name; the others are left out */

/**
 * A name is looked up the way the host is set up for it (nsswitch.conf,
 * /etc/hosts, DNS): by getent of the C library, for its getaddrinfo() blocks.
 */
struct resolve;

/**
 * Told once, from the loop: numeric addresses in the order in which they are
 * to be tried (RFC 6724), lent; or `err`, ERR_TRANSIENT: there are none, or
 * they did not come within 10 s. resolve_free() is allowed in it, and needed
 * afterwards.
 */
typedef void resolve_fn(void *arg, const struct strv *addresses,
                        const struct err *err);

/** Is it an address already, of IPv4 or IPv6? Never blocks. */
bool resolve_is_address(const char *host);

/** Look `name` up. ERR_TRANSIENT: there is no getent, or it cannot start. */
MUST_USE int resolve_start(struct loop *loop, const char *name, resolve_fn *fn,
                           void *arg, struct resolve **out_resolve,
                           struct err *err);
/** Stops it, without a callback. NULL is fine. */
void resolve_free(struct resolve *resolve);
OWNER(resolve)

#endif
