/* scheduler/queue/queue.c - a pool: open it, and call its scripts. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/queue.h"

#include "base/clock.h"
#include "base/redis_url.h"
#include "base/state.h"
#include "scheduler/queue/impl.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define MAX_POOL 64

/* ---- arguments and answers ---------------------------------------------- */

void queue_args_mem(struct queue_args *args, const void *data, size_t len)
{
    if (args->count == args->cap) {
        args->cap = args->cap ? 2 * args->cap : 32;
        args->words =
            xreallocarray(args->words, args->cap, sizeof(*args->words));
        args->lens = xreallocarray(args->lens, args->cap, sizeof(*args->lens));
    }
    args->words[args->count] = data;
    args->lens[args->count++] = len;
}

void queue_args_str(struct queue_args *args, const char *s)
{
    queue_args_mem(args, s, strlen(s));
}

void queue_args_opt(struct queue_args *args, const char *s)
{
    queue_args_str(args, s ? s : "");
}

void queue_args_num(struct queue_args *args, int64_t n)
{
    char number[24];
    int len = snprintf(number, sizeof(number), "%" PRId64, n);

    if (!args->arena)
        args->arena = arena_new();
    queue_args_str(args, arena_strndup(args->arena, number, (size_t)len));
}

struct redis_words queue_args_words(const struct queue_args *args)
{
    return (struct redis_words){args->words, args->lens, args->count};
}

void queue_args_clear(struct queue_args *args)
{
    free(args->words);
    free(args->lens);
    arena_free(args->arena);
    *args = (struct queue_args)QUEUE_ARGS;
}

const char *queue_reply_str(const struct redisReply *reply, size_t i)
{
    const struct redisReply *element;

    if (reply->type != REDIS_REPLY_ARRAY || i >= reply->elements)
        return NULL;
    element = reply->element[i];
    return element->type == REDIS_REPLY_STRING ? element->str : NULL;
}

int64_t queue_reply_num(const struct redisReply *reply, size_t i)
{
    const char *s = queue_reply_str(reply, i);

    if (s)
        return (int64_t)strtoll(s, NULL, 10);
    if (reply->type == REDIS_REPLY_ARRAY && i < reply->elements &&
        reply->element[i]->type == REDIS_REPLY_INTEGER)
        return reply->element[i]->integer;
    return 0;
}

/* ---- names --------------------------------------------------------------- */

const char *queue_fraction(char out[QUEUE_FRACTION_SIZE])
{
    uint32_t n = 0;

    if (getrandom(&n, sizeof(n), GRND_NONBLOCK) < 0)
        n = 0;
    (void)snprintf(out, QUEUE_FRACTION_SIZE, "0.%06u", n % 1000000);
    return out;
}

const char *queue_seconds(uint32_t wait_ms, char out[QUEUE_SECONDS_SIZE])
{
    if (wait_ms > QUEUE_MAX_WAIT_MS)
        wait_ms = QUEUE_MAX_WAIT_MS;
    (void)snprintf(out, QUEUE_SECONDS_SIZE, "%u.%03u", wait_ms / 1000,
                   wait_ms % 1000);
    return out;
}

char *queue_key(const struct queue *queue, const char *fmt, ...)
{
    CLEANUP(mem) char *name = NULL;
    va_list ap;

    va_start(ap, fmt);
    name = xvasprintf(fmt, ap);
    va_end(ap);
    return xasprintf("%s%s", queue->prefix, name);
}

/* ---- open and close ----------------------------------------------------- */

