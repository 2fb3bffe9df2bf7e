/* base/redis.c - a connection to Redis in a poll loop (hiredis async). */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/redis.h"

#include "base/clock.h"
#include "base/redis_adapter.h"
#include "base/redis_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>

#define FIRST_RETRY_MS 50
#define MAX_PENDING    ((size_t)64 << 20)

struct command {
    TAILQ_ENTRY(command) link;
    struct redis *redis; /* borrowed; NULL: the client is gone */
    struct redis_copy copy;
    size_t script; /* of the table, when is_eval */
    bool is_eval;
    bool by_source; /* EVAL: the server has forgotten the script */
    int64_t deadline_ms;
    redis_reply_fn *fn; /* NULL: nobody asks */
    void *arg;
    struct err err; /* of a failed one */
};

TAILQ_HEAD(command_list, command);

/*
 * A command waits in `waiting` until the connection is ready, in `sent` until
 * hiredis answers it, and in `failed` until the next turn of the loop tells
 * its owner: so no callback comes from inside a call, or from inside hiredis
 * while it tears a connection down.
 */
struct redis {
    struct loop *loop;            /* borrowed */
    struct redis_options options; /* url is not kept */
    struct redis_url *url;        /* owned */
    redisAsyncContext *context;   /* owned by hiredis; NULL: not connected */
    bool ready;
    size_t login_left; /* answers due before it is ready */
    int64_t connect_deadline_ms;
    int64_t retry_ms;          /* the next pause */
    struct loop_source *retry; /* borrowed; NULL: not waiting */
    struct loop_source *tick;  /* borrowed; the soonest deadline */
    int64_t tick_ms;
    struct loop_source *deliver; /* borrowed; tells failures */
    struct command_list waiting, sent, failed;
    size_t pending_bytes;
    char sha[REDIS_MAX_SCRIPTS][REDIS_SHA_SIZE];
    char last_error[1024];
    bool *freed; /* set by redis_free() during a callback */
};

static void connect_now(void *arg);
static void arm_tick(struct redis *redis);

static void command_free(struct command *command)
{
    redis_copy_freep(&command->copy);
    free(command);
}

static void list_clear(struct command_list *list)
{
    struct command *command;

    while ((command = TAILQ_FIRST(list))) {
        TAILQ_REMOVE(list, command, link);
        command_free(command);
    }
}

/* ---- telling owners ----------------------------------------------------- */

static void deliver_failed(void *arg)
{
    struct redis *redis = arg;
    struct command *command;
    CLEANUP(mem) bool *freed = xcalloc(1, sizeof(*freed));

    redis->deliver = NULL;
    redis->freed = freed;
    while (!*freed && (command = TAILQ_FIRST(&redis->failed))) {
        TAILQ_REMOVE(&redis->failed, command, link);
        redis->pending_bytes -= command->copy.bytes;
        if (command->fn)
            command->fn(command->arg, NULL, &command->err);
        command_free(command);
    }
    if (!*freed)
        redis->freed = NULL;
}

/* The command is in no list when it comes here. */
static void fail(struct redis *redis, struct command *command,
                 enum err_kind kind, const char *why)
{
    (void)err_set(&command->err, kind, "%s: %s", redis->url->name, why);
    TAILQ_INSERT_TAIL(&redis->failed, command, link);
    if (!redis->deliver)
        redis->deliver = loop_add_timer(redis->loop, 0, deliver_failed, redis);
}

static void note_error(struct redis *redis, const char *why)
{
    (void)snprintf(redis->last_error, sizeof(redis->last_error), "%s", why);
}

/* ---- losing the connection ---------------------------------------------- */

static void retry_later(struct redis *redis)
{
    uint32_t jitter = 0;

    if (redis->retry)
        return;
    /* Many clients must not come back in step when a server does. */
    if (getrandom(&jitter, sizeof(jitter), GRND_NONBLOCK) < 0)
        jitter = 0;
    redis->retry = loop_add_timer(
        redis->loop,
        clock_mono_ms() + redis->retry_ms / 2 +
            (int64_t)(jitter % (uint32_t)(redis->retry_ms / 2 + 1)),
        connect_now, redis);
    redis->retry_ms *= 2;
    if (redis->retry_ms > redis->options.max_retry_ms)
        redis->retry_ms = redis->options.max_retry_ms;
}

