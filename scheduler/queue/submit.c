/* scheduler/queue/submit.c - putting jobs in. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/submit.h"

#include "base/strbuf.h"
#include "scheduler/queue/impl.h"
#include "scheduler/queue/job_args.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TENANT 128

/* ---- names ----------------------------------------------------------------
 */

static const char *skip_scheme(const char *repo)
{
    const char *scheme = strstr(repo, "://");
    const char *at;

    if (scheme)
        repo = scheme + 3;
    at = strchr(repo, '@');
    if (at && strcspn(repo, "/") > (size_t)(at - repo))
        repo = at + 1;
    while (*repo == '/')
        repo++;
    return repo;
}

char *queue_tenant(const char *repo)
{
    char *tenant = xstrndup(repo ? skip_scheme(repo) : "", MAX_TENANT);
    size_t len = strlen(tenant);

    while (len && tenant[len - 1] == '/')
        tenant[--len] = '\0';
    if (len > 4 && strcmp(tenant + len - 4, ".git") == 0)
        tenant[len - 4] = '\0';
    for (char *p = tenant; *p; p++)
        if (!(*p >= 'a' && *p <= 'z') && !(*p >= 'A' && *p <= 'Z') &&
            !(*p >= '0' && *p <= '9') && !strchr("._/~-", *p))
            *p = '_';
    if (*tenant)
        return tenant;
    free(tenant);
    return xstrdup("none");
}

/* ---- arguments -------------------------------------------------------------
 */

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted, each once: the same set is the same text. */
static const char *join_labels(struct queue_args *args,
                               const struct strv *labels)
{
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;
    CLEANUP(mem) const char **sorted = NULL;

    if (!labels || !labels->count)
        return "";
    sorted = xmemdup(labels->items, labels->count * sizeof(*sorted));
    qsort(sorted, labels->count, sizeof(*sorted), compare);
    for (size_t i = 0; i < labels->count; i++) {
        if (i && strcmp(sorted[i], sorted[i - 1]) == 0)
            continue;
        if (i)
            strbuf_addc(&out, ',');
        strbuf_adds(&out, sorted[i]);
    }
    if (!args->arena)
        args->arena = arena_new();
    return arena_strndup(args->arena, out.data, out.len);
}

void job_args_add(struct queue_args *args, const struct queue_job *job)
{
    const struct concurrency *group = job->concurrency;
    bool grouped = group && group->group && *group->group;

    queue_args_str(args, job->id);
    queue_args_str(args, job->payload);
    queue_args_num(args, (int64_t)job->run_jobs);
    queue_args_str(args, job->tenant ? job->tenant : "none");
    queue_args_opt(args, job->pipeline);
    queue_args_num(args, job->priority);
    queue_args_str(args, join_labels(args, job->labels));
    queue_args_num(args, job->not_before_ms);
    queue_args_num(args, job->expires_at_ms);
    queue_args_opt(args, job->dedupe_key);
    queue_args_num(args, job->dedupe_ms);
    queue_args_str(args, grouped ? group->group : "");
    queue_args_num(args, grouped && group->cancel_in_progress);
    queue_args_num(args, grouped ? group->queue : 0);
    queue_args_num(args, job->job_retries);
    if (job->infra_retries < 0)
        queue_args_str(args, "");
    else
        queue_args_num(args, job->infra_retries);
    queue_args_opt(args, job->report);
    queue_args_opt(args, job->about);
    queue_args_num(args, job->as_of_ms);
}

/* The scripts join names with ':' and labels with ','. */
static int check_names(const struct queue_job *job, struct err *err)
{
    if (job->tenant && (!*job->tenant || strlen(job->tenant) > MAX_TENANT ||
                        strchr(job->tenant, ':')))
        return err_set(err, ERR_USER, "job %s: the tenant '%.80s' is bad",
                       job->id, job->tenant);
    for (size_t i = 0; job->labels && i < job->labels->count; i++)
        if (!*job->labels->items[i] || strpbrk(job->labels->items[i], ",:"))
            return err_set(err, ERR_USER, "job %s: the label '%.80s' is bad",
                           job->id, job->labels->items[i]);
    return 0;
}

static int check_job(const struct queue_job *job, struct err *err)
{
    if (queue_check_id(job->id, err) < 0 || check_names(job, err) < 0)
        return -1;
    if (job->dedupe_key && *job->dedupe_key && job->dedupe_ms <= 0)
        return err_set(err, ERR_USER, "job %s: its dedupe key needs a time",
                       job->id);
    if (strlen(job->payload) > QUEUE_MAX_PAYLOAD)
        return err_set(err, ERR_USER,
                       "job %s: its payload has %zu bytes, over %zu", job->id,
                       strlen(job->payload), QUEUE_MAX_PAYLOAD);
    return 0;
}

