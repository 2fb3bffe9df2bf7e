/* scheduler/queue/lease.c - a worker's proof that it alone may run a job. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/state.h"
#include "scheduler/queue/impl.h"

#include <stdlib.h>
#include <string.h>

void lease_free(struct lease *lease)
{
    struct queue_request *request;

    if (!lease)
        return;
    TAILQ_FOREACH (request, &lease->queue->requests, link)
        if (request->lease == lease) {
            request->forgotten = true;
            request->lease = NULL;
        }
    free(lease->job_id);
    free(lease->payload);
    free(lease);
}

const char *lease_job_id(const struct lease *lease)
{
    return lease->job_id;
}

uint64_t lease_epoch(const struct lease *lease)
{
    return lease->epoch;
}

const char *lease_payload(const struct lease *lease)
{
    return lease->payload;
}

int64_t lease_sent_mono_ms(const struct lease *lease)
{
    return lease->sent_mono_ms;
}

/* ---- getting one -------------------------------------------------------- */

static struct lease *read_lease(const struct queue_request *request,
                                const redisReply *reply)
{
    const char *id = queue_reply_str(reply, 0);
    const char *epoch = queue_reply_str(reply, 1);
    const char *payload = queue_reply_str(reply, 2);
    struct lease *lease;

    if (!id || !epoch || !payload)
        return NULL;
    lease = xcalloc(1, sizeof(*lease));
    lease->queue = request->queue;
    lease->job_id = xstrdup(id);
    lease->payload = xstrdup(payload);
    lease->epoch = strtoull(epoch, NULL, 10);
    memcpy(lease->nonce, request->queue->nonce, sizeof(lease->nonce));
    lease->sent_mono_ms = request->sent_mono_ms;
    return lease;
}

static void on_leased(void *arg, const struct redisReply *reply,
                      const struct err *err)
{
    struct queue_request *request = arg;
    struct queue *queue = request->queue;
    struct queue_request r = *request;
    struct lease *lease = NULL;

    if (reply) {
        lease = read_lease(request, reply);
        /* Answered: the next request is another one. */
        state_random_hex(queue->nonce, QUEUE_NONCE_SIZE - 1);
    }
    queue_request_free(request);
    if (r.forgotten)
        lease_free(lease);
    else
        r.fn.lease(r.arg, lease, err);
}

void queue_lease(struct queue *queue, const char *worker, queue_lease_fn *fn,
                 void *arg)
{
    struct queue_request *request = queue_request(queue, NULL, arg);
    const struct queue_options *o = &queue->options;
    struct queue_args args = {.count = 0};

    request->fn.lease = fn;
    request->sent_mono_ms = clock_mono_ms();
    queue_args_str(&args, QUEUE_TENANT);
    queue_args_str(&args, worker);
    queue_args_str(&args, queue->nonce);
    queue_args_num(&args, o->max_instances);
    queue_args_num(&args, o->lease_ms);
    queue_args_num(&args, o->kill_grace_ms);
    queue_args_num(&args, o->keep_ms);
    queue_send(request, SCRIPT_LEASE, queue->prefix, &args, on_leased);
}

void queue_lease_forget(struct queue *queue)
{
    struct queue_request *request;

    TAILQ_FOREACH (request, &queue->requests, link)
        if (!request->lease)
            request->forgotten = true;
}

/* ---- keeping it --------------------------------------------------------- */

static void add_fence(struct queue_args *args, const struct lease *lease)
{
    queue_args_str(args, lease->job_id);
    queue_args_num(args, lease->epoch);
    queue_args_str(args, lease->nonce);
}

static int set_lost(const struct lease *lease, struct err *err)
{
    return err_set(err, ERR_LOST, "the lease of job %s (epoch %llu) is lost",
                   lease->job_id, (unsigned long long)lease->epoch);
}

static void on_renewed(void *arg, const struct redisReply *reply,
                       const struct err *err)
{
    struct queue_request r = *(struct queue_request *)arg;
    const char *word = reply ? queue_reply_str(reply, 0) : NULL;
    struct err lost = {ERR_NONE, 0, ""};

    queue_request_free(arg);
    if (r.forgotten)
        return;
    if (!reply) {
        r.fn.renewed(r.arg, NULL, err);
    } else if (!word || strcmp(word, "lost") == 0) {
        (void)set_lost(r.lease, &lost);
        r.fn.renewed(r.arg, NULL, &lost);
    } else {
        r.lease->sent_mono_ms = r.sent_mono_ms;
        r.fn.renewed(r.arg, queue_reply_str(reply, 1), NULL);
    }
}

void lease_renew(struct lease *lease, lease_renewed_fn *fn, void *arg)
{
    struct queue_request *request = queue_request(lease->queue, lease, arg);
    struct queue_args args = {.count = 0};

    request->fn.renewed = fn;
    request->sent_mono_ms = clock_mono_ms();
    add_fence(&args, lease);
    queue_args_num(&args, lease->queue->options.lease_ms);
    queue_args_num(&args, lease->queue->options.kill_grace_ms);
    queue_send(request, SCRIPT_RENEW, lease->queue->prefix, &args, on_renewed);
}

/* ---- giving it back ----------------------------------------------------- */

static void on_completed(void *arg, const struct redisReply *reply,
                         const struct err *err)
{
    struct queue_request r = *(struct queue_request *)arg;
    struct err lost = {ERR_NONE, 0, ""};

    queue_request_free(arg);
    if (r.forgotten)
        return;
    if (reply &&
        (reply->type != REDIS_REPLY_STRING || strcmp(reply->str, "ok") != 0)) {
        (void)set_lost(r.lease, &lost);
        err = &lost;
    }
    r.fn.done(r.arg, err);
}

void lease_complete(struct lease *lease, const struct lease_result *result,
                    lease_done_fn *fn, void *arg)
{
    struct queue_request *request = queue_request(lease->queue, lease, arg);
    struct queue_args args = {.count = 0};

    request->fn.done = fn;
    add_fence(&args, lease);
    queue_args_str(&args, result->state);
    queue_args_str(&args, result->reason ? result->reason : "");
    queue_args_str(&args, result->json);
    queue_args_num(&args, lease->queue->options.keep_ms);
    queue_send(request, SCRIPT_COMPLETE, lease->queue->prefix, &args,
               on_completed);
}
