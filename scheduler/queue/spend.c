/* scheduler/queue/spend.c - what jobs may spend on models, pool-wide. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/spend.h"

#include "base/log.h"
#include "scheduler/queue/impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *word_at(const redisReply *reply, size_t i)
{
    return i < reply->elements && reply->element[i]->type == REDIS_REPLY_STRING
               ? reply->element[i]->str
               : "";
}

/* "the day's budget: 190.00 of 200.00 USD are spent or reserved, …" */
static void explain(const redisReply *reply, char *out, size_t size)
{
    const char *kind = word_at(reply, 2);
    const char *whose = strcmp(word_at(reply, 1), "day") == 0
                            ? "all jobs of today"
                            : "the repository's jobs of today";
    double used = strtod(word_at(reply, 3), NULL);
    double limit = strtod(word_at(reply, 4), NULL);
    double want = strtod(word_at(reply, 5), NULL);

    if (strcmp(kind, "micro_usd") == 0)
        (void)snprintf(out, size,
                       "%.2f of %.2f USD of %s are spent or reserved, and "
                       "this one may need %.2f",
                       used / 1e6, limit / 1e6, whose, want / 1e6);
    else
        (void)snprintf(out, size,
                       "%.0f of %.0f %s of %s are spent or reserved, and this "
                       "one may need %.0f",
                       used, limit, kind, whose, want);
}

static void on_reserved(struct queue_request *request,
                        const struct redisReply *reply, const struct err *err)
{
    spend_reserved_fn *fn = (spend_reserved_fn *)request->fn;
    struct err bug = {ERR_NONE, 0, ""};
    char message[256];

    if (reply && (reply->type != REDIS_REPLY_ARRAY || reply->elements < 2 ||
                  reply->element[0]->type != REDIS_REPLY_INTEGER)) {
        (void)err_set(&bug, ERR_BUG, "reserve.lua: an answer that is none");
        err = &bug;
    }
    if (err || !reply) {
        fn(request->arg, NULL, NULL, err);
    } else if (reply->element[0]->integer == 1) {
        fn(request->arg, word_at(reply, 1), NULL, NULL);
    } else {
        explain(reply, message, sizeof(message));
        fn(request->arg, NULL, message, NULL);
    }
}

static void add_amount(struct queue_args *args,
                       const struct spend_amount *amount)
{
    queue_args_num(args, (int64_t)amount->requests);
    queue_args_num(args, (int64_t)amount->tokens);
    queue_args_num(args, (int64_t)amount->micro_usd);
}

static void add_wish(struct queue_args *args, const struct spend_wish *wish)
{
    queue_args_str(args, wish->job_id);
    queue_args_num(args, (int64_t)wish->epoch);
    queue_args_str(args, wish->model);
    queue_args_str(args, wish->repository);
}

void spend_reserve(struct queue *queue, const struct spend_wish *wish,
                   spend_reserved_fn *fn, void *arg)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;

    add_wish(&args, wish);
    add_amount(&args, &wish->most);
    add_amount(&args, &wish->repository_limit);
    add_amount(&args, &wish->day_limit);
    queue_send(queue_request(queue, on_reserved, (void (*)(void))fn, arg),
               SCRIPT_RESERVE, &args);
}

static void on_settled(struct queue_request *request UNUSED,
                       const struct redisReply *reply UNUSED,
                       const struct err *err)
{
    if (err)
        log_warn("what a job spent on a model is not told to Redis, so all "
                 "that it might have counts: %s",
                 err->msg);
}

void spend_settle(struct queue *queue, const struct spend_wish *wish,
                  const char *date, const struct spend_amount *spent)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;

    add_wish(&args, wish);
    queue_args_str(&args, date);
    add_amount(&args, spent);
    queue_send(queue_request(queue, on_settled, NULL, NULL), SCRIPT_SPENT,
               &args);
}

static void on_charged(struct queue_request *request,
                       const struct redisReply *reply, const struct err *err)
{
    spend_charged_fn *fn = (spend_charged_fn *)request->fn;

    fn(request->arg,
       reply && reply->type == REDIS_REPLY_STRING ? reply->str : "", err);
}

void spend_charge(struct queue *queue, const struct lease *lease,
                  const char *text, spend_charged_fn *fn, void *arg)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;

    queue_args_str(&args, lease_job_id(lease));
    queue_args_num(&args, (int64_t)lease_epoch(lease));
    queue_args_str(&args, lease_nonce(lease));
    queue_args_str(&args, text);
    queue_send(queue_request(queue, on_charged, (void (*)(void))fn, arg),
               SCRIPT_CHARGE, &args);
}