int queue_check_jobs(const struct queue_job *jobs, size_t count,
                     struct err *err)
{
    size_t bytes = 0;

    if (count == 0 || count > QUEUE_MAX_BATCH)
        return err_set(err, ERR_USER, "%zu jobs at once; 1 to %d can be", count,
                       QUEUE_MAX_BATCH);
    for (size_t i = 0; i < count; i++) {
        if (check_job(&jobs[i], err) < 0)
            return -1;
        bytes += strlen(jobs[i].payload);
    }
    if (bytes > QUEUE_MAX_BATCH_BYTES)
        return err_set(err, ERR_USER,
                       "the payloads of %zu jobs have %zu bytes, over %zu",
                       count, bytes, QUEUE_MAX_BATCH_BYTES);
    return 0;
}

/* ---- answers ----------------------------------------------------------------
 */

static int read_answer(const redisReply *row, struct queue_answer *out)
{
    const char *id = queue_reply_str(row, 0);
    const char *what = queue_reply_str(row, 1);

    if (!id || !what)
        return -1;
    (void)snprintf(out->id, sizeof(out->id), "%s", id);
    out->what = strcmp(what, "queued") == 0      ? QUEUE_QUEUED
                : strcmp(what, "exists") == 0    ? QUEUE_EXISTS
                : strcmp(what, "overtaken") == 0 ? QUEUE_OVERTAKEN
                                                 : QUEUE_DUPLICATE;
    return 0;
}

static int fail_taken(const redisReply *reply, struct err *err)
{
    const char *id = queue_reply_str(reply, 1);

    return err_set(err, ERR_USER,
                   "job %s and run %s exclude each other: the jobs of a run "
                   "have its id and -1, -2 …; choose another id",
                   id ? id : "", queue_reply_str(reply, 2));
}

static int read_answers(const redisReply *reply, size_t count,
                        struct queue_answer *out, struct err *err)
{
    if (reply->type != REDIS_REPLY_ARRAY)
        return err_set(err, ERR_BUG, "script submit: an answer is no array");
    if (reply->elements == 1 && queue_reply_str(reply, 0))
        return err_set(err, ERR_LOST, "another scheduler took the document");
    if (reply->elements == 3 && queue_reply_str(reply, 2))
        return fail_taken(reply, err);
    if (reply->elements != count)
        return err_set(err, ERR_BUG, "script submit: %zu answers for %zu jobs",
                       reply->elements, count);
    for (size_t i = 0; i < count; i++)
        if (read_answer(reply->element[i], &out[i]) < 0)
            return err_set(err, ERR_BUG, "script submit: a malformed answer");
    return 0;
}

int queue_submit(struct queue *queue, const struct queue_job *jobs,
                 size_t count, struct queue_answer *answers, struct err *err)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    redisReply *reply = NULL;
    int rc;

    if (queue_check_jobs(jobs, count, err) < 0)
        return -1;
    queue_args_str(&args, "");
    queue_args_str(&args, "");
    for (size_t i = 0; i < count; i++)
        job_args_add(&args, &jobs[i]);
    if (queue_run(queue, SCRIPT_SUBMIT, &args, &reply, err) < 0)
        return err_wrap(err, "cannot submit job %s", jobs[0].id);
    rc = read_answers(reply, count, answers, err);
    freeReplyObject(reply);
    return rc;
}

static void on_submitted(struct queue_request *request,
                         const struct redisReply *reply, const struct err *err)
{
    queue_submit_fn *fn = (queue_submit_fn *)request->fn;
    size_t count = *(size_t *)request->data;
    CLEANUP(mem)
    struct queue_answer *answers = xcalloc(count, sizeof(*answers));
    struct err why = {ERR_NONE, 0, ""};

    if (reply && read_answers(reply, count, answers, &why) < 0)
        err = &why;
    fn(request->arg, err ? NULL : answers, err ? 0 : count, err);
}

void queue_submit_async(struct queue *queue,
                        const struct queue_document *document,
                        const struct queue_job *jobs, size_t count,
                        queue_submit_fn *fn, void *arg)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    struct queue_request *request =
        queue_request(queue, on_submitted, (void (*)(void))fn, arg);

    request->data = xmemdup(&count, sizeof(count));
    queue_args_str(&args, document ? document->scheduler : "");
    queue_args_mem(&args, document ? document->text : "",
                   document ? document->len : 0);
    for (size_t i = 0; i < count; i++)
        job_args_add(&args, &jobs[i]);
    queue_send(request, SCRIPT_SUBMIT, &args);
}
