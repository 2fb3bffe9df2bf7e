/* worker/sandbox/drivers.h - which driver a worker uses. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SANDBOX_DRIVERS_H
#define WORKER_SANDBOX_DRIVERS_H

#include "worker/sandbox/sandbox.h"

/* Settings of the worker, and as such in the environment of its run-jobs. */
#define DRIVER_VARIABLE        "BERTH_WORKER_DRIVER"
#define DOCKER_SOCKET_VARIABLE "BERTH_WORKER_DOCKER_SOCKET"
#define DOCKER_IMAGE_VARIABLE  "BERTH_WORKER_DOCKER_IMAGE"
#define RUNTIME_VARIABLE       "BERTH_WORKER_RUNTIME"

/**
 * The driver that DRIVER_VARIABLE names; unset or empty: sandbox_oci.
 * ERR_TRANSIENT for another name.
 */
MUST_USE int driver_chosen(const struct sandbox_driver **out_driver,
                           struct err *err);

/**
 * sandbox_spec.runtime: `asked` unless that is empty; else, with sandbox_oci,
 * what RUNTIME_VARIABLE says; or NULL: one that is found. Borrowed.
 */
const char *driver_runtime(const struct sandbox_driver *driver,
                           const char *asked);

/** sandbox_spec.docker_socket: what DOCKER_SOCKET_VARIABLE says. Borrowed. */
const char *driver_docker_socket(void);

/**
 * sandbox_spec.image for what a pipeline says, owned by the caller: with
 * Docker, which has no image `host`, that one is what DOCKER_IMAGE_VARIABLE
 * names, if it does.
 */
MUST_USE char *driver_image(const struct sandbox_driver *driver,
                            const char *image);

#endif
