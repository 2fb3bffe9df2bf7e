/* scheduler/queue/lease.c - a worker's proof that it alone may run a job. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/lease.h"

#include "base/state.h"
#include "scheduler/queue/impl.h"

#include <stdio.h>
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
    TAILQ_REMOVE(&lease->queue->leases, lease, link);
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

const char *lease_nonce(const struct lease *lease)
{
    return lease->nonce;
}

int64_t lease_sent_mono_ms(const struct lease *lease)
{
    return lease->sent_mono_ms;
}

static struct lease *lease_new(struct queue *queue, const char *id,
                               uint64_t epoch, const char *nonce)
{
    struct lease *lease = xcalloc(1, sizeof(*lease));

    lease->queue = queue;
    lease->serial = ++queue->serials;
    TAILQ_INSERT_TAIL(&queue->leases, lease, link);
    lease->job_id = xstrdup(id);
    lease->epoch = epoch;
    (void)snprintf(lease->nonce, sizeof(lease->nonce), "%s", nonce);
    state_random_hex(lease->next_nonce, QUEUE_NONCE_SIZE - 1);
    return lease;
}

struct lease *lease_adopt(struct queue *queue, const char *job_id,
                          uint64_t epoch, const char *nonce)
{
    struct lease *lease = lease_new(queue, job_id, epoch, nonce);

    lease->payload = xstrdup("");
    return lease;
}

struct lease *queue_read_lease(struct queue *queue, const redisReply *reply,
                               size_t at, const char *nonce,
                               int64_t sent_mono_ms)
{
    const char *id = queue_reply_str(reply, at);
    const char *epoch = queue_reply_str(reply, at + 1);
    const char *payload = queue_reply_str(reply, at + 2);
    struct lease *lease;

    /* Files are named after it. */
    if (!id || !epoch || !payload || queue_check_id(id, NULL) < 0)
        return NULL;
    lease = lease_new(queue, id, strtoull(epoch, NULL, 10), nonce);
    lease->payload = xstrdup(payload);
    lease->sent_mono_ms = sent_mono_ms;
    return lease;
}

/* ---- getting one -------------------------------------------------------- */

void queue_add_wish(struct queue_args *args, const struct queue *queue,
                    const char *worker, const struct lease_wish *wish)
{
    const struct queue_options *o = &queue->options;

    queue_args_str(args, worker);
    queue_args_opt(args, wish ? wish->labels : NULL);
    queue_args_num(args, o->max_instances);
    queue_args_num(args, o->lease_ms);
    queue_args_num(args, o->kill_grace_ms);
    queue_args_num(args, wish ? wish->idle_ms : 0);
}

static void on_leased(struct queue_request *request,
                      const struct redisReply *reply, const struct err *err)
{
    queue_lease_fn *fn = (queue_lease_fn *)request->fn;
    struct queue *queue = request->queue;
    struct lease *lease = NULL;

    queue->again = !reply;
    if (reply) {
        lease = queue_read_lease(queue, reply, 0, queue->nonce,
                                 request->sent_mono_ms);
        /* Answered: the next request is another one. */
        state_random_hex(queue->nonce, QUEUE_NONCE_SIZE - 1);
    }
    fn(request->arg, lease, err);
}

void queue_lease(struct queue *queue, const struct lease_wish *wish,
                 queue_lease_fn *fn, void *arg)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    struct queue_request *request =
        queue_request(queue, on_leased, (void (*)(void))fn, arg);

    request->grants = true;
    queue_add_wish(&args, queue, wish->worker, wish);
    queue_args_str(&args, queue->nonce);
    queue_args_num(&args, queue->again);
    queue_send(request, SCRIPT_LEASE, &args);
}

/* ---- keeping them -------------------------------------------------------- */

/* The leases of a renewal, by number: what was freed meanwhile may have a
 * successor at its address. */
struct renewal {
    size_t count;
    uint64_t serials[];
};

static void read_news(struct lease *lease, const char *word, int64_t sent,
                      struct lease_news *out)
{
    int found;

