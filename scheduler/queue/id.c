/* scheduler/queue/id.c - what names in a pool may consist of. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/impl.h"

#include <string.h>

bool queue_made_of(const char *s, const char *also, size_t max)
{
    size_t len = strlen(s);

    if (len == 0 || len > max)
        return false;
    for (; *s; s++)
        if (!(*s >= 'a' && *s <= 'z') && !(*s >= '0' && *s <= '9') &&
            !strchr(also, *s))
            return false;
    return true;
}

int queue_check_id(const char *id, struct err *err)
{
    if (!queue_made_of(id, "-", QUEUE_MAX_ID) || id[0] == '-')
        return err_set(err, ERR_USER,
                       "the job id '%.80s' is not 1 to %d of a-z, 0-9 and -",
                       id, QUEUE_MAX_ID);
    return 0;
}
