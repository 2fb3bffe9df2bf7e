/* scheduler/queue/complete.c - giving leases back, several in one call. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/impl.h"
#include "scheduler/queue/submit.h"

#include <stdlib.h>
#include <string.h>

/*
 * What is completed in one turn of the loop goes to Redis in one script, which
 * costs it half as much as one each. A script must be short, though: nothing
 * else runs meanwhile.
 */
#define MAX_COUNT 16
#define MAX_BYTES (256U << 10)
#define EACH      4 /* elements of the reply */
_Static_assert(MAX_COUNT *(QUEUE_MAX_PAYLOAD + 512) < REDIS_MAX_REPLY_BYTES,
               "the payloads of all must fit in one reply");

struct batch {
    struct queue *queue;        /* borrowed */
    struct loop_source *sender; /* borrowed; NULL: it was sent */
    char *worker;               /* owned */
    char *labels;               /* owned; NULL: nobody has a wish */
    uint32_t idle_ms;
    struct queue_args args; /* of each */
    struct arena *words;    /* owned; theirs */
    size_t bytes;           /* of the results */
    size_t count;
    struct queue_request *each[MAX_COUNT]; /* borrowed; the queue's */
};

static void batch_free(void *arg)
{
    struct batch *batch = arg;

    loop_remove(batch->sender);
    queue_args_clear(&batch->args);
    arena_free(batch->words);
    free(batch->worker);
    free(batch->labels);
    free(batch);
}

void queue_drop_batch(struct queue *queue)
{
    if (queue->batch)
        batch_free(queue->batch);
    queue->batch = NULL;
}

/* ---- the answer ---------------------------------------------------------- */

static void on_completed(struct queue_request *request,
                         const struct redisReply *reply, const struct err *err)
{
    lease_completed_fn *fn = (lease_completed_fn *)request->fn;
    struct lease *lease = request->lease;
    const char *word = reply ? queue_reply_str(reply, request->at) : NULL;
    struct lease *next = NULL;
    struct err failed = {ERR_NONE, 0, ""};

    if (reply) {
        next = queue_read_lease(request->queue, reply, request->at + 1,
                                lease->next_nonce, request->sent_mono_ms);
        if (!word || strcmp(word, "lost") == 0)
            (void)err_set(&failed, ERR_LOST,
                          "the lease of job %s (epoch %llu) is lost",
                          lease->job_id, (unsigned long long)lease->epoch);
        else if (strcmp(word, "ok") != 0)
            (void)redis_reply_failed(word, "script complete", &failed);
        err = failed.kind != ERR_NONE ? &failed : NULL;
    }
    fn(request->arg, next, err);
}

/* A callback may free the queue, and the requests that are left with it. */
static void on_batch(struct queue_request *request,
                     const struct redisReply *reply, const struct err *err)
{
    const struct batch *batch = request->data;
    struct queue *queue = request->queue;
    bool freed = false;
    bool *outer = queue->freed;

    queue->freed = &freed;
    for (size_t i = 0; i < batch->count && !freed; i++)
        queue_finish(batch->each[i], reply, err);
    if (!freed)
        queue->freed = outer;
    else if (outer)
        *outer = true;
}

/* ---- the call ------------------------------------------------------------ */

static void send_batch(void *arg)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    struct batch *batch = arg;
    struct queue *queue = batch->queue;
    struct queue_request *request = queue_request(queue, on_batch, NULL, NULL);
    const struct lease_wish wish = {.labels = batch->labels,
                                    .idle_ms = batch->idle_ms};

    loop_remove(batch->sender);
    batch->sender = NULL;
    queue->batch = NULL;
    request->data = batch;
    request->free_data = batch_free;
    queue_add_wish(&args, queue, batch->worker, &wish);
    for (size_t i = 0; i < batch->args.count; i++)
        queue_args_mem(&args, batch->args.words[i], batch->args.lens[i]);
    queue_send(request, SCRIPT_COMPLETE, &args);
}

static bool goes_with(const struct batch *batch, const char *worker,
                      const struct lease_wish *wish)
{
    if (batch->count == MAX_COUNT || batch->bytes > MAX_BYTES ||
        strcmp(batch->worker, worker) != 0)
        return false;
    return !wish || !batch->labels ||
           (strcmp(batch->labels, wish->labels ? wish->labels : "") == 0 &&
            batch->idle_ms == wish->idle_ms);
}

/* The batch that is open for it. */
static struct batch *open_batch(struct queue *queue, const char *worker,
                                const struct lease_wish *wish)
{
    struct batch *batch = queue->batch;

    if (batch && !goes_with(batch, worker, wish)) {
        send_batch(batch);
        batch = NULL;
    }
    if (!batch) {
        batch = xcalloc(1, sizeof(*batch));
        batch->queue = queue;
        batch->worker = xstrdup(worker);
        batch->words = arena_new();
        batch->sender = loop_add_timer(queue->loop, 0, send_batch, batch);
        queue->batch = batch;
    }
    if (wish && !batch->labels) {
        batch->labels = xstrdup(wish->labels ? wish->labels : "");
        batch->idle_ms = wish->idle_ms;
    }
    return batch;
}

static void add(struct batch *batch, const char *word)
{
    queue_args_str(&batch->args,
                   arena_strndup(batch->words, word, strlen(word)));
}

void lease_complete(struct lease *lease, const char *worker,
                    const struct lease_result *result,
                    const struct lease_wish *wish, lease_completed_fn *fn,
                    void *arg)
{
    struct batch *batch = open_batch(lease->queue, worker, wish);
    struct queue_request *request =
        queue_request(lease->queue, on_completed, (void (*)(void))fn, arg);
    const char *reason = reason_name(result->reason);
    char fraction[QUEUE_FRACTION_SIZE];

    request->lease = lease;
    request->at = batch->count * EACH;
    batch->each[batch->count++] = request;
    batch->bytes += strlen(result->json);
    add(batch, lease->job_id);
    queue_args_num(&batch->args, (int64_t)lease->epoch);
    add(batch, lease->nonce);
    add(batch, result->state);
    add(batch, reason ? reason : "");
    add(batch, result->json);
    queue_args_num(&batch->args, reason_is_infrastructure(result->reason));
    add(batch, queue_fraction(fraction));
    add(batch, wish ? lease->next_nonce : "");
    queue_args_num(&batch->args, wish && lease->next_again);
    lease->next_again = lease->next_again || wish;
}
