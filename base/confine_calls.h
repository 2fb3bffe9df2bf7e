/* base/confine_calls.h - the system calls that are left to a process. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CONFINE_CALLS_H
#define BASE_CONFINE_CALLS_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/** A call that is left only with (argument & mask) == value. */
struct confine_call {
    const char *name;
    unsigned argument; /* counted from 0 */
    uint64_t mask, value;
};

/**
 * From now on fail every system call with EPERM but those of `names`, one
 * after the other with a space between, and those of `calls`, of which one
 * name may come twice. Names that this machine does not know count for
 * nothing. Other machines' calls (x32, i386) end the process. No privilege is
 * to be gained from then on either. ERR_TRANSIENT. For who is linked with
 * libseccomp.
 */
MUST_USE int confine_calls(const char *names, const struct confine_call *calls,
                           size_t count, struct err *err);

#endif
