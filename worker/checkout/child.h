/* worker/checkout/child.h - start the program that does the work. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CHECKOUT_CHILD_H
#define WORKER_CHECKOUT_CHILD_H

#include "base/strbuf.h"
#include "worker/checkout/protocol.h"

#include <stdbool.h>
#include <sys/types.h>

struct err;

/** A running `checkout`; the descriptors are the caller's. */
struct child {
    pid_t pid;                         /* leads a process group */
    int out;                           /* its stdout; does not block */
    int connections[CONNECTION_COUNT]; /* our ends; -1 without them */
};

/**
 * Start it with `request` on its stdin and `diag` as its stderr, in an
 * environment that has our PATH, trust store and proxies only. It dies with
 * us. ERR_TRANSIENT.
 */
MUST_USE int child_start(const struct strbuf *request, bool connections,
                         int diag, struct child *out_child, struct err *err);

#endif
