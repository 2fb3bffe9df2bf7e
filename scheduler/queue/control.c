/* scheduler/queue/control.c - telling the queue what to do. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/control.h"

#include "scheduler/queue/impl.h"

#include <stdio.h>
#include <string.h>

/* A script that answers with one word. */
static int run_word(struct queue *queue, enum queue_script script,
                    const struct queue_args *args, char out[32],
                    struct err *err)
{
    redisReply *reply = NULL;

    if (queue_run(queue, script, args, &reply, err) < 0)
        return -1;
    (void)snprintf(out, 32, "%s",
                   reply->type == REDIS_REPLY_STRING ? reply->str : "");
    if (reply->type == REDIS_REPLY_INTEGER)
        (void)snprintf(out, 32, "%lld", reply->integer);
    freeReplyObject(reply);
    return 0;
}

int queue_cancel(struct queue *queue, const char *id, const char *reason,
                 enum queue_cancelled *out, struct err *err)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    char word[32];

    if (queue_check_id(id, err) < 0)
        return -1;
    queue_args_str(&args, id);
    queue_args_str(&args, reason);
    if (run_word(queue, SCRIPT_CANCEL, &args, word, err) < 0)
        return err_wrap(err, "cannot cancel job %s", id);
    if (strcmp(word, "none") == 0)
        return err_set(err, ERR_USER, "there is no job '%s'", id);
    *out = strcmp(word, "cancelled") == 0 ? QUEUE_CANCELLED
           : strcmp(word, "asked") == 0   ? QUEUE_CANCEL_ASKED
                                          : QUEUE_CANCEL_ENDED;
    return 0;
}

int queue_retry(struct queue *queue, const char *id, struct err *err)
{
    static const struct {
        const char *word;
        const char *message;
    } refusals[] = {
        {"none", "there is no such job"},
        {"active", "it has not ended"},
        {"child", "it is one of a run: retry the run"},
        {"gone", "what was to be done is not kept: submit it "
                 "again"},
    };
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    char word[32];

    if (queue_check_id(id, err) < 0)
        return -1;
    queue_args_str(&args, id);
    if (run_word(queue, SCRIPT_RETRY, &args, word, err) < 0)
        return err_wrap(err, "cannot retry job %s", id);
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++)
        if (strcmp(word, refusals[i].word) == 0)
            return err_set(err, ERR_USER, "cannot retry job %s: %s", id,
                           refusals[i].message);
    return 0;
}

static void on_did(struct queue_request *request,
                   const struct redisReply *reply, const struct err *err)
{
    static const char *const words[] = {"cancelled", "asked", "queued"};
    queue_did_fn *fn = (queue_did_fn *)request->fn;
    bool did = false;

    for (size_t i = 0; reply && i < ARRAY_LEN(words); i++)
        did |= reply->type == REDIS_REPLY_STRING &&
               strcmp(reply->str, words[i]) == 0;
    fn(request->arg, did, err);
}

void queue_cancel_async(struct queue *queue, const char *id, const char *reason,
                        queue_did_fn *fn, void *arg)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;

    queue_args_str(&args, id);
    queue_args_str(&args, reason);
    queue_send(queue_request(queue, on_did, (void (*)(void))fn, arg),
               SCRIPT_CANCEL, &args);
}

void queue_retry_async(struct queue *queue, const char *id, queue_did_fn *fn,
                       void *arg)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;

    queue_args_str(&args, id);
    queue_send(queue_request(queue, on_did, (void (*)(void))fn, arg),
               SCRIPT_RETRY, &args);
}

int queue_drain(struct queue *queue, const char *worker, bool drain,
                struct err *err)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    char word[32];

    queue_args_str(&args, worker);
    queue_args_num(&args, drain);
    if (run_word(queue, SCRIPT_DRAIN, &args, word, err) < 0)
        return err_wrap(err, "cannot %s worker %s", drain ? "drain" : "resume",
                        worker);
    if (strcmp(word, "1") != 0)
        return err_set(err, ERR_USER, "there is no worker '%s'", worker);
    return 0;
}

int queue_forget_rejected(struct queue *queue, const char *id, struct err *err)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    char word[32];

    if (queue_check_id(id, err) < 0)
        return -1;
    queue_args_str(&args, id);
    if (run_word(queue, SCRIPT_FORGET, &args, word, err) < 0)
        return err_wrap(err, "cannot remove the rejected document %s", id);
    if (strcmp(word, "1") != 0)
        return err_set(err, ERR_USER, "there is no rejected document '%s'", id);
    return 0;
}

/* ---- the pool's configuration ----------------------------------------------
 */

static void add_number(struct queue_args *args, const char *name, int64_t value)
{
    queue_args_str(args, name);
    queue_args_num(args, value);
}

static void add_numbers(struct queue_args *args, const char *prefix,
                        const struct queue_number *numbers, size_t count)
{
    if (!args->arena)
        args->arena = arena_new();
    for (size_t i = 0; i < count; i++) {
        CLEANUP(mem)
        char *name = xasprintf("%s:%s", prefix, numbers[i].name);

        add_number(args, arena_strndup(args->arena, name, strlen(name)),
                   numbers[i].value);
    }
}

static void add_conf(struct queue_args *args, const struct pool_conf *conf)
{
    add_number(args, "max_instances", conf->max_instances);
    add_number(args, "keep_ms", conf->keep_ms);
    add_number(args, "dead_keep_ms", conf->dead_keep_ms);
    add_number(args, "infra_retries", conf->infra_retries);
    add_number(args, "backoff_ms", conf->backoff_ms);
    add_number(args, "backoff_max_ms", conf->backoff_max_ms);
    if (conf->weight_count)
        add_number(args, "weighted", 1);
    if (conf->cap_count || conf->pipeline_cap_count)
        add_number(args, "capped", 1);
    add_numbers(args, "weight", conf->weights, conf->weight_count);
    add_numbers(args, "tcap", conf->caps, conf->cap_count);
    add_numbers(args, "pcap", conf->pipeline_caps, conf->pipeline_cap_count);
}

int queue_configure(struct queue *queue, const struct pool_conf *conf,
                    struct err *err)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    char word[32];

    add_conf(&args, conf);
    if (run_word(queue, SCRIPT_CONFIGURE, &args, word, err) < 0)
        return err_wrap(err, "cannot configure the pool '%s'",
                        queue_pool(queue));
    return 0;
}

static void on_configured(struct queue_request *request,
                          const struct redisReply *reply UNUSED,
                          const struct err *err)
{
    queue_done_fn *fn = (queue_done_fn *)request->fn;

    if (fn)
        fn(request->arg, err);
}

void queue_configure_async(struct queue *queue, const struct pool_conf *conf,
                           queue_done_fn *fn, void *arg)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;

    add_conf(&args, conf);
    queue_send(queue_request(queue, on_configured, (void (*)(void))fn, arg),
               SCRIPT_CONFIGURE, &args);
}
