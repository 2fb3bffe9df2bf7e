/* base/image_name.c - names of container images in registries. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/image_name.h"

#include <ctype.h>
#include <string.h>

bool image_name_ok(const char *name)
{
    size_t len = strlen(name);

    return len >= 1 && len <= IMAGE_NAME_MAX && isalnum((unsigned char)*name) &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                        "0123456789._-/:@") == len &&
           name[len - 1] != '/' && !strstr(name, "..") && !strstr(name, "//");
}

/* As Docker has it: the first part is a host if it looks like one. */
char *image_name_registry(const char *name)
{
    size_t len = strcspn(name, "/");
    CLEANUP(mem) char *first = xstrndup(name, len);

    if (name[len] && (strpbrk(first, ".:") || !strcmp(first, "localhost")))
        return STEAL(first);
    return xstrdup("docker.io");
}
