/* worker/gateway/relay/confined.h - give up what a relay does not need. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_GATEWAY_RELAY_CONFINED_H
#define WORKER_GATEWAY_RELAY_CONFINED_H

#include "worker/gateway/relay/setup.h"

/**
 * Become `uid` (and gid) unless it is 0 or ours, with no group and no
 * capability; no way to gain any; not to be traced or dumped; killed with the
 * parent; no file to write, a bounded memory.
 */
MUST_USE int confined(uid_t uid, struct err *err);

/**
 * When all is set up, and before a byte of the sandbox is read: only the files
 * that names and certificates are looked up in can be read (where the kernel
 * has Landlock), those of `setup` among them, none written or executed; and
 * only the system calls are left that move bytes between connections, and
 * threads, in which libcurl looks up names. Any other fails with EPERM.
 */
MUST_USE int confined_rest(const struct relay_setup *setup, struct err *err);

#endif
