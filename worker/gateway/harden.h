/* worker/gateway/harden.h - give up what a gateway does not need. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_GATEWAY_HARDEN_H
#define WORKER_GATEWAY_HARDEN_H

#include "base/err.h"

#include <sys/types.h>

/**
 * Become `uid` (and gid) unless it is 0 or ours, with no group and no
 * capability; no way to gain any; not to be traced or dumped; killed with the
 * parent; no process of its own, no file to write, a bounded memory.
 */
MUST_USE int harden(uid_t uid, struct err *err);

/**
 * When all is set up, and before a byte of the sandbox is read: only the files
 * that names and certificates are looked up in can be read (where the kernel
 * has Landlock), none written or executed; and only the system calls are left
 * that move bytes between connections. Any other fails with EPERM.
 */
MUST_USE int harden_rest(struct err *err);

#endif
