/* scheduler/queue/seen.c - what is remembered of Git hosts' repositories. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/seen.h"

#include "scheduler/queue/impl.h"

static void on_words(struct queue_request *request,
                     const struct redisReply *reply, const struct err *err)
{
    queue_words_fn *fn = (queue_words_fn *)request->fn;
    size_t max =
        reply && reply->type == REDIS_REPLY_ARRAY ? reply->elements : 1;
    CLEANUP(mem) const char **words = xcalloc(max + 1, sizeof(*words));
    size_t count = 0;

    if (reply && reply->type == REDIS_REPLY_STRING)
        words[count++] = reply->str;
    for (size_t i = 0;
         reply && reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++)
        if (queue_reply_str(reply, i))
            words[count++] = queue_reply_str(reply, i);
    fn(request->arg, words, count, err);
}

void queue_seen_repos(struct queue *queue, queue_words_fn *fn, void *arg)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    CLEANUP(mem) char *key = queue_key(queue, "repos");

    queue_args_str(&args, "ZREVRANGE");
    queue_args_str(&args, key);
    queue_args_num(&args, 0);
    queue_args_num(&args, QUEUE_MAX_SEEN - 1);
    queue_send_command(queue_request(queue, on_words, (void (*)(void))fn, arg),
                       &args);
}

void queue_seen_heads(struct queue *queue, const char *forge, const char *repo,
                      queue_words_fn *fn, void *arg)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    CLEANUP(mem) char *key = queue_key(queue, "heads:%s:%s", forge, repo);

    queue_args_str(&args, "HGETALL");
    queue_args_str(&args, key);
    queue_send_command(queue_request(queue, on_words, (void (*)(void))fn, arg),
                       &args);
}

static void on_noted(struct queue_request *request,
                     const struct redisReply *reply UNUSED,
                     const struct err *err)
{
    ((queue_done_fn *)request->fn)(request->arg, err);
}

void queue_note_heads(struct queue *queue, const char *forge, const char *repo,
                      const char *const *words, size_t count, queue_done_fn *fn,
                      void *arg)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;

    queue_args_str(&args, forge);
    queue_args_str(&args, repo);
    for (size_t i = 0; i < count; i++)
        queue_args_str(&args, words[i]);
    queue_send(queue_request(queue, on_noted, (void (*)(void))fn, arg),
               SCRIPT_HEADS, &args);
}

void queue_job_report(struct queue *queue, const char *id, queue_words_fn *fn,
                      void *arg)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    CLEANUP(mem) char *key = queue_key(queue, "job:%s", id);

    queue_args_str(&args, "HGET");
    queue_args_str(&args, key);
    queue_args_str(&args, "report");
    queue_send_command(queue_request(queue, on_words, (void (*)(void))fn, arg),
                       &args);
}
