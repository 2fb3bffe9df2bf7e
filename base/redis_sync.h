/* base/redis_sync.h - a blocking connection to Redis, for one-shot commands. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_REDIS_SYNC_H
#define BASE_REDIS_SYNC_H

#include "base/redis.h"

struct redisReply; /* <hiredis/hiredis.h>; owned: freeReplyObject() */

/*
 * The same options, answers and kinds of error as base/redis.h, but each call
 * waits (command_timeout_ms at most) for its answer. Never in a daemon's loop.
 */
struct redis_sync;

/** Connect, log in, select. ERR_USER: bad URL or login; ERR_TRANSIENT: not
 * there, of which the caller hears at once. */
MUST_USE int redis_sync_open(const struct redis_options *options,
                             struct redis_sync **out_redis, struct err *err);
void redis_sync_free(struct redis_sync *redis);
OWNER(redis_sync)

/**
 * One command. Connects anew, once, when the connection was lost before the
 * command was sent; after that, what became of it is unknown (ERR_TRANSIENT).
 */
MUST_USE int redis_sync_command(struct redis_sync *redis,
                                const struct redis_words *words,
                                struct redisReply **out_reply, struct err *err);
/** One script, as redis_eval(). */
MUST_USE int redis_sync_eval(struct redis_sync *redis, size_t script,
                             const char *key, const struct redis_words *args,
                             struct redisReply **out_reply, struct err *err);
/** The same, as redis_eval_durable(). */
MUST_USE int redis_sync_eval_durable(struct redis_sync *redis, size_t script,
                                     const char *key,
                                     const struct redis_words *args,
                                     struct redisReply **out_reply,
                                     struct err *err);

#endif
