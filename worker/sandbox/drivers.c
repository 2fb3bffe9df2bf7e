/* worker/sandbox/drivers.c - which driver a worker uses. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/drivers.h"

#include <stdlib.h>
#include <string.h>

static const struct sandbox_driver *const drivers[] = {&sandbox_oci,
                                                       &sandbox_docker};

/* NULL for an empty one, too. */
static const char *variable(const char *name)
{
    const char *value = getenv(name);

    return value && *value ? value : NULL;
}

int driver_chosen(const struct sandbox_driver **out_driver, struct err *err)
{
    const char *name = variable(DRIVER_VARIABLE);

    for (size_t i = 0; i < ARRAY_LEN(drivers); i++) {
        if (name && strcmp(name, drivers[i]->name) != 0)
            continue;
        *out_driver = drivers[i];
        return 0;
    }
    return err_set(err, ERR_TRANSIENT,
                   DRIVER_VARIABLE " is '%.80s': set it to oci or docker",
                   name);
}

const char *driver_runtime(const struct sandbox_driver *driver,
                           const char *asked)
{
    if (*asked)
        return asked;
    return driver == &sandbox_oci ? variable(RUNTIME_VARIABLE) : NULL;
}

const char *driver_docker_socket(void)
{
    return variable(DOCKER_SOCKET_VARIABLE);
}

char *driver_image(const struct sandbox_driver *driver, const char *image)
{
    const char *instead = variable(DOCKER_IMAGE_VARIABLE);

    if (driver == &sandbox_docker && instead && strcmp(image, "host") == 0)
        return xasprintf("docker://%s", instead);
    return xstrdup(image);
}
