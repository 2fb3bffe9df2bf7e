/* scheduler/queue/credential.c - who asks for what reads a repository. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/credential.h"

#include "base/strbuf.h"
#include "scheduler/queue/impl.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PURPOSE "berth-checkout-1"
#define ANY     "ABCDEFGHIJKLMNOPQRSTUVWXYZ_.-"

char *queue_credential_context(const struct queue_credential_for *of,
                               size_t *out_len)
{
    const char *const words[] = {PURPOSE,   of->pool, of->job_id, of->epoch,
                                 of->nonce, of->repo, of->worker};
    struct strbuf out = STRBUF_INIT;

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        strbuf_add(&out, words[i], strlen(words[i]) + 1);
    *out_len = out.len;
    return strbuf_take(&out);
}

/* ---- the worker ------------------------------------------------------------
 */

static void on_asked(struct queue_request *request,
                     const struct redisReply *reply, const struct err *err)
{
    static const char *const words[] = {[QUEUE_ASKED] = "asked",
                                        [QUEUE_ASK_LOST] = "lost",
                                        [QUEUE_ASK_FULL] = "full",
                                        [QUEUE_ASK_NOBODY] = "nobody"};
    queue_asked_fn *fn = (queue_asked_fn *)request->fn;
    struct err bug = {ERR_NONE, 0, ""};

    for (size_t i = 0; reply && i < ARRAY_LEN(words); i++)
        if (reply->type == REDIS_REPLY_STRING &&
            !strcmp(reply->str, words[i])) {
            fn(request->arg, (enum queue_asked)i, NULL);
            return;
        }
    if (reply) {
        (void)err_set(&bug, ERR_BUG, "ask.lua: an answer that is none");
        err = &bug;
    }
    fn(request->arg, QUEUE_ASK_LOST, err);
}

void lease_ask_credential(struct lease *lease, const char *worker,
                          queue_asked_fn *fn, void *arg)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    struct queue_request *request =
        queue_request(lease->queue, on_asked, (void (*)(void))fn, arg);

    request->lease = lease;
    queue_args_str(&args, worker);
    queue_args_str(&args, lease->job_id);
    queue_args_num(&args, (int64_t)lease->epoch);
    queue_args_str(&args, lease->nonce);
    queue_args_num(&args, QUEUE_MAX_ASKS);
    queue_send(request, SCRIPT_ASK, &args);
}

static void on_answer(struct queue_request *request,
                      const struct redisReply *reply, const struct err *err)
{
    queue_credential_fn *fn = (queue_credential_fn *)request->fn;

    if (reply && reply->type == REDIS_REPLY_STRING)
        fn(request->arg, reply->str, reply->len, NULL);
    else
        fn(request->arg, NULL, 0, err);
}

void lease_take_credential(struct lease *lease, queue_credential_fn *fn,
                           void *arg)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    CLEANUP(mem)
    char *key = queue_key(lease->queue, "answer:%s:%" PRIu64, lease->job_id,
                          lease->epoch);
    struct queue_request *request =
        queue_request(lease->queue, on_answer, (void (*)(void))fn, arg);

    request->lease = lease;
    queue_args_str(&args, "LPOP");
    queue_args_str(&args, key);
    queue_send_command(request, &args);
}

/* ---- the scheduler ---------------------------------------------------------
 */

/* One word of `*text`, up to a blank or the end; false: it is none such. */
static bool take_word(const char **text, const char *also, char *out,
                      size_t size)
{
    size_t len = strcspn(*text, " ");

    if (!len || len >= size)
        return false;
    memcpy(out, *text, len);
    out[len] = '\0';
    *text += len + ((*text)[len] ? 1 : 0);
    return queue_made_of(out, also, size - 1);
}

