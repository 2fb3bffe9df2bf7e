/* scheduler/queue/queue.c - a pool: open it, submit, cancel, status. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/queue.h"

#include "base/redis_url.h"
#include "base/state.h"
#include "scheduler/queue/impl.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_POOL 64

/* ---- arguments and answers ---------------------------------------------- */

void queue_args_mem(struct queue_args *args, const void *data, size_t len)
{
    args->words[args->count] = data;
    args->lens[args->count++] = len;
}

void queue_args_str(struct queue_args *args, const char *s)
{
    queue_args_mem(args, s, strlen(s));
}

void queue_args_num(struct queue_args *args, uint64_t n)
{
    char *out = args->numbers[args->number_count++];

    (void)snprintf(out, sizeof(args->numbers[0]), "%" PRIu64, n);
    queue_args_str(args, out);
}

struct redis_words queue_args_words(const struct queue_args *args)
{
    return (struct redis_words){args->words, args->lens, args->count};
}

const char *queue_reply_str(const struct redisReply *reply, size_t i)
{
    const struct redisReply *element;

    if (reply->type != REDIS_REPLY_ARRAY || i >= reply->elements)
        return NULL;
    element = reply->element[i];
    return element->type == REDIS_REPLY_STRING ? element->str : NULL;
}

/* ---- open and close ----------------------------------------------------- */

static bool made_of(const char *s, const char *also, size_t max)
{
    size_t len = strlen(s);

    if (len == 0 || len > max)
        return false;
    for (; *s; s++)
        if (!(*s >= 'a' && *s <= 'z') && !(*s >= '0' && *s <= '9') &&
            !strchr(also, *s))
            return false;
    return true;
}

int queue_check_id(const char *id, struct err *err)
{
    if (!made_of(id, "-", QUEUE_MAX_ID) || id[0] == '-')
        return err_set(err, ERR_USER,
                       "the job id '%.80s' is not 1 to %d of a-z, 0-9 and -",
                       id, QUEUE_MAX_ID);
    return 0;
}

