/* base/redis_topology.h - which server of a Redis to talk to. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_REDIS_TOPOLOGY_H
#define BASE_REDIS_TOPOLOGY_H

#include "base/redis_link.h"

/** Of one URL: its server, its sentinels in turn, or its seeds in turn. */
struct redis_topology;

/** Called once for each redis_topology_find(); NULL: none, and `err` why. */
typedef void redis_topology_fn(void *arg, const struct redis_address *address,
                               const struct err *err);

/**
 * `url` is borrowed. `spec` says how sentinels are talked to, but for their
 * login, which is that of the URL; what it borrows must live as long.
 */
struct redis_topology *redis_topology_new(struct loop *loop,
                                          const struct redis_url *url,
                                          const struct redis_link_spec *spec);
void redis_topology_free(struct redis_topology *topology);
OWNER(redis_topology)

/**
 * Find the server to talk to; `fn` may come from inside the call. Each sentinel
 * is asked once, from the one that answered last; a seed is taken unseen.
 */
void redis_topology_find(struct redis_topology *topology, redis_topology_fn *fn,
                         void *arg);
/** What it found was no good: begin with the next seed or sentinel. */
void redis_topology_reject(struct redis_topology *topology);
/** How many rejections in a row it takes until all have been tried. */
size_t redis_topology_size(const struct redis_topology *topology);

/**
 * Where `MOVED slot host:port` or `ASK …` leads to; an empty host is that of
 * `here`. Returns false for any other text.
 */
bool redis_topology_redirect(const char *reply,
                             const struct redis_address *here,
                             struct redis_address *out);
bool redis_address_same(const struct redis_address *a,
                        const struct redis_address *b);

#endif
