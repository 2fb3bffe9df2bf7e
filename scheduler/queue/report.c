/* scheduler/queue/report.c - jobs that a Git host is to be told of. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/report.h"

#include "base/utf8.h"
#include "scheduler/queue/impl.h"
#include "scheduler/queue/submit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_MS 86400000

const char *const queue_report_hosts[QUEUE_REPORT_HOSTS] = {"github", "gitlab",
                                                            "gitea", "other"};

/* ---- taking ----------------------------------------------------------------
 */

void queue_report_free(struct queue_report *report)
{
    if (!report)
        return;
    free(report->state);
    free(report->pipeline);
    free(report->reason);
    json_decref(report->report);
    json_decref(report->result);
    json_decref(report->posted);
    free(report);
}

/* The places of report_take.lua's answer. */
enum {
    TAKE_HOST,
    TAKE_ID,
    TAKE_REVISION,
    TAKE_STATE,
    TAKE_KIND,
    TAKE_REPORT,
    TAKE_RESULT,
    TAKE_ABOUT,
    TAKE_PIPELINE,
    TAKE_REASON,
    TAKE_EPOCH,
    TAKE_SUBMITTED,
    TAKE_STARTED,
    TAKE_ENDED,
    TAKE_TRIES,
    TAKE_LATEST,
    TAKE_POSTED,
    TAKE_COUNT
};

static char *copy_text(const redisReply *reply, size_t i)
{
    const char *s = queue_reply_str(reply, i);

    return xstrdup(s ? s : "");
}

/* An object, or NULL. */
static json_t *read_object(const redisReply *reply, size_t i)
{
    const char *s = queue_reply_str(reply, i);
    json_t *root = s ? json_loadb(s, reply->element[i]->len, 0, NULL) : NULL;

    if (json_is_object(root))
        return root;
    json_decref(root);
    return NULL;
}

static json_t *read_posted(const redisReply *pairs)
{
    json_t *posted = json_object();

    for (size_t i = 0;
         pairs->type == REDIS_REPLY_ARRAY && i + 1 < pairs->elements; i += 2)
        if (queue_reply_str(pairs, i))
            (void)json_object_set_new(
                posted, queue_reply_str(pairs, i),
                json_string(queue_reply_str(pairs, i + 1)));
    return posted;
}

static struct queue_report *read_report(const redisReply *reply)
{
    struct queue_report *report = xcalloc(1, sizeof(*report));
    const char *kind = queue_reply_str(reply, TAKE_KIND);

    (void)snprintf(report->host, sizeof(report->host), "%s",
                   queue_reply_str(reply, TAKE_HOST));
    (void)snprintf(report->id, sizeof(report->id), "%s",
                   queue_reply_str(reply, TAKE_ID));
    report->state = copy_text(reply, TAKE_STATE);
    report->pipeline = copy_text(reply, TAKE_PIPELINE);
    report->reason = copy_text(reply, TAKE_REASON);
    report->is_run = kind && strcmp(kind, "run") == 0;
    report->report = read_object(reply, TAKE_REPORT);
    report->result = read_object(reply, TAKE_RESULT);
    report->posted = read_posted(reply->element[TAKE_POSTED]);
    report->latest = queue_reply_num(reply, TAKE_LATEST) != 0;
    report->revision = (uint64_t)queue_reply_num(reply, TAKE_REVISION);
    report->epoch = (uint64_t)queue_reply_num(reply, TAKE_EPOCH);
    report->tries = (unsigned)queue_reply_num(reply, TAKE_TRIES);
    report->submitted_at_ms = queue_reply_num(reply, TAKE_SUBMITTED);
    report->started_at_ms = queue_reply_num(reply, TAKE_STARTED);
    report->ended_at_ms = queue_reply_num(reply, TAKE_ENDED);
    if (!report->report)
        report->report = json_object();
    return report;
}

static void on_taken(struct queue_request *request,
                     const struct redisReply *reply, const struct err *err)
{
    queue_report_fn *fn = (queue_report_fn *)request->fn;
    struct queue_report *report = NULL;

    if (reply && reply->type == REDIS_REPLY_ARRAY &&
        reply->elements == TAKE_COUNT && queue_reply_str(reply, TAKE_HOST) &&
        queue_reply_str(reply, TAKE_ID))
        report = read_report(reply);
    fn(request->arg, report, err);
}

void queue_report_take(struct queue *queue,
                       const struct queue_report_hold *hold,
                       const char *const *hosts, size_t count,
                       queue_report_fn *fn, void *arg)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;

    queue_args_str(&args, hold->scheduler);
    queue_args_str(&args, hold->nonce);
    queue_args_num(&args, hold->hold_ms);
    for (size_t i = 0; i < count; i++)
        queue_args_str(&args, hosts[i]);
    queue_send(queue_request(queue, on_taken, (void (*)(void))fn, arg),
               SCRIPT_REPORT_TAKE, &args);
}

/* ---- holding, ending --------------------------------------------------------
 */