/* What was sent may have been carried out: its owner must decide. */
static void connection_gone(struct redis *redis, const char *why)
{
    struct command *command;

    redis->context = NULL;
    redis->ready = false;
    note_error(redis, why);
    TAILQ_FOREACH (command, &redis->sent, link)
        command->redis = NULL;
    while ((command = TAILQ_FIRST(&redis->sent))) {
        struct command *copy = xcalloc(1, sizeof(*copy));

        /* hiredis still holds the sent one, and frees it by its callback. */
        TAILQ_REMOVE(&redis->sent, command, link);
        *copy = *command;
        memset(&command->copy, 0, sizeof(command->copy));
        fail(redis, copy, ERR_TRANSIENT, redis->last_error);
    }
    retry_later(redis);
    arm_tick(redis);
}

static void drop_connection(struct redis *redis, const char *why)
{
    redisAsyncContext *context = redis->context;

    if (context)
        context->data = NULL; /* its callbacks say nothing to us any more */
    connection_gone(redis, why);
    if (context)
        redisAsyncFree(context);
}

/* ---- time limits -------------------------------------------------------- */

static void expire_waiting(struct redis *redis, int64_t now)
{
    struct command *command;

    while ((command = TAILQ_FIRST(&redis->waiting)) &&
           command->deadline_ms <= now) {
        TAILQ_REMOVE(&redis->waiting, command, link);
        fail(redis, command, ERR_TIMEOUT,
             redis->last_error[0] ? redis->last_error
                                  : "not connected in time");
    }
}

static void on_tick(void *arg)
{
    struct redis *redis = arg;
    int64_t now = clock_mono_ms();
    struct command *command = TAILQ_FIRST(&redis->sent);

    redis->tick = NULL;
    expire_waiting(redis, now);
    if (command && command->deadline_ms <= now)
        drop_connection(redis, "no answer in time");
    else if (redis->context && !redis->ready &&
             redis->connect_deadline_ms <= now)
        drop_connection(redis, "cannot connect in time");
    arm_tick(redis);
}

/* All commands have the same limit: the first of a list is the soonest. */
static void arm_tick(struct redis *redis)
{
    struct command *waiting = TAILQ_FIRST(&redis->waiting);
    struct command *sent = TAILQ_FIRST(&redis->sent);
    int64_t at = INT64_MAX;

    if (waiting && waiting->deadline_ms < at)
        at = waiting->deadline_ms;
    if (sent && sent->deadline_ms < at)
        at = sent->deadline_ms;
    if (redis->context && !redis->ready && redis->connect_deadline_ms < at)
        at = redis->connect_deadline_ms;
    if (redis->tick && redis->tick_ms <= at)
        return;
    loop_remove(redis->tick);
    redis->tick = NULL;
    redis->tick_ms = at;
    if (at != INT64_MAX)
        redis->tick = loop_add_timer(redis->loop, at, on_tick, redis);
}

/* ---- commands ----------------------------------------------------------- */

static void on_reply(redisAsyncContext *context, void *raw, void *arg);

static void transmit(struct redis *redis, struct command *command)
{
    size_t len;
    char *wire;
    int rc;

    if (command->is_eval) {
        bool by_source = command->by_source || !redis->sha[command->script][0];

        redis_copy_set(&command->copy, 0, by_source ? "EVAL" : "EVALSHA");
        redis_copy_set(&command->copy, 1,
                       by_source
                           ? redis->options.scripts[command->script].source
                           : redis->sha[command->script]);
    }
    wire = redis_format(&command->copy, &len);
    rc = redisAsyncFormattedCommand(redis->context, on_reply, command, wire,
                                    len);
    redisFreeCommand(wire);
    if (rc == REDIS_OK)
        TAILQ_INSERT_TAIL(&redis->sent, command, link);
    else
        fail(redis, command, ERR_TRANSIENT, "the connection is closing");
}