static int check_options(const struct queue_options *o, struct err *err)
{
    struct redis_url *url = NULL;

    if (!o->pool ||
        !made_of(o->pool, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_.-", MAX_POOL))
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

static struct redis_options redis_options(const struct queue *queue)
{
    return (struct redis_options){.url = queue->url,
                                  .scripts = queue_scripts,
                                  .script_count = SCRIPT_COUNT};
}

int queue_open(struct loop *loop, const struct queue_options *options,
               struct queue **out_queue, struct err *err)
{
    CLEANUP(queue) struct queue *queue = xcalloc(1, sizeof(*queue));
    struct redis_options redis;

    TAILQ_INIT(&queue->requests);
    if (check_options(options, err) < 0)
        return -1;
    queue->options = *options;
    if (!queue->options.lease_ms)
        queue->options.lease_ms = 120000;
    if (!queue->options.kill_grace_ms)
        queue->options.kill_grace_ms = 15000;
    if (!queue->options.keep_ms)
        queue->options.keep_ms = 7U * 24 * 3600 * 1000;
    queue->options.url = queue->url = xstrdup(options->url);
    queue->options.pool = queue->pool = xstrdup(options->pool);
    queue->prefix = xasprintf("berth:{%s}:", queue->pool);
    state_random_hex(queue->nonce, QUEUE_NONCE_SIZE - 1);
    redis = redis_options(queue);
    if (loop && redis_open(loop, &redis, &queue->redis, err) < 0)
        return -1;
    *out_queue = STEAL(queue);
    return 0;
}

void queue_free(struct queue *queue)
{
    struct queue_request *request;

    if (!queue)
        return;
    redis_free(queue->redis);
    redis_sync_free(queue->sync);
    while ((request = TAILQ_FIRST(&queue->requests)))
        queue_request_free(request);
    if (queue->url)
        mem_wipe(queue->url, strlen(queue->url));
    free(queue->url);
    free(queue->pool);
    free(queue->prefix);
    free(queue);
}

int queue_sync(struct queue *queue, struct redis_sync **out_redis,
               struct err *err)
{
    struct redis_options options = redis_options(queue);

    if (!queue->sync && redis_sync_open(&options, &queue->sync, err) < 0)
        return -1;
    *out_redis = queue->sync;
    return 0;
}

/* ---- asynchronous calls ------------------------------------------------- */

struct queue_request *queue_request(struct queue *queue, struct lease *lease,
                                    void *arg)
{
    struct queue_request *request = xcalloc(1, sizeof(*request));

    request->queue = queue;
    request->lease = lease;
    request->arg = arg;
    TAILQ_INSERT_TAIL(&queue->requests, request, link);
    return request;
}

void queue_send(struct queue_request *request, enum queue_script script,
                const char *key, const struct queue_args *args,
                redis_reply_fn *on_reply)
{
    struct redis_words words = queue_args_words(args);

    redis_eval(request->queue->redis, script, key, &words, on_reply, request);
}

void queue_request_free(struct queue_request *request)
{
    TAILQ_REMOVE(&request->queue->requests, request, link);
    free(request);
}

/* ---- one-shot commands -------------------------------------------------- */

static int run(struct queue *queue, enum queue_script script,
               const struct queue_args *args, redisReply **out_reply,
               struct err *err)
{
    struct redis_words words = queue_args_words(args);
    struct redis_sync *redis;

    if (queue_sync(queue, &redis, err) < 0)
        return -1;
    return redis_sync_eval(redis, script, queue->prefix, &words, out_reply,
                           err);
}

int queue_submit(struct queue *queue, const char *id, const char *payload,
                 struct err *err)
{
    struct queue_args args = {.count = 0};
    redisReply *reply = NULL;

    if (queue_check_id(id, err) < 0)
        return -1;
    if (strlen(payload) > QUEUE_MAX_PAYLOAD)
        return err_set(err, ERR_USER,
                       "job %s: its payload has %zu bytes, over "
                       "%zu",
                       id, strlen(payload), QUEUE_MAX_PAYLOAD);
    queue_args_str(&args, id);
    queue_args_str(&args, QUEUE_TENANT);
    queue_args_str(&args, payload);
    queue_args_num(&args, queue->options.keep_ms);
    if (run(queue, SCRIPT_SUBMIT, &args, &reply, err) < 0)
        return err_wrap(err, "cannot submit job %s", id);
    freeReplyObject(reply);
    return 0;
}

int queue_cancel(struct queue *queue, const char *id, const char *reason,
                 struct err *err)
{
    struct queue_args args = {.count = 0};
    redisReply *reply = NULL;
    bool none;

    if (queue_check_id(id, err) < 0)
        return -1;
    queue_args_str(&args, id);
    queue_args_str(&args, reason);
    queue_args_num(&args, queue->options.keep_ms);
    if (run(queue, SCRIPT_CANCEL, &args, &reply, err) < 0)
        return err_wrap(err, "cannot cancel job %s", id);
    none = reply->type == REDIS_REPLY_STRING && strcmp(reply->str, "none") == 0;
    freeReplyObject(reply);
    if (none)
        return err_set(err, ERR_USER, "there is no job '%s'", id);
    return 0;
}

static char *copy_field(const redisReply *reply, size_t i)
{
    const char *s = queue_reply_str(reply, i);

    return s ? xstrdup(s) : NULL;
}

static int64_t number_field(const redisReply *reply, size_t i)
{
    const char *s = queue_reply_str(reply, i);

    return s ? (int64_t)strtoll(s, NULL, 10) : 0;
}

static struct queue_status *read_status(const redisReply *reply)
{
    struct queue_status *status = xcalloc(1, sizeof(*status));

    status->state = copy_field(reply, 0);
    status->reason = copy_field(reply, 1);
    status->worker = copy_field(reply, 2);
    status->result = copy_field(reply, 3);
    status->epoch = (uint64_t)number_field(reply, 4);
    status->submitted_at_ms = number_field(reply, 5);
    status->started_at_ms = number_field(reply, 6);
    status->ended_at_ms = number_field(reply, 7);
    return status;
}

int queue_status(struct queue *queue, const char *id,
                 struct queue_status **out_status, struct err *err)
{
    CLEANUP(queue_status) struct queue_status *status = NULL;
    CLEANUP(mem) char *key = NULL;
    struct redis_sync *redis;
    redisReply *reply = NULL;

    if (queue_check_id(id, err) < 0 || queue_sync(queue, &redis, err) < 0)
        return -1;
    key = xasprintf("%sjob:%s", queue->prefix, id);
    {
        const char *const list[] = {
            "HMGET",         key,           "state", "reason",
            "worker",        "result",      "epoch", "submitted_at_ms",
            "started_at_ms", "ended_at_ms",
        };
        struct redis_words words = {list, NULL, ARRAY_LEN(list)};

        if (redis_sync_command(redis, &words, &reply, err) < 0)
            return err_wrap(err, "cannot read job %s", id);
    }
    status = read_status(reply);
    freeReplyObject(reply);
    if (!status->state)
        return err_set(err, ERR_USER, "there is no job '%s'", id);
    *out_status = STEAL(status);
    return 0;
}

void queue_status_free(struct queue_status *status)
{
    if (!status)
        return;
    free(status->state);
    free(status->reason);
    free(status->worker);
    free(status->result);
    free(status);
}
