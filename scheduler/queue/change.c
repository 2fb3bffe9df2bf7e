/* scheduler/queue/change.c - the jobs of a change of a Git host. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/change.h"

#include "scheduler/queue/impl.h"

#define COLUMNS 4

static void on_jobs(struct queue_request *request,
                    const struct redisReply *reply, const struct err *err)
{
    queue_change_jobs_fn *fn = (queue_change_jobs_fn *)request->fn;
    struct queue_change_job jobs[QUEUE_MAX_CHANGE_JOBS];
    size_t count = 0;

    for (size_t i = 0;
         reply && reply->type == REDIS_REPLY_ARRAY &&
         i + COLUMNS <= reply->elements && count < QUEUE_MAX_CHANGE_JOBS;
         i += COLUMNS) {
        struct queue_change_job *job = &jobs[count];

        job->id = queue_reply_str(reply, i);
        job->pipeline = queue_reply_str(reply, i + 1);
        job->state = queue_reply_str(reply, i + 2);
        job->commit = queue_reply_str(reply, i + 3);
        count += job->id && job->pipeline && job->state && job->commit;
    }
    fn(request->arg, jobs, count, err);
}

void queue_change_jobs(struct queue *queue, const struct queue_change *change,
                       queue_change_jobs_fn *fn, void *arg)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;

    queue_args_str(&args, change->forge);
    queue_args_str(&args, change->repo);
    queue_args_str(&args, change->change);
    queue_args_num(&args, QUEUE_MAX_CHANGE_JOBS);
    queue_send(queue_request(queue, on_jobs, (void (*)(void))fn, arg),
               SCRIPT_CHANGE, &args);
}

static void on_reviews(struct queue_request *request,
                       const struct redisReply *reply, const struct err *err)
{
    queue_change_reviews_fn *fn = (queue_change_reviews_fn *)request->fn;
    const char *results[QUEUE_MAX_CHANGE_REVIEWS];
    size_t count = 0;

    for (size_t i = 0; reply && reply->type == REDIS_REPLY_ARRAY &&
                       i < reply->elements && count < ARRAY_LEN(results);
         i++) {
        results[count] = queue_reply_str(reply, i);
        count += results[count] != NULL;
    }
    fn(request->arg, results, count, err);
}

void queue_change_reviews(struct queue *queue,
                          const struct queue_change *change,
                          const char *pipeline, queue_change_reviews_fn *fn,
                          void *arg)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;

    queue_args_str(&args, change->forge);
    queue_args_str(&args, change->repo);
    queue_args_str(&args, change->change);
    queue_args_str(&args, pipeline);
    queue_args_num(&args, QUEUE_MAX_CHANGE_REVIEWS);
    queue_send(queue_request(queue, on_reviews, (void (*)(void))fn, arg),
               SCRIPT_REVIEWED, &args);
}
