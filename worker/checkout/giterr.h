/* worker/checkout/giterr.h - libgit2's last error as one of ours. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CHECKOUT_GITERR_H
#define WORKER_CHECKOUT_GITERR_H

#include "base/err.h"

#include <stdbool.h>

/**
 * The message gets ": " and libgit2's own behind it. Where that is of the host
 * (an I/O error, no descriptors), `kind` is taken for ERR_TRANSIENT: so in all
 * of these. Returns -1.
 */
int giterr_set(struct err *err, enum err_kind kind, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/**
 * A fetch from `url` that failed with libgit2's `code`: ERR_USER where the
 * answer was about the repository or the credential, else ERR_TRANSIENT.
 */
int giterr_fetch(struct err *err, int code, const char *url);

/**
 * To `what` ("write the tree") failed: ERR_USER (a full disk among them) or,
 * when objects of the mirror are missing or broken, ERR_TRANSIENT and
 * `*out_damaged` true.
 */
int giterr_tree(struct err *err, int code, const char *what, bool *out_damaged);

/** What libgit2 is to call its last error, from inside its own calls. -1. */
int giterr_say(const char *text);

#endif
