/* worker/sandbox/docker/engine.h - calls of the Docker Engine's API. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SANDBOX_DOCKER_ENGINE_H
#define WORKER_SANDBOX_DOCKER_ENGINE_H

#include "base/err.h"
#include "base/strbuf.h"

#include <jansson.h>
#include <stdint.h>

/* https://docs.docker.com/engine/api/v1.41/, the version of Docker 20.10. */
#define ENGINE_API "v1.41"

/** One engine, over its unix socket. All calls block, for a limited time. */
struct engine;

MUST_USE int engine_new(const char *socket, struct engine **out_engine,
                        struct err *err);
/** NULL is fine. */
void engine_free(struct engine *engine);
OWNER(engine)

const char *engine_socket(const struct engine *engine);

/**
 * Ask for `path` (below the version; a query is escaped already) and return
 * the status. `body` is sent as JSON (NULL: none); the answer goes to `out`
 * (NULL: thrown away), at most 4 MiB. -1 when there is no answer.
 */
int engine_call(struct engine *engine, const char *method, const char *path,
                const json_t *body, struct strbuf *out, struct err *err);

/**
 * The same for an answer of JSON, and with `wanted` as the one status that is
 * none of an error: else -1 with the engine's own message, ERR_USER for 400
 * and 404, ERR_TRANSIENT for others. `*out` (NULL is fine) is the caller's.
 */
MUST_USE int engine_json(struct engine *engine, const char *method,
                         const char *path, const json_t *body, int wanted,
                         json_t **out, struct err *err);

/** Have the engine fetch an image; takes minutes. ERR_USER: it cannot. */
MUST_USE int engine_pull(struct engine *engine, const char *image,
                         struct err *err);

/** `text` as a part of a path or query. Owned by the caller. */
MUST_USE char *engine_escape(const char *text);

#endif
