/* scheduler/report/post/ops.h - what a `forge` can be asked. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_REPORT_POST_OPS_H
#define SCHEDULER_REPORT_POST_OPS_H

#include "scheduler/forge/api/api.h"

/**
 * Do what an ASK of scheduler/forge/protocol.h asks; blocks. Returns the
 * ANSWER, an error among them; owned by the caller.
 */
MUST_USE json_t *ops_answer(struct api *api, const json_t *ask);

/** An ANSWER that says what went wrong; owned by the caller. */
MUST_USE json_t *ops_error(const struct api_failure *failure,
                           const struct err *err);

#endif