static bool read_ask(const char *text, struct queue_ask *out)
{
    return take_word(&text, "", out->asked_at_ms, sizeof(out->asked_at_ms)) &&
           take_word(&text, "-", out->job_id, sizeof(out->job_id)) &&
           take_word(&text, "", out->epoch, sizeof(out->epoch)) &&
           take_word(&text, "", out->nonce, sizeof(out->nonce)) &&
           take_word(&text, ANY, out->worker, sizeof(out->worker)) && !*text;
}

static void on_ask(struct queue_request *request,
                   const struct redisReply *reply, const struct err *err)
{
    queue_ask_fn *fn = (queue_ask_fn *)request->fn;
    struct queue_ask ask;
    /* Of BLPOP: the key, and what it has. */
    const char *text = reply ? queue_reply_str(reply, 1) : NULL;

    fn(request->arg, text && read_ask(text, &ask) ? &ask : NULL, err);
}

void queue_take_ask(struct queue *queue, uint32_t wait_ms, queue_ask_fn *fn,
                    void *arg)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    CLEANUP(mem) char *key = queue_key(queue, "asks");
    struct queue_request *request =
        queue_request(queue, on_ask, (void (*)(void))fn, arg);
    char seconds[QUEUE_SECONDS_SIZE];

    queue_args_str(&args, "BLPOP");
    queue_args_str(&args, key);
    queue_args_str(&args, queue_seconds(wait_ms, seconds));
    queue_send_waiting(request, &queue->asks, &args);
}

static void add_ask(struct queue_args *args, const struct queue_ask *ask)
{
    queue_args_str(args, ask->worker);
    queue_args_str(args, ask->job_id);
    queue_args_str(args, ask->epoch);
    queue_args_str(args, ask->nonce);
}

static void on_checked(struct queue_request *request,
                       const struct redisReply *reply, const struct err *err)
{
    queue_ask_checked_fn *fn = (queue_ask_checked_fn *)request->fn;
    const char *word = reply ? queue_reply_str(reply, 0) : NULL;
    struct err lost = {ERR_NONE, 0, ""};

    if (word && strcmp(word, "ok") == 0 && queue_reply_str(reply, 1) &&
        queue_reply_str(reply, 2)) {
        fn(request->arg, queue_reply_str(reply, 1), queue_reply_str(reply, 2),
           NULL);
        return;
    }
    if (reply) {
        (void)err_set(&lost, ERR_LOST, "%s",
                      word && !strcmp(word, "late")
                          ? "nobody waits for it any more"
                      : word && !strcmp(word, "often")
                          ? "the lease asked too often"
                          : "the lease is not that worker's");
        err = &lost;
    }
    fn(request->arg, NULL, NULL, err);
}

void queue_check_ask(struct queue *queue, const struct queue_ask *ask,
                     queue_ask_checked_fn *fn, void *arg)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;

    add_ask(&args, ask);
    queue_args_str(&args, ask->asked_at_ms);
    queue_args_num(&args, QUEUE_ASKS_LEASE);
    queue_args_num(&args, QUEUE_ASK_OLD_MS);
    queue_send(queue_request(queue, on_checked, (void (*)(void))fn, arg),
               SCRIPT_ASKED, &args);
}

static void on_left(struct queue_request *request,
                    const struct redisReply *reply, const struct err *err)
{
    queue_done_fn *fn = (queue_done_fn *)request->fn;
    struct err lost = {ERR_NONE, 0, ""};

    if (reply && (reply->type != REDIS_REPLY_INTEGER || reply->integer != 1)) {
        (void)err_set(&lost, ERR_LOST, "the lease is not that worker's");
        err = &lost;
    }
    fn(request->arg, err);
}

void queue_answer_ask(struct queue *queue, const struct queue_ask *ask,
                      const char *answer, queue_done_fn *fn, void *arg)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;

    add_ask(&args, ask);
    queue_args_str(&args, answer);
    queue_args_num(&args, QUEUE_ANSWER_MS);
    queue_send(queue_request(queue, on_left, (void (*)(void))fn, arg),
               SCRIPT_ANSWER, &args);
}
