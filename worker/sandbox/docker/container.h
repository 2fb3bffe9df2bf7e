/* worker/sandbox/docker/container.h - the container of one sandbox. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SANDBOX_DOCKER_CONTAINER_H
#define WORKER_SANDBOX_DOCKER_CONTAINER_H

#include "worker/sandbox/docker/engine.h"

/**
 * Whether the engine can run sandboxes: its containers' root is none of the
 * host's, but the uids that mounts.h says. Returns in `out`, as "memory, cpu",
 * the limits that it cannot enforce. ERR_TRANSIENT, saying what to change.
 */
MUST_USE int container_check(struct engine *engine, struct strbuf *out,
                             struct err *err);

/**
 * Make, start and serve the container that `spec` describes (docker.h) until
 * our stdin ends or it does; stdin and stdout are its own meanwhile. It is
 * gone when this returns. -1 when it could not be started, or ended unasked.
 */
MUST_USE int container_run(struct engine *engine, const json_t *spec,
                           struct err *err);

/**
 * Remove the containers of sandbox `id` below `state_dir`; with `id` NULL
 * those whose directory is gone. Idempotent.
 */
MUST_USE int container_remove_all(struct engine *engine, const char *state_dir,
                                  const char *id, struct err *err);

#endif
