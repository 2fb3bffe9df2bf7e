/* base/confine_network.h - what is left to who only moves bytes. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CONFINE_NETWORK_H
#define BASE_CONFINE_NETWORK_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct strv;

/*
 * For programs between a sandbox and the network: confine_network() first, and
 * confine_network_rest() when all is set up, before a byte of a stranger's is
 * read. `threads`: it may start these. ERR_TRANSIENT. For who is linked with
 * libseccomp.
 */

/**
 * Become `uid` (and gid) unless it is 0 or ours, with no group and no
 * capability; no way to gain any; not to be traced or dumped; killed with the
 * parent; no process of its own, no file to write, `most_bytes` of memory.
 */
MUST_USE int confine_network(uid_t uid, uint64_t most_bytes, bool threads,
                             struct err *err);

/**
 * Only the files that names are looked up in, and `reads`, absolute paths, can
 * be read (where the kernel has Landlock), none written or executed; and only
 * the system calls are left that move bytes between connections. Any other
 * fails with EPERM.
 */
MUST_USE int confine_network_rest(const struct strv *reads, bool threads,
                                  struct err *err);

#endif
