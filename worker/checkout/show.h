/* worker/checkout/show.h - files of a commit, without a tree. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CHECKOUT_SHOW_H
#define WORKER_CHECKOUT_SHOW_H

#include "worker/checkout/mirror.h"

/**
 * Report the files at the request's paths as `commit` has them, or why not:
 * symbolic links and submodules are not followed. `*out_more` is whether more
 * fit the pattern among the paths than can be told. ERR_TRANSIENT, and
 * `*out_damaged` true, where the mirror lacks an object.
 */
MUST_USE int show_files(const struct mirror *mirror,
                        const struct request *request, const char *commit,
                        bool *out_more, bool *out_damaged, struct err *err);

#endif
