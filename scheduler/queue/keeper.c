/* scheduler/queue/keeper.c - what must be done by the clock, by anybody. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/keeper.h"

#include "scheduler/queue/impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Longer ones are rejected when they come back: half of what an answer may
 * have (base/redis.h). */
#define MAX_DOCUMENT ((int64_t)8 << 20)

/* ---- a round ---------------------------------------------------------------
 */

struct keeper_round {
    struct keeper_report report;
    struct err err;   /* the first failure */
    unsigned awaited; /* answers */
    queue_keep_fn *fn;
    void *arg;
};

/* One of the scripts answered; after the last of them the caller is told. */
static void arrived(struct queue *queue, const struct err *err)
{
    struct keeper_round *round = queue->round;
    CLEANUP(mem) struct keeper_round *last = NULL;

    if (err && round->err.kind == ERR_NONE)
        round->err = *err;
    if (--round->awaited > 0)
        return;
    last = STEAL(queue->round);
    if (last->err.kind)
        last->fn(last->arg, NULL, &last->err);
    else
        last->fn(last->arg, &last->report, NULL);
}

static unsigned count_at(const struct redisReply *reply, size_t i)
{
    return reply ? (unsigned)queue_reply_num(reply, i) : 0;
}

static void on_watched(struct queue_request *request,
                       const struct redisReply *reply, const struct err *err)
{
    struct keeper_report *report = &request->queue->round->report;

    report->given_back = count_at(reply, 0);
    for (size_t i = 1;
         reply && reply->type == REDIS_REPLY_ARRAY && i < reply->elements &&
         report->run_count < ARRAY_LEN(report->runs);
         i++)
        if (queue_reply_str(reply, i))
            (void)snprintf(report->runs[report->run_count++],
                           sizeof(report->runs[0]), "%s",
                           queue_reply_str(reply, i));
    arrived(request->queue, err);
}

static void on_reaped(struct queue_request *request,
                      const struct redisReply *reply, const struct err *err)
{
    struct keeper_report *report = &request->queue->round->report;

    report->retried = count_at(reply, 0);
    report->lost = count_at(reply, 1);
    arrived(request->queue, err);
}

static void on_promoted(struct queue_request *request,
                        const struct redisReply *reply, const struct err *err)
{
    struct keeper_report *report = &request->queue->round->report;

    report->begun = count_at(reply, 0);
    report->expired = count_at(reply, 1);
    report->aged = count_at(reply, 2);
    report->next_due_ms = reply ? queue_reply_num(reply, 3) : 0;
    report->now_ms = reply ? queue_reply_num(reply, 4) : 0;
    arrived(request->queue, err);
}

static void on_trimmed(struct queue_request *request,
                       const struct redisReply *reply, const struct err *err)
{
    if (reply && reply->type == REDIS_REPLY_INTEGER)
        request->queue->round->report.forgotten = (unsigned)reply->integer;
    arrived(request->queue, err);
}

static void send(struct queue *queue, enum queue_script script,
                 queue_answer_fn *on_answer, const struct queue_args *args)
{
    queue->round->awaited++;
    queue_send(queue_request(queue, on_answer, NULL, NULL), script, args);
}

void queue_keep(struct queue *queue, const struct keeper_options *options,
                queue_keep_fn *fn, void *arg)
{
    CLEANUP(queue_args) struct queue_args watch = QUEUE_ARGS;
    CLEANUP(queue_args) struct queue_args reap = QUEUE_ARGS;
    CLEANUP(queue_args) struct queue_args promote = QUEUE_ARGS;
    CLEANUP(queue_args) struct queue_args trim = QUEUE_ARGS;
    char fraction[QUEUE_FRACTION_SIZE];

    queue->round = xcalloc(1, sizeof(*queue->round));
    queue->round->fn = fn;
    queue->round->arg = arg;
    queue_fraction(fraction);
    queue_args_str(&watch, options->scheduler);
    queue_args_num(&watch, options->dead_ms);
    send(queue, SCRIPT_WATCH, on_watched, &watch);
    queue_args_num(&reap, queue->options.lease_ms);
    queue_args_num(&reap, options->tick_ms);
    queue_args_str(&reap, fraction);
    send(queue, SCRIPT_REAP, on_reaped, &reap);
    queue_args_num(&promote, options->aging_ms);
    queue_args_str(&promote, fraction);
    send(queue, SCRIPT_PROMOTE, on_promoted, &promote);
    queue_args_num(&trim, options->keep_count);
    send(queue, SCRIPT_TRIM, on_trimmed, &trim);
}

/* ---- the inbox -------------------------------------------------------------
 */

static void on_taken(struct queue_request *request,
                     const struct redisReply *reply, const struct err *err)
{
    queue_take_fn *fn = (queue_take_fn *)request->fn;

    if (reply && reply->type == REDIS_REPLY_STRING)
        fn(request->arg, reply->str, reply->len, NULL);
    else
        fn(request->arg, NULL, 0, err);
}

