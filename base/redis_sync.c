/* base/redis_sync.c - a blocking connection to Redis, for one-shot commands. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/redis_sync.h"

#include "base/redis_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct redis_sync {
    struct redis_options options; /* url is not kept */
    struct redis_url *url;        /* owned */
    redisContext *context;        /* owned; NULL: connect first */
    char sha[REDIS_MAX_SCRIPTS][REDIS_SHA_SIZE];
};

static struct timeval to_timeval(uint32_t ms)
{
    return (struct timeval){.tv_sec = ms / 1000,
                            .tv_usec = (suseconds_t)(ms % 1000) * 1000};
}

static void drop(struct redis_sync *redis)
{
    if (redis->context)
        redisFree(redis->context);
    redis->context = NULL;
}

void redis_sync_free(struct redis_sync *redis)
{
    if (!redis)
        return;
    drop(redis);
    redis_url_free(redis->url);
    free(redis);
}

/* hiredis bounds no reply by itself: count what arrives for this one. */
static int read_reply(struct redis_sync *redis, redisReply **out_reply,
                      struct err *err)
{
    redisContext *c = redis->context;
    size_t total = 0;
    void *reply = NULL;
    int done = 0;

    while (!done)
        if (redisBufferWrite(c, &done) != REDIS_OK)
            goto lost;
    for (;;) {
        size_t before;

        if (redisGetReplyFromReader(c, &reply) != REDIS_OK)
            goto lost;
        if (reply)
            break;
        before = c->reader->len;
        if (redisBufferRead(c) != REDIS_OK)
            goto lost;
        total += c->reader->len - before;
        if (total > redis->options.max_reply_bytes) {
            (void)err_set(err, ERR_TRANSIENT, "%s: an answer is too large",
                          redis->url->name);
            drop(redis);
            return -1;
        }
    }
    *out_reply = reply;
    return 0;
lost:
    if (c->err == REDIS_ERR_IO && (errno == EAGAIN || errno == ETIMEDOUT))
        (void)err_set(err, ERR_TIMEOUT, "%s: no answer in %u ms",
                      redis->url->name, redis->options.command_timeout_ms);
    else
        (void)err_set(err, ERR_TRANSIENT, "%s: %s", redis->url->name,
                      c->errstr);
    drop(redis);
    return -1;
}

static int send_copy(struct redis_sync *redis, const struct redis_copy *copy,
                     redisReply **out_reply, struct err *err)
{
    size_t len;
    char *wire = redis_format(copy, &len);
    int rc = redisAppendFormattedCommand(redis->context, wire, len);

    redisFreeCommand(wire);
    if (rc != REDIS_OK)
        abort(); /* out of memory: nothing else makes it fail */
    return read_reply(redis, out_reply, err);
}

static int log_in(struct redis_sync *redis, struct err *err)
{
    struct redis_login steps[REDIS_MAX_LOGIN];
    size_t count = redis_login_steps(redis->url, steps);

    for (size_t i = 0; i < count; i++) {
        CLEANUP(redis_copy) struct redis_copy copy = {NULL, NULL, 0, 0};
        struct redis_words words = {steps[i].words, NULL, steps[i].count};
        redisReply *reply = NULL;
        int rc = 0;

        redis_copy_words(&copy, 0, &words);
        if (send_copy(redis, &copy, &reply, err) < 0)
            return -1;
        if (reply->type == REDIS_REPLY_ERROR) {
            rc = redis_login_failed(&steps[i], reply->str, err);
            (void)err_wrap(err, "%s", redis->url->name);
        }
        freeReplyObject(reply);
        if (rc < 0) {
            drop(redis);
            return -1;
        }
    }
    return 0;
}

static int connect_now(struct redis_sync *redis, struct err *err)
{
    struct timeval limit = to_timeval(redis->options.connect_timeout_ms);
    redisContext *c;

    if (redis->url->path)
        c = redisConnectUnixWithTimeout(redis->url->path, limit);
    else
        c = redisConnectWithTimeout(redis->url->host, redis->url->port, limit);
    if (!c)
        abort(); /* out of memory: nothing else makes it fail */
    redis->context = c;
    redis_keep_private(c);
    if (c->err) {
        (void)err_set(err, ERR_TRANSIENT, "%s: %s", redis->url->name,
                      c->errstr);
        drop(redis);
        return -1;
    }
    (void)redisSetTimeout(c, to_timeval(redis->options.command_timeout_ms));
    memset(redis->sha, 0, sizeof(redis->sha));
    return log_in(redis, err);
}