static void on_reply(redisAsyncContext *context, void *raw, void *arg)
{
    struct command *command = arg;
    struct redis *redis = command->redis;
    const redisReply *reply = raw;
    struct err err = {ERR_NONE, 0, ""};

    if (!redis) {
        command_free(command);
        return;
    }
    TAILQ_REMOVE(&redis->sent, command, link);
    if (!reply) {
        fail(redis, command, ERR_TRANSIENT,
             context->errstr ? context->errstr : "connection lost");
        return;
    }
    if (redis_reply_is(reply, "NOSCRIPT") && command->is_eval &&
        !command->by_source) {
        command->by_source = true;
        transmit(redis, command);
        return;
    }
    redis->pending_bytes -= command->copy.bytes;
    if (reply->type == REDIS_REPLY_ERROR) {
        (void)redis_reply_failed(reply->str, redis->url->name, &err);
        if (command->is_eval)
            (void)err_wrap(&err, "script %s",
                           redis->options.scripts[command->script].name);
        reply = NULL;
    }
    if (command->fn)
        command->fn(command->arg, reply, reply ? NULL : &err);
    command_free(command); /* the client may be gone by now */
}

static void enqueue(struct redis *redis, struct command *command,
                    redis_reply_fn *fn, void *arg)
{
    command->redis = redis;
    command->fn = fn;
    command->arg = arg;
    command->deadline_ms = clock_mono_ms() + redis->options.command_timeout_ms;
    redis->pending_bytes += command->copy.bytes;
    if (redis->pending_bytes > MAX_PENDING)
        fail(redis, command, ERR_TRANSIENT, "too much waits for an answer");
    else if (redis->ready)
        transmit(redis, command);
    else
        TAILQ_INSERT_TAIL(&redis->waiting, command, link);
    arm_tick(redis);
}

void redis_command(struct redis *redis, const struct redis_words *words,
                   redis_reply_fn *fn, void *arg)
{
    struct command *command = xcalloc(1, sizeof(*command));

    redis_copy_words(&command->copy, 0, words);
    enqueue(redis, command, fn, arg);
}

void redis_eval(struct redis *redis, size_t script, const char *key,
                const struct redis_words *args, redis_reply_fn *fn, void *arg)
{
    struct command *command = xcalloc(1, sizeof(*command));

    command->is_eval = true;
    command->script = script;
    redis_copy_eval(&command->copy, key, args);
    enqueue(redis, command, fn, arg);
}

/* ---- connecting --------------------------------------------------------- */

static void become_ready(struct redis *redis)
{
    struct command *command;

    redis->ready = true;
    redis->retry_ms = FIRST_RETRY_MS;
    redis->last_error[0] = '\0';
    while ((command = TAILQ_FIRST(&redis->waiting))) {
        TAILQ_REMOVE(&redis->waiting, command, link);
        transmit(redis, command);
    }
}

/* `arg` numbers the steps: those of the login, then the scripts. */
static void on_login(redisAsyncContext *context, void *raw, void *arg)
{
    struct redis *redis = context->data;
    const redisReply *reply = raw;
    size_t step = (size_t)(uintptr_t)arg;
    struct redis_login steps[REDIS_MAX_LOGIN];
    struct err err;
    size_t logins;

    if (!redis || !reply)
        return;
    logins = redis_login_steps(redis->url, steps);
    if (reply->type == REDIS_REPLY_ERROR) {
        if (step < logins)
            (void)redis_login_failed(&steps[step], reply->str, &err);
        else
            (void)redis_reply_failed(reply->str, "cannot load the scripts",
                                     &err);
        drop_connection(redis, err.msg);
        return;
    }
    if (step >= logins && reply->type == REDIS_REPLY_STRING &&
        reply->len == REDIS_SHA_SIZE - 1)
        memcpy(redis->sha[step - logins], reply->str, REDIS_SHA_SIZE);
    if (--redis->login_left == 0)
        become_ready(redis);
}