void queue_take(struct queue *queue, const char *scheduler, uint32_t wait_ms,
                queue_take_fn *fn, void *arg)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    CLEANUP(mem) char *inbox = queue_key(queue, "inbox");
    CLEANUP(mem) char *held = queue_key(queue, "inbox:%s", scheduler);
    struct queue_request *request =
        queue_request(queue, on_taken, (void (*)(void))fn, arg);
    char seconds[QUEUE_SECONDS_SIZE];

    queue_args_str(&args, "BLMOVE");
    queue_args_str(&args, inbox);
    queue_args_str(&args, held);
    queue_args_str(&args, "RIGHT");
    queue_args_str(&args, "LEFT");
    queue_args_str(&args, queue_seconds(wait_ms, seconds));
    queue_send_waiting(request, &queue->inbox, &args);
}

void queue_take_forget(struct queue *queue)
{
    struct queue_request *request;

    TAILQ_FOREACH (request, &queue->requests, link)
        if (request->on_answer == on_taken)
            request->forgotten = true;
    /* What waits in Redis goes with its connection. */
    redis_free(STEAL(queue->inbox));
}

static void on_done(struct queue_request *request,
                    const struct redisReply *reply UNUSED,
                    const struct err *err)
{
    queue_done_fn *fn = (queue_done_fn *)request->fn;

    fn(request->arg, err);
}

void queue_give_back(struct queue *queue, const char *scheduler,
                     queue_done_fn *fn, void *arg)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;

    queue_args_str(&args, scheduler);
    queue_args_num(&args, MAX_DOCUMENT);
    queue_send(queue_request(queue, on_done, (void (*)(void))fn, arg),
               SCRIPT_GIVE_BACK, &args);
}

static void on_rejected(struct queue_request *request,
                        const struct redisReply *reply, const struct err *err)
{
    queue_done_fn *fn = (queue_done_fn *)request->fn;
    struct err lost = {ERR_NONE, 0, ""};

    if (reply && reply->type == REDIS_REPLY_INTEGER && reply->integer == 0) {
        (void)err_set(&lost, ERR_LOST, "another scheduler took the document");
        err = &lost;
    }
    fn(request->arg, err);
}

void queue_reject(struct queue *queue, const struct queue_document *document,
                  const char *id, const char *reason, queue_done_fn *fn,
                  void *arg)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;

    queue_args_str(&args, document->scheduler);
    queue_args_mem(&args, document->text, document->len);
    queue_args_str(&args, id);
    queue_args_str(&args, reason);
    queue_send(queue_request(queue, on_rejected, (void (*)(void))fn, arg),
               SCRIPT_REJECT, &args);
}

/* ---- runs ------------------------------------------------------------------
 */

static void on_woken(struct queue_request *request,
                     const struct redisReply *reply, const struct err *err)
{
    queue_wake_fn *fn = (queue_wake_fn *)request->fn;

    fn(request->arg, reply && reply->type == REDIS_REPLY_ARRAY, err);
}

void queue_wait_run(struct queue *queue, uint32_t wait_ms, queue_wake_fn *fn,
                    void *arg)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    CLEANUP(mem) char *key = queue_key(queue, "wake");
    struct queue_request *request =
        queue_request(queue, on_woken, (void (*)(void))fn, arg);
    char seconds[QUEUE_SECONDS_SIZE];

    queue_args_str(&args, "BLPOP");
    queue_args_str(&args, key);
    queue_args_str(&args, queue_seconds(wait_ms, seconds));
    queue_send_waiting(request, &queue->wait, &args);
}

/* ---- schedules -------------------------------------------------------------
 */

static void on_last(struct queue_request *request,
                    const struct redisReply *reply, const struct err *err)
{
    queue_cron_fn *fn = (queue_cron_fn *)request->fn;
    bool known = reply && reply->type == REDIS_REPLY_STRING;

    fn(request->arg, known ? (int64_t)strtoll(reply->str, NULL, 10) : -1, err);
}

void queue_cron_last(struct queue *queue, const char *name, queue_cron_fn *fn,
                     void *arg)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    CLEANUP(mem) char *key = queue_key(queue, "crons");

    queue_args_str(&args, "HGET");
    queue_args_str(&args, key);
    queue_args_str(&args, name);
    queue_send_command(queue_request(queue, on_last, (void (*)(void))fn, arg),
                       &args);
}

static void on_fired(struct queue_request *request,
                     const struct redisReply *reply, const struct err *err)
{
    queue_fire_fn *fn = (queue_fire_fn *)request->fn;

    fn(request->arg,
       reply && reply->type == REDIS_REPLY_INTEGER && reply->integer == 1, err);
}

void queue_fire(struct queue *queue, const char *name, int64_t expected_ms,
                int64_t last_ms, const char *const *documents, size_t count,
                queue_fire_fn *fn, void *arg)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;

    queue_args_str(&args, name);
    if (expected_ms < 0)
        queue_args_str(&args, "");
    else
        queue_args_num(&args, expected_ms);
    queue_args_num(&args, last_ms);
    for (size_t i = 0; i < count; i++)
        queue_args_str(&args, documents[i]);
    queue_send(queue_request(queue, on_fired, (void (*)(void))fn, arg),
               SCRIPT_FIRE, &args);
}
