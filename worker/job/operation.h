/* worker/job/operation.h - steps that are no command: files, ports, caches. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_JOB_OPERATION_H
#define WORKER_JOB_OPERATION_H

#include "worker/job/attempt.h"

struct operation;

/** From the loop, once. `err` NULL: it worked. */
typedef void operation_end_fn(void *arg, const struct err *err);

#define OPERATION_READ_MAX_BYTES ((size_t)1 << 20)

/** Whether a step of this kind is one. */
bool operation_is(enum step_kind kind);
/**
 * Begin what step `spec->index` says, in the sandbox, which runs. Borrows
 * `spec`. Never fails as a call. Owned by the caller.
 */
MUST_USE struct operation *operation_start(const struct attempt_spec *spec,
                                           operation_end_fn *end, void *arg);
/** Give up; the end still comes, soon. */
void operation_stop(struct operation *operation);
/** Only once it has ended, or with the sandbox. NULL is fine. */
void operation_free(struct operation *operation);
OWNER(operation)

#endif
