/* worker/sandbox/seccomp.h - the system calls that a sandbox may make. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SANDBOX_SECCOMP_H
#define WORKER_SANDBOX_SECCOMP_H

#include <jansson.h>

/**
 * OCI's `linux.seccomp` object: a list of calls that are allowed; those that
 * are known and refused fail with EPERM; what the list does not know (newer
 * than it) and clone3 fail with ENOSYS, so that libraries fall back to older
 * calls. The caller owns it (json_decref).
 */
json_t *seccomp_profile(void);

#endif
