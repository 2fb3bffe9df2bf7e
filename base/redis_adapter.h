/* base/redis_adapter.h - hiredis' async context in our loop. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_REDIS_ADAPTER_H
#define BASE_REDIS_ADAPTER_H

#include "base/loop.h"

#include <hiredis/async.h>

/** More than `max_reply_bytes` arrived for one answer. May free the context. */
typedef void redis_adapter_fn(void *arg);

/**
 * Let `loop` drive `context`, until hiredis frees it. ERR_TRANSIENT when it
 * has a driver already.
 */
MUST_USE int redis_adapter_attach(struct loop *loop, redisAsyncContext *context,
                                  size_t max_reply_bytes,
                                  redis_adapter_fn *on_too_large, void *arg,
                                  struct err *err);

#endif
