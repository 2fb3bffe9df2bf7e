/* base/redis_sync.c - a blocking connection to Redis, for one-shot commands. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/redis_sync.h"

#include "base/redis_impl.h"
#include "base/redis_link.h"

#include <stdlib.h>

/* The client of base/redis.h, in a loop that runs only while we wait. */
struct redis_sync {
    struct loop *loop;   /* owned */
    struct redis *redis; /* owned */
    bool answered;
    redisReply *reply; /* owned; NULL: `err` says why */
    struct err err;
};

void redis_sync_free(struct redis_sync *sync)
{
    if (!sync)
        return;
    redis_free(sync->redis);
    loop_free(sync->loop);
    free(sync);
}

int redis_sync_open(const struct redis_options *options,
                    struct redis_sync **out_redis, struct err *err)
{
    CLEANUP(redis_sync) struct redis_sync *sync = xcalloc(1, sizeof(*sync));
    int ready;

    if (loop_new(&sync->loop, err) < 0 ||
        redis_open_impatient(sync->loop, options, &sync->redis, err) < 0)
        return -1;
    while ((ready = redis_is_ready(sync->redis, err)) == 0)
        if (loop_step(sync->loop, -1, err) < 0)
            return -1;
    if (ready < 0)
        return -1;
    *out_redis = STEAL(sync);
    return 0;
}

static void on_reply(void *arg, const struct redisReply *reply,
                     const struct err *err)
{
    struct redis_sync *sync = arg;

    sync->answered = true;
    if (reply)
        sync->reply = redis_reply_keep(reply);
    else
        sync->err = *err;
}

/* What ended the connection since the last command is seen before the next
 * one is sent, which is then sent on a new one. */
static int before(struct redis_sync *sync, struct err *err)
{
    sync->answered = false;
    return loop_step(sync->loop, 0, err);
}

static int await(struct redis_sync *sync, struct redisReply **out_reply,
                 struct err *err)
{
    while (!sync->answered)
        if (loop_step(sync->loop, -1, err) < 0)
            return -1;
    if (!sync->reply) {
        if (err)
            *err = sync->err;
        return -1;
    }
    *out_reply = STEAL(sync->reply);
    return 0;
}

int redis_sync_command(struct redis_sync *sync, const struct redis_words *words,
                       struct redisReply **out_reply, struct err *err)
{
    if (before(sync, err) < 0)
        return -1;
    redis_command(sync->redis, words, on_reply, sync);
    return await(sync, out_reply, err);
}

int redis_sync_eval(struct redis_sync *sync, size_t script, const char *key,
                    const struct redis_words *args,
                    struct redisReply **out_reply, struct err *err)
{
    if (before(sync, err) < 0)
        return -1;
    redis_eval(sync->redis, script, key, args, on_reply, sync);
    return await(sync, out_reply, err);
}

int redis_sync_eval_durable(struct redis_sync *sync, size_t script,
                            const char *key, const struct redis_words *args,
                            struct redisReply **out_reply, struct err *err)
{
    if (before(sync, err) < 0)
        return -1;
    redis_eval_durable(sync->redis, script, key, args, on_reply, sync);
    return await(sync, out_reply, err);
}
