/* worker/sandbox/drivers.h - which driver a worker uses. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SANDBOX_DRIVERS_H
#define WORKER_SANDBOX_DRIVERS_H

#include "worker/sandbox/sandbox.h"

/* Settings of the worker, and as such in the environment of its run-jobs. */
#define DRIVER_VARIABLE        "BERTH_WORKER_DRIVER"
#define DOCKER_SOCKET_VARIABLE "BERTH_WORKER_DOCKER_SOCKET"
#define DOCKER_IMAGE_VARIABLE  "BERTH_WORKER_DOCKER_IMAGE"
#define REGISTRIES_VARIABLE    "BERTH_WORKER_REGISTRIES" /* "a,b" */

/**
 * The driver that DRIVER_VARIABLE names; unset or empty: sandbox_oci.
 * ERR_TRANSIENT for another name.
 */
MUST_USE int driver_chosen(const struct sandbox_driver **out_driver,
                           struct err *err);

/** sandbox_spec.docker_socket: what DOCKER_SOCKET_VARIABLE says. Borrowed. */
const char *driver_docker_socket(void);

/**
 * sandbox_spec.image for what a pipeline says, owned by the caller: with
 * Docker, which has no image `host`, that one is what DOCKER_IMAGE_VARIABLE
 * names, if it does.
 */
MUST_USE char *driver_image(const struct sandbox_driver *driver,
                            const char *image);

/**
 * Whether an image of this name may be fetched: its registry is one that
 * REGISTRIES_VARIABLE lists (unset: docker.io), since a stranger's pipeline
 * makes this host talk to it. ERR_USER: no, or it is no name.
 */
MUST_USE int driver_check_name(const char *name, struct err *err);

#endif