static int check_options(const struct queue_options *o, struct err *err)
{
    struct redis_url *url = NULL;

    if (!o->pool ||
        !queue_made_of(o->pool, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_.-", MAX_POOL))
        return err_set(err, ERR_USER,
                       "the pool '%.80s' is not 1 to %d of A-Z, a-z, 0-9, "
                       "'_', '.' and '-'",
                       o->pool ? o->pool : "", MAX_POOL);
    if (o->max_instances == 0)
        return err_set(err, ERR_USER, "max_instances must be 1 or more");
    if (redis_url_parse(o->url, &url, err) < 0)
        return -1;
    redis_url_free(url);
    return 0;
}

/* What somebody relies on once it is answered; all else can be done again. */
static const bool is_durable[SCRIPT_COUNT] = {
    [SCRIPT_SUBMIT] = true,  [SCRIPT_LEASE] = true,  [SCRIPT_COMPLETE] = true,
    [SCRIPT_CANCEL] = true,  [SCRIPT_RETRY] = true,  [SCRIPT_FIRE] = true,
    [SCRIPT_ADVANCE] = true, [SCRIPT_REJECT] = true, [SCRIPT_DELIVER] = true,
};

static struct redis_options redis_options(const struct queue *queue)
{
    return (struct redis_options){.url = queue->url,
                                  .scripts = queue_scripts,
                                  .script_count = SCRIPT_COUNT,
                                  .wait_replicas = queue->options.wait_replicas,
                                  .wait_ms = queue->options.wait_ms};
}

int queue_open(struct loop *loop, const struct queue_options *options,
               struct queue **out_queue, struct err *err)
{
    CLEANUP(queue) struct queue *queue = xcalloc(1, sizeof(*queue));
    struct redis_options redis;

    TAILQ_INIT(&queue->requests);
    TAILQ_INIT(&queue->leases);
    if (check_options(options, err) < 0)
        return -1;
    queue->options = *options;
    if (!queue->options.lease_ms)
        queue->options.lease_ms = 120000;
    if (!queue->options.kill_grace_ms)
        queue->options.kill_grace_ms = 15000;
    queue->options.url = queue->url = xstrdup(options->url);
    queue->options.pool = queue->pool = xstrdup(options->pool);
    queue->prefix = xasprintf("berth:{%s}:", queue->pool);
    queue->loop = loop;
    state_random_hex(queue->nonce, QUEUE_NONCE_SIZE - 1);
    redis = redis_options(queue);
    if (loop && redis_open(loop, &redis, &queue->redis, err) < 0)
        return -1;
    *out_queue = STEAL(queue);
    return 0;
}

static void request_clear(struct queue_request *request)
{
    if (request->free_data && request->data)
        request->free_data(request->data);
    else
        free(request->data);
    free(request);
}

static void request_free(struct queue_request *request)
{
    TAILQ_REMOVE(&request->queue->requests, request, link);
    request_clear(request);
}

void queue_free(struct queue *queue)
{
    struct queue_request *request;

    if (!queue)
        return;
    redis_free(queue->redis);
    redis_free(queue->bell);
    redis_free(queue->wait);
    redis_free(queue->inbox);
    redis_free(queue->asks);
    redis_sync_free(queue->sync);
    queue_drop_batch(queue);
    if (queue->freed)
        *queue->freed = true;
    while ((request = TAILQ_FIRST(&queue->requests)))
        request_free(request);
    free(queue->round);
    if (queue->url)
        mem_wipe(queue->url, strlen(queue->url));
    free(queue->url);
    free(queue->pool);
    free(queue->prefix);
    free(queue);
}

void queue_forget_calls(struct queue *queue, const void *arg)
{
    struct queue_request *request;

    TAILQ_FOREACH (request, &queue->requests, link)
        if (request->arg == arg) {
            request->forgotten = true;
            if (!request->grants)
                continue;
            /* What is asked for next is another lease than that one. */
            state_random_hex(queue->nonce, QUEUE_NONCE_SIZE - 1);
            queue->again = false;
        }
}

const char *queue_refusal(const struct queue *queue, const struct err *err)
{
    const struct redis *const clients[] = {
        queue->redis, queue->bell, queue->wait, queue->inbox, queue->asks};
    const char *why = NULL;

    if (err && err->kind != ERR_TRANSIENT && err->kind != ERR_TIMEOUT)
        return err->msg;
    for (size_t i = 0; i < ARRAY_LEN(clients) && !why; i++)
        why = clients[i] ? redis_refusal(clients[i]) : NULL;
    return why;
}

const char *queue_pool(const struct queue *queue)
{
    return queue->pool;
}

/* ---- calls that block -----------------------------------------------------
 */

int queue_sync(struct queue *queue, struct redis_sync **out_redis,
               struct err *err)
{
    struct redis_options options = redis_options(queue);

    if (!queue->sync && redis_sync_open(&options, &queue->sync, err) < 0)
        return -1;
    *out_redis = queue->sync;
    return 0;
}

int queue_run(struct queue *queue, enum queue_script script,
              const struct queue_args *args, redisReply **out_reply,
              struct err *err)
{
    struct redis_words words = queue_args_words(args);
    struct redis_sync *redis;

    if (queue_sync(queue, &redis, err) < 0)
        return -1;
    return is_durable[script]
               ? redis_sync_eval_durable(redis, script, queue->prefix, &words,
                                         out_reply, err)
               : redis_sync_eval(redis, script, queue->prefix, &words,
                                 out_reply, err);
}

int queue_command(struct queue *queue, const char *const *list, size_t count,
                  redisReply **out_reply, struct err *err)
{
    struct redis_words words = {list, NULL, count};
    struct redis_sync *redis;

    if (queue_sync(queue, &redis, err) < 0)
        return -1;
    return redis_sync_command(redis, &words, out_reply, err);
}

/* ---- calls that do not -----------------------------------------------------
 */

struct queue_request *queue_request(struct queue *queue,
                                    queue_answer_fn *on_answer,
                                    void (*fn)(void), void *arg)
{
    struct queue_request *request = xcalloc(1, sizeof(*request));

    request->queue = queue;
    request->on_answer = on_answer;
    request->fn = fn;
    request->arg = arg;
    request->sent_mono_ms = clock_mono_ms();
    TAILQ_INSERT_TAIL(&queue->requests, request, link);
    return request;
}

/* The callback may free the queue, and this request with it: it is taken out
 * of the list before. */
void queue_finish(struct queue_request *request, const struct redisReply *reply,
                  const struct err *err)
{
    TAILQ_REMOVE(&request->queue->requests, request, link);
    if (!request->forgotten)
        request->on_answer(request, reply, err);
    request_clear(request);
}

static void on_reply(void *arg, const struct redisReply *reply,
                     const struct err *err)
{
    queue_finish(arg, reply, err);
}

void queue_send(struct queue_request *request, enum queue_script script,
                const struct queue_args *args)
{
    struct redis_words words = queue_args_words(args);

    if (is_durable[script])
        redis_eval_durable(request->queue->redis, script,
                           request->queue->prefix, &words, on_reply, request);
    else
        redis_eval(request->queue->redis, script, request->queue->prefix,
                   &words, on_reply, request);
}

void queue_send_command(struct queue_request *request,
                        const struct queue_args *args)
{
    struct redis_words words = queue_args_words(args);

    redis_command(request->queue->redis, &words, on_reply, request);
}

void queue_send_waiting(struct queue_request *request,
                        struct redis **connection,
                        const struct queue_args *args)
{
    struct redis_words words = queue_args_words(args);
    struct queue *queue = request->queue;
    struct redis_options options = {
        .url = queue->url, .command_timeout_ms = QUEUE_MAX_WAIT_MS + 10000};
    struct err err;

    /* The address was checked when the queue was opened. */
    if (!*connection && redis_open(queue->loop, &options, connection, &err) < 0)
        abort();
    redis_command(*connection, &words, on_reply, request);
}
