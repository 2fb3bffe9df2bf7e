/* worker/checkout/wire.h - git's protocol over descriptors of the client. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CHECKOUT_WIRE_H
#define WORKER_CHECKOUT_WIRE_H

#include <git2.h>

/**
 * For git_remote_callbacks.transport: a connection takes the next of the
 * descriptors of protocol.h and asks the client for what is behind it. `param`
 * is not used. It fails when they are used up.
 */
int wire_transport(git_transport **out, git_remote *owner, void *param);

#endif
