/* scheduler/forge/forge.c - the kinds of Git hosts. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/forge/forge.h"

#include "base/mem.h"

#include <string.h>

static const char *const names[] = {
    [FORGE_NONE] = "none",
    [FORGE_GITHUB] = "github",
    [FORGE_GITLAB] = "gitlab",
    [FORGE_GITEA] = "gitea",
};

const char *forge_name(enum forge_kind kind)
{
    return names[kind];
}

enum forge_kind forge_find(const char *name)
{
    if (!strcmp(name, "forgejo"))
        return FORGE_GITEA;
    for (size_t i = FORGE_GITHUB; i < ARRAY_LEN(names); i++)
        if (!strcmp(name, names[i]))
            return (enum forge_kind)i;
    return FORGE_NONE;
}
