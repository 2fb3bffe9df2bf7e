/* worker/sandbox/network.h - a network for one sandbox. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SANDBOX_NETWORK_H
#define WORKER_SANDBOX_NETWORK_H

#include "base/loop.h"

#include <stdbool.h>
#include <stdint.h>

struct network;

/** `err` NULL: it is up; else it failed, or died after it was up. */
typedef void network_fn(void *arg, const struct err *err);

/** ERR_TRANSIENT, naming the package, when slirp4netns is missing. */
MUST_USE int network_check(struct err *err);

/**
 * Give the network namespace of process `pid` a way out: slirp4netns, which
 * cannot reach the host's loopback and dies with this process. `fn` is called
 * from the loop, once when it is up or has failed, and again if it dies later.
 * `rootless`: it cannot shut itself into a mount namespace then, which takes
 * uid 0 in the user namespace of `pid`; its own filter of calls stays.
 */
MUST_USE int network_start(struct loop *loop, int pid, bool rootless,
                           network_fn *fn, void *arg,
                           struct network **out_network, struct err *err);
/**
 * A listening socket, the caller's, at 127.0.0.1:`port` in the network
 * namespace of process `pid`, by a helper that joins it (`launch --listen`).
 * Blocks some milliseconds, 10 s at most. ERR_TRANSIENT.
 */
MUST_USE int network_listen(int pid, uint16_t port, int *out_fd,
                            struct err *err);

/** Stops it; waits for its end. NULL is fine. */
void network_free(struct network *network);
OWNER(network)

#endif
