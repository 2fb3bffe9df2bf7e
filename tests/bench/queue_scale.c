/* tests/bench/queue_scale.c - a hundred thousand waiting jobs. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/control.h"
#include "scheduler/queue/impl.h"
#include "scheduler/queue/submit.h"
#include "tests/lib/redis_server.h"

#include <inttypes.h>
#include <time.h>

/*
 * What a submit and a lease cost when few wait and when many do, and a lease
 * where there are caps when few run and when many do; on a Redis of its own
 * with an append-only file, by one client that waits for each answer.
 */

enum { FEW = 100, MANY = 100000, RUNNING = 10000, ROUNDS = 4000, BATCH = 500 };

static struct redis_server server;

struct bench {
    struct queue *queue;
    unsigned tenants, submitted, leased;
    char payload[512];
};

struct times {
    double submit, lease; /* microseconds, the median */
};

static void die(const struct err *err)
{
    (void)fprintf(stderr, "queue_scale: %s\n", err->msg);
    redis_server_kill(&server);
    exit(1);
}

static int64_t now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void submit(struct bench *b, size_t count)
{
    static struct queue_job jobs[BATCH];
    static struct queue_answer answers[BATCH];
    static char ids[BATCH][24], tenants[BATCH][24];
    struct err err;

    for (size_t i = 0; i < count; i++) {
        (void)snprintf(ids[i], sizeof(ids[i]), "j%u", b->submitted);
        (void)snprintf(tenants[i], sizeof(tenants[i]), "acme/app%u",
                       b->submitted++ % b->tenants);
        jobs[i] = (struct queue_job){.id = ids[i],
                                     .payload = b->payload,
                                     .tenant = tenants[i],
                                     .pipeline = "test",
                                     .priority = JOB_NORMAL,
                                     .infra_retries = -1};
    }
    if (queue_submit(b->queue, jobs, count, answers, &err) < 0)
        die(&err);
}

static void fill(struct bench *b, unsigned count)
{
    while (b->submitted < count) {
        unsigned left = count - b->submitted;

        submit(b, left < BATCH ? left : BATCH);
    }
}

/* Complete the job of `reply` with the next lease, as workers do. */
static redisReply *turn(struct bench *b, redisReply *reply)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    char nonce[40], next[40];
    const char *const wish[] = {"w", "", "100", "120000", "15000", "0"};
    redisReply *out = NULL;
    struct err err;
    bool first = !reply;

    (void)snprintf(nonce, sizeof(nonce), "n%u", b->leased++);
    (void)snprintf(next, sizeof(next), "n%u", b->leased);
    for (size_t i = 0; i < ARRAY_LEN(wish); i++)
        queue_args_str(&args, wish[i]);
    if (!first) {
        size_t at = reply->elements == 4;

        queue_args_str(&args, queue_reply_str(reply, at));
        queue_args_str(&args, queue_reply_str(reply, at + 1));
        queue_args_str(&args, nonce);
        queue_args_str(&args, "passed");
        queue_args_str(&args, "");
        queue_args_str(&args, "{\"schema\":1}");
        queue_args_str(&args, "0");
        queue_args_str(&args, "0.5");
    }
    queue_args_str(&args, next);
    queue_args_str(&args, "0");
    if (queue_run(b->queue, first ? SCRIPT_LEASE : SCRIPT_COMPLETE, &args, &out,
                  &err) < 0)
        die(&err);
    if (reply)
        freeReplyObject(reply);
    return out;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* As many come as go, so that as many wait. */
static struct times measure(struct bench *b)
{
    static double submits[ROUNDS], leases[ROUNDS];
    redisReply *reply = turn(b, NULL);

    for (size_t i = 0; i < ROUNDS; i++) {
        int64_t start = now_ns(), middle;

        submit(b, 1);
        middle = now_ns();
        reply = turn(b, reply);
        submits[i] = (double)(middle - start) / 1000;
        leases[i] = (double)(now_ns() - middle) / 1000;
    }
    freeReplyObject(reply);
    qsort(submits, ROUNDS, sizeof(*submits), compare);
    qsort(leases, ROUNDS, sizeof(*leases), compare);
    return (struct times){submits[ROUNDS / 2], leases[ROUNDS / 2]};
}

static double memory(struct bench *b)
{
    const char *const words[] = {"INFO", "memory"};
    redisReply *reply = NULL;
    struct err err;
    const char *at;
    double bytes = 0;

    if (queue_command(b->queue, words, 2, &reply, &err) < 0)
        die(&err);
    at = strstr(reply->str, "used_memory:");
    if (at)
        bytes = atof(at + strlen("used_memory:"));
    freeReplyObject(reply);
    return bytes;
}

static void report(const char *name, unsigned tenants, double value,
                   const char *unit, const char *peer, double other)
{
    (void)printf("bench queue-%s-%u-tenants %.1f %s vs %s %.1f ratio %.3f\n",
                 name, tenants, value, unit, peer, other, value / other);
}

static struct bench open_bench(unsigned tenants, const char *name)
{
    struct bench b = {.tenants = tenants};
    char pool[32];
    struct queue_options options = {
        .url = server.url, .pool = pool, .max_instances = 100};
    struct err err;

    (void)snprintf(pool, sizeof(pool), "%s%u", name, tenants);
    memset(b.payload, 'x', sizeof(b.payload) - 1);
    if (queue_open(NULL, &options, &b.queue, &err) < 0)
        die(&err);
    return b;
}

static void run(unsigned tenants)
{
    struct bench b = open_bench(tenants, "bench");
    struct times few, many;
    unsigned before;
    double bytes;

    fill(&b, FEW);
    (void)measure(&b); /* to warm up */
    few = measure(&b);
    bytes = memory(&b);
    before = b.submitted;
    fill(&b, before + MANY - FEW);
    bytes = (memory(&b) - bytes) / (MANY - FEW);
    many = measure(&b);
    report("submit-100000-waiting", tenants, many.submit, "us", "100-waiting",
           few.submit);
    report("lease-100000-waiting", tenants, many.lease, "us", "100-waiting",
           few.lease);
    report("memory-per-job", tenants, bytes, "bytes", "its-payload",
           sizeof(b.payload) - 1);
    queue_free(b.queue);
}

/* Caps that nobody reaches: what is asked at each lease is what counts. */
static void run_capped(unsigned tenants)
{
    static const struct queue_number all = {"*", 2 * RUNNING};
    const struct pool_conf conf = {.max_instances = 2 * RUNNING,
                                   .keep_ms = 86400000,
                                   .dead_keep_ms = 86400000,
                                   .caps = &all,
                                   .cap_count = 1};
    struct bench b = open_bench(tenants, "capped");
    struct times few, many;
    struct err err;

    if (queue_configure(b.queue, &conf, &err) < 0)
        die(&err);
    fill(&b, RUNNING + FEW);
    (void)measure(&b); /* to warm up */
    few = measure(&b);
    for (int i = 0; i < RUNNING; i++)
        freeReplyObject(turn(&b, NULL));
    fill(&b, b.submitted + FEW);
    many = measure(&b);
    report("capped-lease-10000-running", tenants, many.lease, "us",
           "few-running", few.lease);
    queue_free(b.queue);
}

int main(void)
{
    redis_server_init(&server, "");
    run_capped(1);
    run_capped(1000);
    run(1);
    run(1000);
    redis_server_clear(&server);
    return 0;
}
