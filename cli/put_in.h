/* cli/put_in.h - jobs into a queue, and until they have ended. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_PUT_IN_H
#define CLI_PUT_IN_H

#include "cli/pool.h"
#include "scheduler/intake/admit.h"
#include "scheduler/queue/inspect.h"

/**
 * Put the jobs of a document in, all or none. Blocks. `*out_answers`, one a
 * request, is the caller's (free). What is wrong with a document is printed on
 * standard error. ERR_USER: that; else something is away.
 */
MUST_USE int put_in(const struct pool *pool,
                    const struct admit_request *request,
                    struct queue_answer **out_answers, size_t *out_count,
                    struct err *err);

/**
 * Until a job ended; Redis may be away for a while. Why one waits for long is
 * told once, on standard error. `*out_status` is the caller's.
 */
MUST_USE int wait_job(struct pool *pool, const char *id,
                      struct queue_status **out_status, struct err *err);

#endif
