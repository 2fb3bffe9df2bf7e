/* scheduler/queue/log.c - what Redis keeps of a job's output. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/log.h"

#include "scheduler/queue/impl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PAGE "64" /* entries read at a time */

#define KEEP_MS    604800000
#define HEAD_BYTES ((int64_t)256 << 10)
#define TAIL_BYTES ((int64_t)1 << 20)
/* About what Redis needs for an entry besides its data. */
#define OVERHEAD 64

static char *log_prefix(const struct queue *queue, const char *id,
                        uint64_t epoch)
{
    return xasprintf("berth:log:{%s:%s:%" PRIu64 "}:", queue->pool, id, epoch);
}

char *lease_log_stream(const struct lease *lease)
{
    return log_prefix(lease->queue, lease->job_id, lease->epoch);
}

/* ---- writing ------------------------------------------------------------ */

static void on_logged(struct queue_request *request,
                      const struct redisReply *reply UNUSED,
                      const struct err *err)
{
    ((lease_logged_fn *)request->fn)(request->arg, err);
}

void lease_log(struct lease *lease, uint64_t batch,
               const struct queue_log_entry *entries, size_t count,
               lease_logged_fn *fn, void *arg)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    CLEANUP(mem)
    char *key = log_prefix(lease->queue, lease->job_id, lease->epoch);
    struct queue_request *request =
        queue_request(lease->queue, on_logged, (void (*)(void))fn, arg);

    request->lease = lease;
    queue_args_num(&args, (int64_t)batch);
    queue_args_num(&args, HEAD_BYTES);
    queue_args_num(&args, TAIL_BYTES);
    queue_args_num(&args, OVERHEAD);
    queue_args_num(&args, KEEP_MS);
    for (size_t i = 0; i < count && i < LEASE_LOG_MAX_ENTRIES; i++) {
        queue_args_num(&args, entries[i].step);
        queue_args_str(&args, entries[i].stream);
        queue_args_mem(&args, entries[i].data ? entries[i].data : "",
                       entries[i].len);
        queue_args_num(&args, (int64_t)entries[i].gap_bytes);
    }
    queue_send_at(request, SCRIPT_LOG, key, &args);
}

/* ---- reading ------------------------------------------------------------ */

/* step S stream T data D [gap G] */
static void tell_entry(const redisReply *fields, queue_log_fn *fn, void *arg)
{
    const char *step = queue_reply_str(fields, 1);
    const char *stream = queue_reply_str(fields, 3);
    const char *gap = queue_reply_str(fields, 7);
    struct queue_log_entry entry = {.stream = stream};

    if (!step || !stream || !queue_reply_str(fields, 5))
        return;
    entry.step = (unsigned)strtoul(step, NULL, 10);
    entry.data = fields->element[5]->str;
    entry.len = fields->element[5]->len;
    entry.gap_bytes = gap ? strtoull(gap, NULL, 10) : 0;
    fn(arg, &entry);
}

/* One page; `*from` becomes where the next begins, NULL after the last. */
static int read_page(struct redis_sync *redis, const char *key, char **from,
                     queue_log_fn *fn, void *arg, struct err *err)
{
    const char *const list[] = {"XRANGE", key, *from, "+", "COUNT", PAGE};
    struct redis_words words = {list, NULL, ARRAY_LEN(list)};
    redisReply *reply = NULL;
    char *next = NULL;

    if (redis_sync_command(redis, &words, &reply, err) < 0)
        return err_wrap(err, "cannot read '%s'", key);
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements;
         i++) {
        const redisReply *entry = reply->element[i];
        const char *id = queue_reply_str(entry, 0);

        if (!id || entry->elements < 2)
            continue;
        tell_entry(entry->element[1], fn, arg);
        free(next);
        next = xasprintf("(%s", id);
    }
    freeReplyObject(reply);
    free(*from);
    *from = next;
    return 0;
}

static int read_stream(struct redis_sync *redis, const char *key,
                       queue_log_fn *fn, void *arg, struct err *err)
{
    CLEANUP(mem) char *from = xstrdup("-");

    while (from)
        if (read_page(redis, key, &from, fn, arg, err) < 0)
            return -1;
    return 0;
}

static int read_gap(struct redis_sync *redis, const char *key, queue_log_fn *fn,
                    void *arg, struct err *err)
{
    const char *const list[] = {"HGET", key, "dropped_bytes"};
    struct redis_words words = {list, NULL, ARRAY_LEN(list)};
    struct queue_log_entry gap = {.stream = "gap", .data = ""};
    redisReply *reply = NULL;

    if (redis_sync_command(redis, &words, &reply, err) < 0)
        return err_wrap(err, "cannot read '%s'", key);
    if (reply->type == REDIS_REPLY_STRING)
        gap.gap_bytes = strtoull(reply->str, NULL, 10);
    freeReplyObject(reply);
    if (gap.gap_bytes)
        fn(arg, &gap);
    return 0;
}

int queue_log(struct queue *queue, const char *id, uint64_t epoch,
              queue_log_fn *fn, void *arg, struct err *err)
{
    CLEANUP(mem) char *prefix = log_prefix(queue, id, epoch);
    CLEANUP(mem) char *head = xasprintf("%shead", prefix);
    CLEANUP(mem) char *tail = xasprintf("%stail", prefix);
    CLEANUP(mem) char *meta = xasprintf("%smeta", prefix);
    struct redis_sync *redis;

    if (queue_check_id(id, err) < 0 || queue_sync(queue, &redis, err) < 0)
        return -1;
    if (read_stream(redis, head, fn, arg, err) < 0 ||
        read_gap(redis, meta, fn, arg, err) < 0)
        return -1;
    return read_stream(redis, tail, fn, arg, err);
}
