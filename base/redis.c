/* base/redis.c - a client of Redis in a poll loop (hiredis async). */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/redis.h"

#include "base/clock.h"
#include "base/redis_client.h"
#include "base/redis_impl.h"

#include <stdio.h>
#include <stdlib.h>

/* Large calls (logs) are many and can wait; what keeps leases is small, must
 * always find room, and must not stand behind many of them. */
#define MAX_PENDING       ((size_t)64 << 20)
#define MAX_LARGE_PENDING ((size_t)8 << 20)
#define LARGE             ((size_t)128 << 10)

/* ---- telling owners ----------------------------------------------------- */

static void deliver_failed(void *arg)
{
    struct redis *redis = arg;
    struct redis_call *call;
    CLEANUP(mem) bool *freed = xcalloc(1, sizeof(*freed));

    redis->deliver = NULL;
    redis->freed = freed;
    while (!*freed && (call = TAILQ_FIRST(&redis->failed))) {
        TAILQ_REMOVE(&redis->failed, call, entry);
        if (call->fn)
            call->fn(call->arg, NULL, call->err);
        redis_call_free(call);
    }
    if (!*freed)
        redis->freed = NULL;
}

/* The call is in no list when it comes here. */
void redis_fail(struct redis *redis, struct redis_call *call,
                enum err_kind kind, const char *why)
{
    redis->pending_bytes -= call->len;
    call->err = xcalloc(1, sizeof(*call->err));
    (void)err_set(call->err, kind, "%s: %s", redis->url->name, why);
    TAILQ_INSERT_TAIL(&redis->failed, call, entry);
    if (!redis->deliver)
        redis->deliver = loop_add_timer(redis->loop, 0, deliver_failed, redis);
}

static void finish_badly(struct redis *redis, struct redis_call *call,
                         const char *reply, long long replicas)
{
    struct err err = {ERR_NONE, 0, ""};

    if (call->hops > REDIS_MAX_HOPS)
        (void)err_set(&err, ERR_TRANSIENT,
                      "%s: its nodes sent the command elsewhere %d times",
                      redis->url->name, REDIS_MAX_HOPS);
    else if (reply)
        (void)redis_reply_failed(reply, redis->url->name, &err);
    else
        (void)err_set(&err, ERR_TRANSIENT,
                      "%s: only %lld of %u replicas have it", redis->url->name,
                      replicas, redis->options.wait_replicas);
    if (call->is_eval)
        (void)err_wrap(&err, "script %s",
                       redis->options.scripts[call->script].name);
    if (call->fn)
        call->fn(call->arg, NULL, &err);
}

void redis_finish(struct redis *redis, struct redis_call *call,
                  const redisReply *reply, const redisReply *waited)
{
    redis->pending_bytes -= call->len;
    if (reply->type == REDIS_REPLY_ERROR) {
        finish_badly(redis, call, reply->str, 0);
    } else if (waited && waited->type == REDIS_REPLY_ERROR) {
        finish_badly(redis, call, waited->str, 0);
    } else if (waited && waited->integer < redis->options.wait_replicas) {
        finish_badly(redis, call, NULL, waited->integer);
    } else {
        redis->retry_ms = REDIS_FIRST_RETRY_MS;
        if (call->fn)
            call->fn(call->arg, reply, NULL);
    }
    redis_call_free(call);
}

/* ---- time limits -------------------------------------------------------- */

static void expire(struct redis_lane *lane, int64_t now)
{
    struct redis *redis = lane->redis;
    struct redis_call *call;
    struct err err;

    while ((call = TAILQ_FIRST(&lane->waiting)) && call->deadline_ms <= now) {
        TAILQ_REMOVE(&lane->waiting, call, entry);
        redis_fail(redis, call, ERR_TIMEOUT,
                   redis->last.kind != ERR_NONE ? redis->last.msg
                                                : "not connected in time");
    }
    call = TAILQ_FIRST(&lane->sent);
    if (call && call->deadline_ms <= now) {
        (void)err_set(&err, ERR_TRANSIENT, "no answer in %u ms",
                      redis->options.command_timeout_ms);
        redis_lane_down(lane, &err);
    }
}

static void on_tick(void *arg)
{
    struct redis *redis = arg;
    int64_t now = clock_mono_ms();

    redis->tick = NULL;
    expire(&redis->main, now);
    expire(&redis->ask, now);
    redis_arm_tick(redis);
}

static int64_t soonest(const struct redis_call_list *list, int64_t at)
{
    const struct redis_call *call = TAILQ_FIRST(list);

    return call && call->deadline_ms < at ? call->deadline_ms : at;
}

void redis_arm_tick(struct redis *redis)
{
    int64_t at = soonest(&redis->main.waiting, INT64_MAX);

    at = soonest(&redis->main.sent, at);
    at = soonest(&redis->ask.waiting, at);
    at = soonest(&redis->ask.sent, at);
    if (redis->tick && redis->tick_ms <= at)
        return;
    loop_remove(redis->tick);
    redis->tick = NULL;
    redis->tick_ms = at;
    if (at != INT64_MAX)
        redis->tick = loop_add_timer(redis->loop, at, on_tick, redis);
}

/* ---- commands ----------------------------------------------------------- */

static bool has_room(const struct redis *redis, size_t len)
{
    size_t max = len > LARGE ? MAX_LARGE_PENDING : MAX_PENDING;

    /* A single one is let through, however large. */
    return redis->pending_bytes == 0 || redis->pending_bytes + len <= max;
}

