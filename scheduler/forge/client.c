/* scheduler/forge/client.c - until there is a client: no host is configured. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/forge/client.h"

#include <stdlib.h>

/* Nobody has a forge, so nobody comes here. */

enum forge_kind forge_kind_of(const struct forge *forge UNUSED)
{
    abort();
}

bool forge_can_write(const struct forge *forge UNUSED)
{
    abort();
}

void forge_ask(struct forge *forge UNUSED, const char *op UNUSED,
               json_t *body UNUSED, forge_answer_fn *fn UNUSED,
               void *arg UNUSED, struct forge_call **out_call UNUSED)
{
    abort();
}

void forge_call_cancel(struct forge_call *call UNUSED)
{
}
