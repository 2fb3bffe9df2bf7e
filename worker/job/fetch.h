/* worker/job/fetch.h - the checkout step. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_JOB_FETCH_H
#define WORKER_JOB_FETCH_H

#include "worker/job/attempt.h"

struct fetch;

/** `err` NULL: the tree is in the workspace. From the loop, once. */
typedef void fetch_end_fn(void *arg, const struct err *err);

/**
 * Check out what the job is about into the workspace, from outside the
 * sandbox where nothing has run in it yet; else into a directory beside it,
 * whose tree then takes the place of the workspace's. Writes commit, branch
 * and subject of `spec->result`.
 */
MUST_USE int fetch_start(const struct attempt_spec *spec, fetch_end_fn *on_end,
                         void *arg, struct fetch **out_fetch, struct err *err);
/**
 * Whether it works inside the running sandbox: then it may not be freed before
 * its end or the sandbox's, but ends early on the sandbox's kill_all.
 */
bool fetch_is_inside(const struct fetch *fetch);
/** Kills what runs; no callback comes after it. NULL is fine. */
void fetch_free(struct fetch *fetch);
OWNER(fetch)

#endif
