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

/* ---- those that wait -------------------------------------------------------
 */

/* Of scripts that answer 1, or 0: it is another's, or nobody's. */
static void on_done(struct queue_request *request,
                    const struct redisReply *reply, const struct err *err)
{
    queue_done_fn *fn = (queue_done_fn *)request->fn;
    struct err lost = {ERR_NONE, 0, ""};

    if (reply && reply->type == REDIS_REPLY_INTEGER && reply->integer == 0) {
        (void)err_set(&lost, ERR_LOST,
                      "the delivery does not wait any more, or is another's");
        err = &lost;
    }
    fn(request->arg, err);
}

void queue_settle(struct queue *queue, const struct queue_settlement *settled,
                  queue_done_fn *fn, void *arg)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;

    queue_args_str(&args, settled->key);
    queue_args_num(&args, settled->keep_ms);
    queue_args_str(&args, settled->state);
    queue_args_opt(&args, settled->reason);
    queue_args_opt(&args, settled->claim);
    queue_args_opt(&args, settled->jobs);
    queue_send(queue_request(queue, on_done, (void (*)(void))fn, arg),
               SCRIPT_SETTLE, &args);
}

void queue_postpone(struct queue *queue, const char *key, const char *claim,
                    int64_t delay_ms, const char *reason, queue_done_fn *fn,
                    void *arg)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;

    queue_args_str(&args, key);
    queue_args_str(&args, claim);
    queue_args_num(&args, delay_ms);
    queue_args_opt(&args, reason);
    queue_send(queue_request(queue, on_done, (void (*)(void))fn, arg),
               SCRIPT_POSTPONE, &args);
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

static void give(struct queue_request *request, const struct redisReply *reply)
{
    queue_attend_fn *fn = (queue_attend_fn *)request->fn;
    const redisReply *stored = reply->element[4];
    size_t len = 0;
    CLEANUP(mem) char *body = decompress(stored->str, stored->len, &len);
    const struct queue_taken taken = {
        .key = queue_reply_str(reply, 0),
        .forge = queue_reply_str(reply, 1),
        .event = queue_reply_str(reply, 2),
        .repo = queue_reply_str(reply, 3),
        .body = body,
        .len = len,
        .attempts = (unsigned)queue_reply_num(reply, 5),
        .started_at_ms = queue_reply_num(reply, 6),
        .replays = (unsigned)queue_reply_num(reply, 7),
        .now_ms = queue_reply_num(reply, 8),
    };

    fn(request->arg, &taken, -1, NULL);
}

static bool is_taken(const struct redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 9)
        return false;
    for (size_t i = 0; i < 5; i++)
        if (!queue_reply_str(reply, i))
            return false;
    return true;
}

static void on_attended(struct queue_request *request,
                        const struct redisReply *reply, const struct err *err)
{
    queue_attend_fn *fn = (queue_attend_fn *)request->fn;
    struct err bug = {ERR_NONE, 0, ""};
    int64_t due_ms, in_ms;

    if (err) {
        fn(request->arg, NULL, -1, err);
    } else if (is_taken(reply)) {
        give(request, reply);
    } else if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 3) {
        due_ms = queue_reply_num(reply, 1);
        in_ms = due_ms - queue_reply_num(reply, 2);
        fn(request->arg, NULL, !due_ms ? -1 : in_ms > 0 ? in_ms : 0, NULL);
    } else {
        (void)err_set(&bug, ERR_BUG, "attend.lua: an answer that is none");
        fn(request->arg, NULL, -1, &bug);
    }
}

void queue_attend(struct queue *queue, const struct queue_attendant *who,
                  queue_attend_fn *fn, void *arg)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;

    queue_args_str(&args, who->scheduler);
    queue_args_str(&args, who->claim);
    queue_args_num(&args, who->lifetime_ms);
    queue_args_str(&args, who->forges);
    queue_send(queue_request(queue, on_attended, (void (*)(void))fn, arg),
               SCRIPT_ATTEND, &args);
}

/* ---- for people ------------------------------------------------------------
 */

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

static bool is_number(const char *name)
{
    size_t len = strlen(name);

    return !strcmp(name, "bytes") || !strcmp(name, "attempts") ||
           !strcmp(name, "replays") ||
           (len > 3 && !strcmp(name + len - 3, "_ms"));
}

static json_t *words_of(const char *text)
{
    json_t *list = json_array();

    for (size_t n; *(text += strspn(text, " ")); text += n) {
        n = strcspn(text, " ");
        (void)json_array_append_new(list, json_stringn(text, n));
    }
    return list;
}

static json_t *value_of(const char *name, const char *value)
{
    if (is_number(name))
        return json_integer(strtoll(value, NULL, 10));
    if (!strcmp(name, "jobs"))
        return words_of(value);
    return json_string(value);
}

static json_t *row_of(const redisReply *reply)
{
    const char *key = queue_reply_str(reply, 0);
    json_t *row = json_object();

    (void)json_object_set_new(row, "key", json_string(key ? key : ""));
    for (size_t i = 1; i + 1 < reply->elements; i += 2) {
        const char *name = queue_reply_str(reply, i);
        const char *value = queue_reply_str(reply, i + 1);

        /* The claim is the scheduler's alone. */
        if (name && value && strcmp(name, "order") != 0 &&
            strcmp(name, "claim") != 0)
            (void)json_object_set_new(row, name, value_of(name, value));
    }
    return row;
}

int queue_deliveries(struct queue *queue, const char *key, unsigned limit,
                     json_t **out_rows, struct err *err)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    redisReply *reply = NULL;
    json_t *rows;

    queue_args_opt(&args, key);
    queue_args_num(&args, limit);
    if (queue_run(queue, SCRIPT_DELIVERIES, &args, &reply, err) < 0)
        return err_wrap(err, "cannot list the deliveries");
    rows = json_array();
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements;
         i++)
        if (reply->element[i]->type == REDIS_REPLY_ARRAY)
            (void)json_array_append_new(rows, row_of(reply->element[i]));
    freeReplyObject(reply);
    *out_rows = rows;
    return 0;
}

int queue_replay(struct queue *queue, const char *key, struct err *err)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    redisReply *reply = NULL;
    bool again, waits;

    queue_args_str(&args, key);
    if (queue_run(queue, SCRIPT_REPLAY, &args, &reply, err) < 0)
        return err_wrap(err, "cannot replay delivery %s", key);
    again = reply->type == REDIS_REPLY_STRING && !strcmp(reply->str, "again");
    waits = reply->type == REDIS_REPLY_STRING && !strcmp(reply->str, "waiting");
    freeReplyObject(reply);
    if (again)
        return 0;
    return err_set(err, ERR_USER,
                   waits ? "delivery %s waits already"
                         : "there is no delivery %s, or no more",
                   key);
}
