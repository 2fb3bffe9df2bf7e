/* pipelines/reason.c - why a job ended, and whose fault it was. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/reason.h"

#include "base/mem.h"

#include <string.h>

static const struct {
    const char *name;
    bool infrastructure;
} reasons[REASON_COUNT] = {
    [REASON_STEP_FAILED] = {"step_failed", false},
    [REASON_TIMED_OUT] = {"timed_out", false},
    [REASON_CANCELLED] = {"cancelled", false},
    [REASON_SUPERSEDED] = {"superseded", false},
    [REASON_EXPIRED] = {"expired", false},
    [REASON_OUT_OF_MEMORY] = {"out_of_memory", false},
    [REASON_DISK_FULL] = {"disk_full", false},
    [REASON_BUDGET_EXCEEDED] = {"budget_exceeded", false},
    [REASON_PIPELINE_INVALID] = {"pipeline_invalid", false},
    /* Mostly the network or the Git host, so another try may help. */
    [REASON_CHECKOUT_FAILED] = {"checkout_failed", true},
    [REASON_SANDBOX_FAILED] = {"sandbox_failed", true},
    [REASON_MODEL_FAILED] = {"model_failed", true},
    [REASON_WORKER_LOST] = {"worker_lost", true},
};

const char *reason_name(enum reason reason)
{
    return (size_t)reason < REASON_COUNT ? reasons[reason].name : NULL;
}

int reason_find(const char *name)
{
    if (!name)
        return REASON_NONE;
    for (int i = REASON_NONE + 1; i < REASON_COUNT; i++)
        if (!strcmp(reasons[i].name, name))
            return i;
    return -1;
}

bool reason_is_infrastructure(enum reason reason)
{
    return (size_t)reason < REASON_COUNT && reasons[reason].infrastructure;
}
