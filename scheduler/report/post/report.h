/* scheduler/report/post/report.h - what became of a job, told on a Git host. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_REPORT_POST_REPORT_H
#define SCHEDULER_REPORT_POST_REPORT_H

#include "scheduler/forge/api/driver.h"

/**
 * The op `report` of scheduler/forge/protocol.h, which says what is in `ask`
 * and in `*out`, the caller's. -1 and `err` as api_send(). `api` has been told
 * the repository already, to write there.
 */
MUST_USE int report_op(struct api *api, const struct forge_driver *driver,
                       const json_t *ask, json_t **out, struct err *err);

#endif
