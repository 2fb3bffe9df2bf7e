/* base/image_name.h - names of container images in registries. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_IMAGE_NAME_H
#define BASE_IMAGE_NAME_H

#include "base/mem.h"

#include <stdbool.h>

#define IMAGE_NAME_PREFIX "docker://"
#define IMAGE_NAME_MAX    255u

/**
 * Whether `name` can be one: letters, digits and ._-/:@, the first a letter or
 * digit, no "..", no empty part. What more
 * https://github.com/distribution/reference asks is left to who fetches it.
 */
bool image_name_ok(const char *name);

/** The registry that it is in, as "docker.io" or "host:5000". Owned. */
MUST_USE char *image_name_registry(const char *name);

#endif
