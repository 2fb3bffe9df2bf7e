/* worker/sandbox/place.h - a sandbox's directory on the host, and its lock. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SANDBOX_PLACE_H
#define WORKER_SANDBOX_PLACE_H

#include "base/err.h"
#include "base/mem.h"

#include <stdbool.h>

/*
 * <state_dir>/<id>/        flock'ed by the process that owns the sandbox
 *   cgroups                its cgroups, one a line, before they are made
 *   docker                 the socket of an engine that has its container
 *   run/                   mount point, visible to that process alone
 * Everything else lives in memory and in mounts that die with the process.
 */

#define PLACE_DOCKER "docker"

/**
 * Make and lock the directory of `id`; what a dead process left there is
 * removed first. Returns its path and the descriptor that holds the lock, both
 * owned. ERR_TRANSIENT when a live process holds it.
 */
MUST_USE int place_take(const char *state_dir, const char *id, char **out_dir,
                        int *out_lock, struct err *err);

/** Kill and remove all that is recorded in `dir`, and `dir`. Idempotent. */
MUST_USE int place_clear(const char *dir, struct err *err);

/** sandbox_driver.sweep. */
MUST_USE int place_sweep(const char *state_dir, unsigned *out_swept,
                         struct err *err);

/** [a-z0-9-], 1 to 96 bytes, the first no '-'. */
bool place_is_id(const char *id);

/**
 * `id` and something random, for what has a name on all of the host: another
 * worker may have a job of the same id. Owned by the caller.
 */
MUST_USE char *place_name(const char *id);

#endif