static void say(struct redis *redis, const struct redis_words *words)
{
    CLEANUP(redis_copy) struct redis_copy copy = {NULL, NULL, 0, 0};
    size_t len;
    char *wire;

    redis_copy_words(&copy, 0, words);
    wire = redis_format(&copy, &len);
    (void)redisAsyncFormattedCommand(redis->context, on_login,
                                     (void *)(uintptr_t)redis->login_left, wire,
                                     len);
    redisFreeCommand(wire);
    redis->login_left++;
}

/* All of it in one go: hiredis keeps it until the socket is connected. */
static void introduce(struct redis *redis)
{
    static const char *const ping[] = {"PING"};
    struct redis_login steps[REDIS_MAX_LOGIN];
    size_t logins = redis_login_steps(redis->url, steps);

    redis->login_left = 0;
    for (size_t i = 0; i < logins; i++)
        say(redis, &(struct redis_words){steps[i].words, NULL, steps[i].count});
    for (size_t i = 0; i < redis->options.script_count; i++) {
        const char *const list[] = {"SCRIPT", "LOAD",
                                    redis->options.scripts[i].source};

        say(redis, &(struct redis_words){list, NULL, ARRAY_LEN(list)});
    }
    if (redis->login_left == 0)
        say(redis, &(struct redis_words){ping, NULL, 1});
}

static void on_connect(const redisAsyncContext *context, int status)
{
    struct redis *redis = context->data;

    if (redis && status != REDIS_OK)
        connection_gone(redis, context->errstr);
}

static void on_disconnect(const redisAsyncContext *context, int status UNUSED)
{
    struct redis *redis = context->data;

    if (redis)
        connection_gone(redis, context->errstr && context->errstr[0]
                                   ? context->errstr
                                   : "connection lost");
}

static void on_too_large(void *arg)
{
    drop_connection(arg, "an answer is too large");
}

static void connect_now(void *arg)
{
    struct redis *redis = arg;
    redisAsyncContext *context;
    struct err err;

    redis->retry = NULL;
    if (redis->url->path)
        context = redisAsyncConnectUnix(redis->url->path);
    else
        context = redisAsyncConnect(redis->url->host, redis->url->port);
    if (!context)
        abort(); /* out of memory: nothing else makes it fail */
    redis_keep_private(&context->c);
    if (context->err || redis_adapter_attach(redis->loop, context,
                                             redis->options.max_reply_bytes,
                                             on_too_large, redis, &err) < 0) {
        note_error(redis, context->err ? context->errstr : err.msg);
        redisAsyncFree(context);
        retry_later(redis);
        return;
    }
    context->data = redis;
    redis->context = context;
    redis->connect_deadline_ms =
        clock_mono_ms() + redis->options.connect_timeout_ms;
    (void)redisAsyncSetConnectCallback(context, on_connect);
    (void)redisAsyncSetDisconnectCallback(context, on_disconnect);
    introduce(redis);
    arm_tick(redis);
}

int redis_open(struct loop *loop, const struct redis_options *options,
               struct redis **out_redis, struct err *err)
{
    CLEANUP(redis) struct redis *redis = xcalloc(1, sizeof(*redis));

    TAILQ_INIT(&redis->waiting);
    TAILQ_INIT(&redis->sent);
    TAILQ_INIT(&redis->failed);
    redis->loop = loop;
    redis->options = *options;
    redis->options.url = NULL;
    redis->retry_ms = FIRST_RETRY_MS;
    if (redis_options_fill(&redis->options, err) < 0 ||
        redis_url_parse(options->url, &redis->url, err) < 0)
        return -1;
    redis_ignore_sigpipe();
    connect_now(redis);
    *out_redis = STEAL(redis);
    return 0;
}

void redis_free(struct redis *redis)
{
    struct command *command;

    if (!redis)
        return;
    if (redis->freed)
        *redis->freed = true;
    while ((command = TAILQ_FIRST(&redis->sent))) {
        TAILQ_REMOVE(&redis->sent, command, link);
        command->redis = NULL;
    }
    if (redis->context) {
        redis->context->data = NULL;
        redisAsyncFree(redis->context);
    }
    list_clear(&redis->waiting);
    list_clear(&redis->failed);
    loop_remove(redis->retry);
    loop_remove(redis->tick);
    loop_remove(redis->deliver);
    redis_url_free(redis->url);
    free(redis);
}
