/* base/helper.h - a program that does what would block a loop. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_HELPER_H
#define BASE_HELPER_H

#include "base/loop.h"
#include "base/proc.h"

/** One run of it, whose output is gathered while the loop goes on. */
struct helper;

/** All borrowed, for the duration of helper_start(). */
struct helper_spec {
    const char *name;      /* for messages; static */
    struct proc_spec proc; /* its `out` is ours */
    size_t max_output;     /* bytes; what says more is stopped */
    int64_t timeout_ms;    /* then it is stopped */
};

/**
 * It ended, told once and from the loop; helper_free() is allowed in it, and
 * needed afterwards. `err` is NULL when it exited with `status` (0 to 255);
 * else it is ERR_TIMEOUT, ERR_TRANSIENT (somebody killed it) or ERR_BUG (it
 * crashed, or said too much). `output` is lent; it may be written to.
 */
typedef void helper_fn(void *arg, int status, struct strbuf *output,
                       const struct err *err);

/** ERR_TRANSIENT: it cannot be started; ERR_USER: there is no such program. */
MUST_USE int helper_start(struct loop *loop, const struct helper_spec *spec,
                          helper_fn *fn, void *arg, struct helper **out_helper,
                          struct err *err);

/** Kills what still runs, without a callback and without waiting for its end,
 * which the loop sees. NULL is fine. */
void helper_free(struct helper *helper);
OWNER(helper)

#endif
