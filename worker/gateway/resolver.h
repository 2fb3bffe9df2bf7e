/* worker/gateway/resolver.h - addresses of names, without blocking. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_GATEWAY_RESOLVER_H
#define WORKER_GATEWAY_RESOLVER_H

#include "base/loop.h"

#include <netinet/in.h>

struct resolver;
struct resolver_query;

/** What is taken of an answer. */
#define RESOLVER_MAX_ADDRESSES 16

/**
 * Once, from the loop or from inside resolver_ask(); IPv4 as ::ffff:a.b.c.d, in
 * the order to try them (RFC 6724). `count` 0: `err` says why.
 */
typedef void resolver_fn(void *arg, const struct in6_addr *addresses,
                         size_t count, const struct err *err);

/**
 * One that asks /etc/hosts, then the name servers of /etc/resolv.conf, as the
 * host's programs do, but takes every name as it is: no search list.
 */
MUST_USE int resolver_new(struct loop *loop, struct resolver **out_resolver,
                          struct err *err);
/** No query calls back after it. NULL is fine. */
void resolver_free(struct resolver *resolver);
OWNER(resolver)

/**
 * Ask for the addresses of `name` of both families. `*out_query` is set before
 * `fn` can be called; the query frees itself behind that call.
 */
void resolver_ask(struct resolver *resolver, const char *name, resolver_fn *fn,
                  void *arg, struct resolver_query **out_query);
/** Its `fn` is not called any more. NULL is fine. */
void resolver_forget(struct resolver_query *query);

#endif
