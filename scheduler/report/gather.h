/* scheduler/report/gather.h - the findings of a job, or of a run's jobs. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_REPORT_GATHER_H
#define SCHEDULER_REPORT_GATHER_H

#include "base/err.h"

#include <jansson.h>

/** What is gathered at most; what is beyond is counted (`overflow`). */
#define GATHER_MAX_FINDINGS 5000u
#define GATHER_MAX_BYTES    ((size_t)8 << 20)

struct gather;

MUST_USE struct gather *gather_new(void);
void gather_free(struct gather *gather);
OWNER(gather)

/**
 * Add what the steps of a job found, by its result (schemas/result.schema.json;
 * NULL: nothing). What an earlier job found, by the fingerprint, is there once.
 */
void gather_add(struct gather *gather, const json_t *result);

/**
 * One document of schemas/findings.schema.json, owned by the caller; NULL: no
 * step looked for any. Once.
 */
MUST_USE json_t *gather_take(struct gather *gather);

#endif