int redis_sync_open(const struct redis_options *options,
                    struct redis_sync **out_redis, struct err *err)
{
    CLEANUP(redis_sync) struct redis_sync *redis = xcalloc(1, sizeof(*redis));

    redis->options = *options;
    redis->options.url = NULL;
    redis_ignore_sigpipe();
    if (redis_options_fill(&redis->options, err) < 0 ||
        redis_url_parse(options->url, &redis->url, err) < 0 ||
        connect_now(redis, err) < 0)
        return -1;
    *out_redis = STEAL(redis);
    return 0;
}

/* A server that closed the connection since (a restart, its time-out) shows
 * as readable without an answer due. */
static bool is_stale(const struct redis_sync *redis)
{
    char byte;

    return recv(redis->context->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0;
}

static int run(struct redis_sync *redis, const struct redis_copy *copy,
               redisReply **out_reply, struct err *err)
{
    if (redis->context && is_stale(redis))
        drop(redis);
    if (!redis->context && connect_now(redis, err) < 0)
        return -1;
    return send_copy(redis, copy, out_reply, err);
}

static int judge(const struct redis_sync *redis, redisReply *reply,
                 redisReply **out_reply, struct err *err)
{
    if (reply->type != REDIS_REPLY_ERROR) {
        *out_reply = reply;
        return 0;
    }
    (void)redis_reply_failed(reply->str, redis->url->name, err);
    freeReplyObject(reply);
    return -1;
}

int redis_sync_command(struct redis_sync *redis,
                       const struct redis_words *words,
                       struct redisReply **out_reply, struct err *err)
{
    CLEANUP(redis_copy) struct redis_copy copy = {NULL, NULL, 0, 0};
    redisReply *reply = NULL;

    redis_copy_words(&copy, 0, words);
    if (run(redis, &copy, &reply, err) < 0)
        return -1;
    return judge(redis, reply, out_reply, err);
}

/* The digest of a script is whatever SCRIPT LOAD says: no SHA-1 of our own. */
static int load(struct redis_sync *redis, size_t script, struct err *err)
{
    const char *const list[] = {"SCRIPT", "LOAD",
                                redis->options.scripts[script].source};
    struct redis_words words = {list, NULL, ARRAY_LEN(list)};
    redisReply *reply = NULL;

    if (redis_sync_command(redis, &words, &reply, err) < 0)
        return err_wrap(err, "script %s", redis->options.scripts[script].name);
    if (reply->type == REDIS_REPLY_STRING && reply->len == REDIS_SHA_SIZE - 1)
        memcpy(redis->sha[script], reply->str, REDIS_SHA_SIZE);
    freeReplyObject(reply);
    return 0;
}

int redis_sync_eval(struct redis_sync *redis, size_t script, const char *key,
                    const struct redis_words *args,
                    struct redisReply **out_reply, struct err *err)
{
    const char *name = redis->options.scripts[script].name;
    CLEANUP(redis_copy) struct redis_copy copy = {NULL, NULL, 0, 0};
    redisReply *reply = NULL;

    if (!redis->sha[script][0] && load(redis, script, err) < 0)
        return -1;
    redis_copy_eval(&copy, key, args);
    redis_copy_set(&copy, 0, "EVALSHA");
    redis_copy_set(&copy, 1, redis->sha[script]);
    if (run(redis, &copy, &reply, err) < 0)
        return -1;
    if (redis_reply_is(reply, "NOSCRIPT")) {
        freeReplyObject(reply);
        redis_copy_set(&copy, 0, "EVAL");
        redis_copy_set(&copy, 1, redis->options.scripts[script].source);
        if (run(redis, &copy, &reply, err) < 0)
            return -1;
    }
    if (judge(redis, reply, out_reply, err) < 0)
        return err_wrap(err, "script %s", name);
    return 0;
}
