/* base/redis_impl.h - what the parts of the Redis client share. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_REDIS_IMPL_H
#define BASE_REDIS_IMPL_H

#include "base/redis.h"

#define REDIS_MAX_SCRIPTS 64

/** Options with their defaults filled in; ERR_BUG for what cannot be. */
int redis_options_fill(struct redis_options *options, struct err *err);

/** Does an error reply begin with this word? */
bool redis_reply_is(const char *reply, const char *code);

/** Ignore SIGPIPE, unless the process has a handler for it. */
void redis_ignore_sigpipe(void);

/**
 * redis_open() for a caller who waits: when no server can be had, what waits
 * fails at once with the reason, and the next command tries anew.
 */
MUST_USE int redis_open_impatient(struct loop *loop,
                                  const struct redis_options *options,
                                  struct redis **out_redis, struct err *err);
/** 1: commands can be sent; 0: not yet; -1: no server can be had, and why. */
int redis_is_ready(const struct redis *redis, struct err *err);

#endif
