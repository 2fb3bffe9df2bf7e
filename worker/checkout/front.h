/* worker/checkout/front.h - checkout --show: a client for other rooms. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CHECKOUT_FRONT_H
#define WORKER_CHECKOUT_FRONT_H

#include "base/err.h"

/**
 * Do what `fd` asks for as protocol.h says, by a checkout of its own, and
 * report it. The error was not reported.
 */
MUST_USE int front_run(int fd, struct err *err);

#endif