static void on_held(struct queue_request *request,
                    const struct redisReply *reply, const struct err *err)
{
    queue_done_fn *fn = (queue_done_fn *)request->fn;
    struct err lost = {ERR_NONE, 0, ""};

    if (reply && ((reply->type == REDIS_REPLY_INTEGER && !reply->integer) ||
                  (reply->type == REDIS_REPLY_STRING &&
                   strcmp(reply->str, "lost") == 0))) {
        (void)err_set(&lost, ERR_LOST, "the host is held by another");
        err = &lost;
    }
    fn(request->arg, err);
}

void queue_report_renew(struct queue *queue, const char *host,
                        const char *nonce, int64_t hold_ms, queue_done_fn *fn,
                        void *arg)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;

    queue_args_str(&args, host);
    queue_args_str(&args, nonce);
    queue_args_num(&args, hold_ms);
    queue_send(queue_request(queue, on_held, (void (*)(void))fn, arg),
               SCRIPT_REPORT_RENEW, &args);
}

/* The first bytes of a text, whole characters; "" for NULL. */
static void add_cut(struct queue_args *args, const char *text)
{
    const char *all = text ? text : "";

    queue_args_mem(args, all,
                   utf8_fit(all, strlen(all), QUEUE_MAX_REPORT_ERROR));
}

/* What is open first, and last what would be raised again if forgotten. */
static void add_posted(struct queue_args *args, const json_t *posted)
{
    static const char *const words[] = {"open", "resolved", "gone", "fixed"};
    size_t left = QUEUE_MAX_POSTED;

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        const char *fingerprint;
        json_t *word;

        json_object_foreach((json_t *)(uintptr_t)posted, fingerprint, word)
        {
            if (!json_is_string(word) || !left ||
                strcmp(json_string_value(word), words[i]) != 0)
                continue;
            queue_args_str(args, fingerprint);
            queue_args_str(args, words[i]);
            left--;
        }
    }
}

void queue_report_done(struct queue *queue, const char *host, const char *nonce,
                       const struct queue_report_outcome *outcome,
                       queue_done_fn *fn, void *arg)
{
    static const char *const words[] = {
        [QUEUE_REPORT_DONE] = "done",
        [QUEUE_REPORT_AGAIN] = "again",
        [QUEUE_REPORT_UNSERVED] = "unserved",
        [QUEUE_REPORT_PAUSED] = "paused",
        [QUEUE_REPORT_REFUSED] = "refused",
        [QUEUE_REPORT_RELEASED] = "released",
    };
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    char fraction[QUEUE_FRACTION_SIZE];

    queue_args_str(&args, host);
    queue_args_str(&args, nonce);
    queue_args_str(&args, words[outcome->end]);
    add_cut(&args, outcome->message);
    queue_args_num(&args,
                   outcome->after_ms < DAY_MS ? outcome->after_ms : DAY_MS);
    queue_args_str(&args, queue_fraction(fraction));
    add_cut(&args, outcome->notes);
    queue_args_num(&args, outcome->comments);
    queue_args_num(&args, outcome->resolved);
    queue_args_str(&args, outcome->posted ? "1" : "0");
    add_posted(&args, outcome->posted);
    queue_send(queue_request(queue, on_held, (void (*)(void))fn, arg),
               SCRIPT_REPORT_DONE, &args);
}

void queue_report_invalid(struct queue *queue,
                          const struct queue_invalid *invalid,
                          queue_done_fn *fn, void *arg)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    CLEANUP(mem) char *tenant = queue_tenant(invalid->repo);
    json_t *result = json_pack("{s:s}", "message", invalid->message);
    CLEANUP(mem) char *text = json_dumps(result, JSON_COMPACT);

    json_decref(result);
    queue_args_str(&args, invalid->id);
    queue_args_str(&args, tenant ? tenant : "none");
    queue_args_str(&args, invalid->pipeline);
    queue_args_str(&args, invalid->report);
    queue_args_str(&args, invalid->about);
    queue_args_str(&args, text ? text : "{}");
    queue_send(queue_request(queue, on_held, (void (*)(void))fn, arg),
               SCRIPT_INVALID, &args);
}

/* ---- results of a run's jobs ------------------------------------------------
 */

static void on_result(struct queue_request *request,
                      const struct redisReply *reply, const struct err *err)
{
    queue_result_fn *fn = (queue_result_fn *)request->fn;
    const char *parent = reply ? queue_reply_str(reply, 1) : NULL;
    json_t *result = NULL;

    if (parent && strcmp(parent, request->data) == 0)
        result = read_object(reply, 0);
    fn(request->arg, result, err);
    json_decref(result);
}

void queue_run_result(struct queue *queue, const char *run, size_t index,
                      queue_result_fn *fn, void *arg)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    CLEANUP(mem) char *key = queue_key(queue, "job:%s-%zu", run, index + 1);
    struct queue_request *request =
        queue_request(queue, on_result, (void (*)(void))fn, arg);

    request->data = xstrdup(run);
    queue_args_str(&args, "HMGET");
    queue_args_str(&args, key);
    queue_args_str(&args, "result");
    queue_args_str(&args, "parent");
    queue_send_command(request, &args);
}
