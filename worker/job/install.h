/* worker/job/install.h - node_modules from the cache, or into it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_JOB_INSTALL_H
#define WORKER_JOB_INSTALL_H

#include "worker/job/attempt.h"

struct install;

/** From the loop, once. `found`: node_modules are there, no npm needs to run.
 */
typedef void install_ready_fn(void *arg, bool found);

/**
 * Look in the cache for what `install: npm` would make: of the same lock file,
 * package.json and settings of npm, node, npm and image, environment; of the
 * same commit too, where scripts or packages of the repository itself have a
 * part in it. The sandbox runs. NULL: not here, run npm (no cache, no lock
 * file, node_modules are there already). Borrows `spec`.
 */
MUST_USE struct install *install_start(const struct attempt_spec *spec,
                                       install_ready_fn *ready, void *arg);
/** npm did its work: keep it, if node_modules are all that it changed. */
void install_passed(struct install *install);
/** No callback comes after it. NULL is fine. */
void install_free(struct install *install);
OWNER(install)

#endif