    *out = (struct lease_news){.lease = lease};
    if (!word || strcmp(word, "lost") == 0) {
        out->lost = true;
        return;
    }
    lease->sent_mono_ms = sent;
    if (strcmp(word, "ok") == 0)
        return;
    found = reason_find(word);
    out->cancel = found > 0 ? (enum reason)found : REASON_CANCELLED;
}

static struct lease *find_live(const struct queue *queue, uint64_t serial)
{
    struct lease *lease;

    TAILQ_FOREACH (lease, &queue->leases, link)
        if (lease->serial == serial)
            return lease;
    return NULL;
}

static void on_renewed(struct queue_request *request,
                       const struct redisReply *reply, const struct err *err)
{
    queue_renew_fn *fn = (queue_renew_fn *)request->fn;
    const struct renewal *renewal = request->data;
    CLEANUP(mem)
    struct lease_news *news = xcalloc(renewal->count + 1, sizeof(*news));
    const char *drain = reply ? queue_reply_str(reply, 0) : NULL;
    size_t count = 0;

    for (size_t i = 0; reply && i < renewal->count; i++) {
        struct lease *lease = find_live(request->queue, renewal->serials[i]);

        if (lease)
            read_news(lease, queue_reply_str(reply, i + 1),
                      request->sent_mono_ms, &news[count++]);
    }
    fn(request->arg, drain && *drain == '1', news, count, err);
}

void queue_renew(struct queue *queue, const char *worker,
                 const struct worker_fact *facts, size_t fact_count,
                 struct lease *const *leases, size_t count, queue_renew_fn *fn,
                 void *arg)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    struct queue_request *request =
        queue_request(queue, on_renewed, (void (*)(void))fn, arg);
    struct renewal *renewal =
        xcalloc(1, sizeof(*renewal) + count * sizeof(renewal->serials[0]));

    request->data = renewal;
    renewal->count = count;
    queue_args_str(&args, worker);
    queue_args_num(&args, queue->options.lease_ms);
    queue_args_num(&args, queue->options.kill_grace_ms);
    queue_args_num(&args, (int64_t)fact_count);
    for (size_t i = 0; i < fact_count; i++) {
        queue_args_str(&args, facts[i].name);
        queue_args_str(&args, facts[i].value);
    }
    for (size_t i = 0; i < count; i++) {
        renewal->serials[i] = leases[i]->serial;
        queue_args_str(&args, leases[i]->job_id);
        queue_args_num(&args, (int64_t)leases[i]->epoch);
        queue_args_str(&args, leases[i]->nonce);
    }
    queue_send(request, SCRIPT_RENEW, &args);
}

/* ---- the bell ------------------------------------------------------------ */

/* BLPOP answers {key, word}, or nil. */
static void on_bell(struct queue_request *request,
                    const struct redisReply *reply, const struct err *err)
{
    queue_bell_fn *fn = (queue_bell_fn *)request->fn;
    const char *word = reply ? queue_reply_str(reply, 1) : NULL;

    fn(request->arg,
       !word                      ? QUEUE_BELL_NONE
       : strcmp(word, "job") == 0 ? QUEUE_BELL_JOB
                                  : QUEUE_BELL_RENEW,
       err);
}

void queue_listen(struct queue *queue, const char *worker, uint32_t wait_ms,
                  queue_bell_fn *fn, void *arg)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    CLEANUP(mem) char *key = queue_key(queue, "ctl:%s", worker);
    struct queue_request *request =
        queue_request(queue, on_bell, (void (*)(void))fn, arg);
    char seconds[QUEUE_SECONDS_SIZE];

    queue_args_str(&args, "BLPOP");
    queue_args_str(&args, key);
    queue_args_str(&args, queue_seconds(wait_ms, seconds));
    queue_send_waiting(request, &queue->bell, &args);
}

static void on_passed(struct queue_request *request UNUSED,
                      const struct redisReply *reply UNUSED,
                      const struct err *err UNUSED)
{
}

void queue_pass_bell(struct queue *queue, const char *worker)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;

    queue_args_str(&args, worker);
    queue_send(queue_request(queue, on_passed, NULL, NULL), SCRIPT_PASS, &args);
}
