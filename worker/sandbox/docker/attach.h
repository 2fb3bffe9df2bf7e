/* worker/sandbox/docker/attach.h - stdin and stdout of a container. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SANDBOX_DOCKER_ATTACH_H
#define WORKER_SANDBOX_DOCKER_ATTACH_H

#include "base/err.h"
#include "base/strbuf.h"

/**
 * Attach to a container that was made but not started; what it says from its
 * start on comes through `*out_fd`, owned by the caller: after the engine's
 * answer the connection is no HTTP any more ("hijacked").
 * https://docs.docker.com/engine/api/v1.41/#operation/ContainerAttach
 */
MUST_USE int attach_open(const char *socket, const char *container, int *out_fd,
                         struct err *err);

enum attach_end {
    ATTACH_ASKED,   /* `in` ended, or nobody reads `out` any more */
    ATTACH_STOPPED, /* the container's side ended */
};

/** All descriptors are borrowed, and made non-blocking. */
struct attach_spec {
    int fd;                 /* of attach_open() */
    int in, out;            /* what goes to its stdin and comes from stdout */
    struct strbuf *stderr_; /* what it said there, up to the maximum */
};

/**
 * Pass bytes on, both ways, until one side ends. Never holds more than 64 KiB
 * in each direction. ERR_TRANSIENT when the stream is not what the engine's
 * API says.
 */
MUST_USE int attach_pump(const struct attach_spec *spec,
                         enum attach_end *out_end, struct err *err);

#endif