static void enqueue(struct redis *redis, struct redis_call *call,
                    redis_reply_fn *fn, void *arg)
{
    bool fits = has_room(redis, call->len);

    call->fn = fn;
    call->arg = arg;
    call->deadline_ms = clock_mono_ms() + redis->options.command_timeout_ms;
    redis->pending_bytes += call->len;
    if (!fits) {
        redis_fail(redis, call, ERR_TRANSIENT, "too much waits for an answer");
        return;
    }
    redis_lane_give(&redis->main, call);
    if (redis->impatient && !redis->main.link && !redis->finding) {
        loop_remove(STEAL(redis->retry));
        redis_start(redis);
    }
    redis_arm_tick(redis);
}

void redis_command(struct redis *redis, const struct redis_words *words,
                   redis_reply_fn *fn, void *arg)
{
    enqueue(redis, redis_call_new(words), fn, arg);
}

void redis_eval(struct redis *redis, size_t script, const char *key,
                const struct redis_words *args, redis_reply_fn *fn, void *arg)
{
    enqueue(redis, redis_call_eval(script, key, args), fn, arg);
}

void redis_eval_durable(struct redis *redis, size_t script, const char *key,
                        const struct redis_words *args, redis_reply_fn *fn,
                        void *arg)
{
    struct redis_call *call = redis_call_eval(script, key, args);

    call->durable = redis->wait != NULL;
    enqueue(redis, call, fn, arg);
}

/* ---- opening and freeing ------------------------------------------------ */

static struct redis_call *wait_call(const struct redis_options *options)
{
    char replicas[12], ms[12];
    const char *const words[] = {"WAIT", replicas, ms};

    if (!options->wait_replicas)
        return NULL;
    (void)snprintf(replicas, sizeof(replicas), "%u", options->wait_replicas);
    (void)snprintf(ms, sizeof(ms), "%u", options->wait_ms);
    return redis_call_new(&(struct redis_words){words, NULL, ARRAY_LEN(words)});
}

static int open_client(struct loop *loop, const struct redis_options *options,
                       bool impatient, struct redis **out_redis,
                       struct err *err)
{
    CLEANUP(redis) struct redis *redis = xcalloc(1, sizeof(*redis));

    redis_lane_init(&redis->main, redis);
    redis_lane_init(&redis->ask, redis);
    TAILQ_INIT(&redis->failed);
    redis->loop = loop;
    redis->impatient = impatient;
    redis->options = *options;
    redis->options.url = NULL;
    redis->retry_ms = REDIS_FIRST_RETRY_MS;
    if (redis_options_fill(&redis->options, err) < 0 ||
        redis_url_parse(options->url, &redis->url, err) < 0 ||
        (redis->url->tls && redis_tls_new(redis->url, &redis->tls, err) < 0))
        return -1;
    redis->wait = wait_call(&redis->options);
    redis->spec = (struct redis_link_spec){
        .tls = redis->tls,
        .user = redis->url->user,
        .password = redis->url->password,
        .db = redis->url->db,
        .master = redis->url->kind == REDIS_SENTINEL,
        .scripts = redis->options.scripts,
        .script_count = redis->options.script_count,
        .timeout_ms = redis->options.connect_timeout_ms,
        .max_reply_bytes = redis->options.max_reply_bytes,
    };
    redis->topology = redis_topology_new(loop, redis->url, &redis->spec);
    redis_ignore_sigpipe();
    redis_start(redis);
    *out_redis = STEAL(redis);
    return 0;
}

int redis_open(struct loop *loop, const struct redis_options *options,
               struct redis **out_redis, struct err *err)
{
    return open_client(loop, options, false, out_redis, err);
}

int redis_open_impatient(struct loop *loop, const struct redis_options *options,
                         struct redis **out_redis, struct err *err)
{
    return open_client(loop, options, true, out_redis, err);
}

int redis_is_ready(const struct redis *redis, struct err *err)
{
    if (redis->main.up)
        return 1;
    if (redis->main.link || redis->finding || redis->retry)
        return 0;
    return err_set(err, redis->last.kind, "%s: %s", redis->url->name,
                   redis->last.msg);
}

const char *redis_refusal(const struct redis *redis)
{
    return !redis->main.up && redis->last.kind == ERR_USER ? redis->last.msg
                                                           : NULL;
}

static void free_calls(struct redis_call_list *list)
{
    struct redis_call *call;

    while ((call = TAILQ_FIRST(list))) {
        TAILQ_REMOVE(list, call, entry);
        redis_call_free(call);
    }
}

void redis_free(struct redis *redis)
{
    if (!redis)
        return;
    if (redis->freed)
        *redis->freed = true;
    redis_lane_close(&redis->main);
    redis_lane_close(&redis->ask);
    free_calls(&redis->main.waiting);
    free_calls(&redis->main.sent);
    free_calls(&redis->ask.waiting);
    free_calls(&redis->ask.sent);
    free_calls(&redis->failed);
    loop_remove(redis->retry);
    loop_remove(redis->tick);
    loop_remove(redis->deliver);
    redis_topology_free(redis->topology);
    if (redis->wait)
        redis_call_free(redis->wait);
    redis_tls_free(redis->tls);
    redis_url_free(redis->url);
    free(redis);
}
