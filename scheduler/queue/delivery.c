/* scheduler/queue/delivery.c - what Git hosts sent, kept until it is done. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/delivery.h"

#include "scheduler/queue/impl.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#define LEVEL 1 /* the loop waits for it: 25 MiB in a tenth of a second */

static const struct {
    const char *word;
    enum queue_delivered what;
} words[] = {
    {"stored", QUEUE_DELIVERY_STORED},
    {"known", QUEUE_DELIVERY_KNOWN},
    {"again", QUEUE_DELIVERY_AGAIN},
    {"full", QUEUE_DELIVERY_FULL},
};

static void on_delivered(struct queue_request *request,
                         const struct redisReply *reply, const struct err *err)
{
    queue_deliver_fn *fn = (queue_deliver_fn *)request->fn;
    struct err bug = {ERR_NONE, 0, ""};

    for (size_t i = 0; reply && i < ARRAY_LEN(words); i++)
        if (reply->type == REDIS_REPLY_STRING &&
            !strcmp(reply->str, words[i].word)) {
            fn(request->arg, words[i].what, NULL);
            return;
        }
    if (reply) {
        (void)err_set(&bug, ERR_BUG, "deliver.lua: an answer that is none");
        err = &bug;
    }
    fn(request->arg, QUEUE_DELIVERY_FULL, err);
}

/* One frame, owned by the caller. */
static void *compress(const void *data, size_t len, size_t *out_len)
{
    size_t max = ZSTD_compressBound(len);
    void *out = xmalloc(max);
    size_t n = ZSTD_compress(out, max, data, len, LEVEL);

    if (ZSTD_isError(n)) /* out of memory: `max` is enough */
        abort();
    *out_len = n;
    return out;
}

int queue_deliver(struct queue *queue, const struct queue_delivery *delivery,
                  const struct queue_delivery_limits *limits,
                  const struct queue_deliver_done *done, struct err *err)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    const char *const fields[] = {
        "forge",  delivery->forge,   "event", delivery->event,
        "source", delivery->source,  "repo",  delivery->repo,
        "id",     delivery->host_id,
    };
    CLEANUP(mem) void *body = NULL;
    size_t len = 0;

    if (delivery->len <= QUEUE_MAX_DELIVERY)
        body = compress(delivery->body, delivery->len, &len);
    if (!body || len > QUEUE_MAX_DELIVERY_STORED)
        return err_set(err, ERR_USER, "the delivery is too large to be kept");
    queue_args_str(&args, delivery->key);
    queue_args_num(&args, limits->keep_ms);
    queue_args_num(&args, (int64_t)limits->budget_bytes);
    queue_args_str(&args, delivery->ignored ? "ignored" : "waiting");
    queue_args_opt(&args, delivery->ignored);
    queue_args_mem(&args, body, len);
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        queue_args_str(&args, fields[i]);
    queue_args_str(&args, "bytes");
    queue_args_num(&args, (int64_t)delivery->len);
    queue_send(
        queue_request(queue, on_delivered, (void (*)(void))done->fn, done->arg),
        SCRIPT_DELIVER, &args);
    return 0;
}

static void on_settled(struct queue_request *request,
                       const struct redisReply *reply, const struct err *err)
{
    queue_done_fn *fn = (queue_done_fn *)request->fn;
    struct err lost = {ERR_NONE, 0, ""};

    if (reply && reply->type == REDIS_REPLY_INTEGER && reply->integer == 0) {
        (void)err_set(&lost, ERR_LOST, "the delivery does not wait any more");
        err = &lost;
    }
    fn(request->arg, err);
}

void queue_settle(struct queue *queue, const char *key, const char *state,
                  const char *reason, int64_t keep_ms, queue_done_fn *fn,
                  void *arg)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;

    queue_args_str(&args, key);
    queue_args_num(&args, keep_ms);
    queue_args_str(&args, state);
    queue_args_str(&args, reason);
    queue_send(queue_request(queue, on_settled, (void (*)(void))fn, arg),
               SCRIPT_SETTLE, &args);
}

/* What Redis has may be damaged: no size in it is believed beyond bounds. */
static char *decompress(const void *data, size_t len, size_t *out_len)
{
    unsigned long long size = ZSTD_getFrameContentSize(data, len);
    CLEANUP(mem) char *out = NULL;
    size_t n;

    if (size > QUEUE_MAX_DELIVERY) /* and the words for none */
        return NULL;
    out = xmalloc((size_t)size + 1);
    n = ZSTD_decompress(out, (size_t)size, data, len);
    if (ZSTD_isError(n) || n != size)
        return NULL;
    out[n] = '\0';
    *out_len = n;
    return STEAL(out);
}

int queue_delivery_body(struct queue *queue, const char *key, char **out_body,
                        size_t *out_len, struct err *err)
{
    CLEANUP(mem) char *name = queue_key(queue, "delivery:%s", key);
    const char *const get[] = {"HGET", name, "body"};
    redisReply *reply = NULL;
    char *body = NULL;
    size_t len = 0;

    if (queue_command(queue, get, ARRAY_LEN(get), &reply, err) < 0)
        return err_wrap(err, "cannot read delivery %s", key);
    if (reply->type == REDIS_REPLY_STRING)
        body = decompress(reply->str, reply->len, &len);
    freeReplyObject(reply);
    if (!body)
        return err_set(err, ERR_USER, "there is no delivery %s, or no more",
                       key);
    *out_body = body;
    *out_len = len;
    return 0;
}
