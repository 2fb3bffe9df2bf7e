/* pipelines/reason.h - why a job ended, and whose fault it was. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINES_REASON_H
#define PIPELINES_REASON_H

#include <stdbool.h>

/** The closed list. Each is the job's fault or the infrastructure's. */
enum reason {
    REASON_NONE, /* it passed */
    REASON_STEP_FAILED,
    REASON_TIMED_OUT,
    REASON_CANCELLED,
    REASON_SUPERSEDED,
    REASON_EXPIRED,
    REASON_OUT_OF_MEMORY,
    REASON_DISK_FULL,
    REASON_BUDGET_EXCEEDED,
    REASON_PIPELINE_INVALID,
    REASON_CHECKOUT_FAILED,
    REASON_SANDBOX_FAILED,
    REASON_MODEL_FAILED,
    REASON_WORKER_LOST,
    REASON_COUNT
};

/** "step_failed" …; NULL for REASON_NONE. Static. */
const char *reason_name(enum reason reason);
/** The inverse; REASON_NONE for NULL, -1 for an unknown word. */
int reason_find(const char *name);
/** Whether the infrastructure is to blame, so that a retry costs nobody. */
bool reason_is_infrastructure(enum reason reason);

#endif
