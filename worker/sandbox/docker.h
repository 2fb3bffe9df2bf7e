/* worker/sandbox/docker.h - what docker-client is told of a container. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SANDBOX_DOCKER_H
#define WORKER_SANDBOX_DOCKER_H

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Of each container: the sandbox, and the directory of all of its worker's. */
#define DOCKER_LABEL_ID    "berth.sandbox"
#define DOCKER_LABEL_STATE "berth.state"

#define DOCKER_SOCKET "/run/docker.sock"

/** All borrowed, for the duration of the call. */
struct docker_spec {
    const char *id;
    const char *state_dir;
    const char *socket;
    const char *image;   /* a name that the engine knows */
    const char *runtime; /* NULL: the engine's default */
    /*
     * A directory that the engine sees, too, and that everybody may enter,
     * with `agent`, `etc/`, `none/` (an empty directory) and `nothing` (an
     * empty file).
     */
    const char *dir;
    const char *pid_file;
    const char *record;       /* removed with the container */
    const struct strv *dirs;  /* where directories will be mounted, */
    const struct strv *files; /* and files */
    unsigned cpu_millis;
    unsigned pids;
    uint64_t memory_bytes;
};

/*
 * {"socket", "record", "pid_file", "empty": paths,
 *  "name": of the container, "create": the body of the API's call}
 */

/** Write it as JSON to `path`. ERR_TRANSIENT. */
MUST_USE int docker_write(const struct docker_spec *spec, const char *path,
                          struct err *err);

/** A mount in the API's words, read-only. The caller owns it. */
json_t *docker_mount(const char *source, const char *target);

#endif
