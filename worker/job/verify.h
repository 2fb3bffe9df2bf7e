/* worker/job/verify.h - the digest of a directory, read beside the job. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_JOB_VERIFY_H
#define WORKER_JOB_VERIFY_H

#include "base/err.h"
#include "base/loop.h"

#include <stdbool.h>

/** What takes longer is as if it were not there. */
#define VERIFY_MAX_MS 4000

struct verify;

/**
 * From the loop, once; verify_free() is allowed in it. `digest` is NULL when it
 * could not be read, or (`late`) took too long; borrowed.
 */
typedef void verify_fn(void *arg, const char *digest, bool late);

/**
 * Have the program `cache` (worker/cache/helper.h) read directory `path`.
 * ERR_TRANSIENT. Owned by the caller.
 */
MUST_USE int verify_start(struct loop *loop, const char *path, verify_fn *fn,
                          void *arg, struct verify **out_verify,
                          struct err *err);
/** Kills what still reads; no callback comes then. NULL is fine. */
void verify_free(struct verify *verify);
OWNER(verify)

#endif
