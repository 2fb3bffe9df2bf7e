/* tests/bench/queue.c - jobs that do nothing, through a real supervisor. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/log.h"
#include "scheduler/queue/submit.h"
#include "worker/supervisor/supervisor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/*
 * queue URL STATE_DIR throughput JOBS CAPACITY  jobs/s, first start to last end
 * queue URL STATE_DIR submit JOBS               jobs/s, one by one, 50 at once
 * queue URL STATE_DIR pickup JOBS               p50 and p99 in ms: a job every
 *                                               5 ms, from its submit on
 *
 * The same measurements as tests/bench/bullmq/bench.mjs takes of the peer.
 */
#define AT_ONCE  50
#define BATCH    500
#define EVERY_MS 5

struct bench {
    struct loop *loop;
    struct queue *queue;
    struct supervisor *supervisor;
    const char *state_dir;
    unsigned long jobs, submitted, acknowledged, ended;
    int64_t first_ns, last_ns;
    int64_t *sent_ns;  /* owned; of each job, in pickup */
    int64_t *taken_ns; /* owned; how long it took */
    bool batches;
};

static int64_t now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void die(const struct err *err)
{
    log_error("%s", err->msg);
    exit(1);
}

static void turn(struct bench *b)
{
    struct err err;

    if (loop_step(b->loop, 1000, &err) < 0)
        die(&err);
}

/* ---- going in --------------------------------------------------------------
 */

static void submit_some(struct bench *b, size_t count);

static void on_submitted(void *arg, const struct queue_answer *answers UNUSED,
                         size_t count, const struct err *err)
{
    struct bench *b = arg;

    if (err)
        die(err);
    b->acknowledged += count;
    if (!b->sent_ns && b->submitted < b->jobs)
        submit_some(b, b->batches ? BATCH : 1);
}

static void submit_some(struct bench *b, size_t count)
{
    static struct queue_job jobs[BATCH];
    static char ids[BATCH][24];

    if (count > b->jobs - b->submitted)
        count = b->jobs - b->submitted;
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(ids[i], sizeof(ids[i]), "b-%lu", b->submitted);
        if (b->sent_ns)
            b->sent_ns[b->submitted] = now_ns();
        b->submitted++;
        jobs[i] = (struct queue_job){.id = ids[i],
                                     .payload = "{}",
                                     .tenant = "bench",
                                     .pipeline = "noop",
                                     .priority = JOB_NORMAL,
                                     .infra_retries = -1};
    }
    queue_submit_async(b->queue, NULL, jobs, count, on_submitted, b);
}

/* ---- being run
 * --------------------------------------------------------------- */

static void execute(void *arg, const struct lease *lease,
                    supervisor_done_fn *done, void *job)
{
    const struct lease_result result = {.state = "passed", .json = "{}"};
    struct bench *b = arg;

    if (!b->first_ns)
        b->first_ns = now_ns();
    if (b->sent_ns) {
        unsigned long i = strtoul(lease_job_id(lease) + 2, NULL, 10);

        b->taken_ns[i] = now_ns() - b->sent_ns[i];
    }
    done(job, &result);
}

static void on_ended(void *arg, const char *job_id UNUSED,
                     const char *state UNUSED, const char *json UNUSED)
{
    struct bench *b = arg;

    if (++b->ended == b->jobs)
        b->last_ns = now_ns();
}

static void on_failed(void *arg UNUSED, const char *job_id UNUSED,
                      const struct err *err)
{
    die(err);
}

static void start_worker(struct bench *b, unsigned capacity)
{
    const struct supervisor_events events = {
        .on_ended = on_ended, .on_failed = on_failed, .arg = b};
    const struct supervisor_options options = {.worker = "bench",
                                               .state_dir = b->state_dir,
                                               .limits = {.capacity = capacity},
                                               .execute = execute,
                                               .execute_arg = b};
    struct err err;

    if (supervisor_new(b->loop, b->queue, &options, &events, &b->supervisor,
                       &err) < 0 ||
        supervisor_start(b->supervisor, &err) < 0)
        die(&err);
}

/* ---- measuring
 * ---------------------------------------------------------------- */

static void throughput(struct bench *b, unsigned capacity)
{
    b->batches = true;
    submit_some(b, BATCH);
    while (b->acknowledged < b->jobs)
        turn(b);
    start_worker(b, capacity);
    while (b->ended < b->jobs)
        turn(b);
    printf("%.0f\n",
           (double)b->jobs * 1e9 / (double)(b->last_ns - b->first_ns));
}

static void submits(struct bench *b)
{
    int64_t from = now_ns();

    for (int i = 0; i < AT_ONCE; i++)
        submit_some(b, 1);
    while (b->acknowledged < b->jobs)
        turn(b);
    printf("%.0f\n", (double)b->jobs * 1e9 / (double)(now_ns() - from));
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static void print_ms(int64_t ns, char behind)
{
    printf("%.3f%c", (double)ns / 1e6, behind);
}

static void pickup(struct bench *b)
{
    int64_t next;

    b->sent_ns = xcalloc(b->jobs, sizeof(*b->sent_ns));
    b->taken_ns = xcalloc(b->jobs, sizeof(*b->taken_ns));
    start_worker(b, 1);
    next = clock_mono_ms() + 1000; /* it is idle by then */
    while (b->ended < b->jobs) {
        struct err err;
        int64_t wait = next - clock_mono_ms();

        if (b->submitted < b->jobs && wait <= 0) {
            submit_some(b, 1);
            next += EVERY_MS;
            wait = 0;
        }
        if (loop_step(b->loop, b->submitted < b->jobs ? wait : 1000, &err) < 0)
            die(&err);
    }
    qsort(b->taken_ns, b->jobs, sizeof(*b->taken_ns), compare);
    print_ms(b->taken_ns[b->jobs / 2], ' ');
    print_ms(b->taken_ns[b->jobs * 99 / 100], '\n');
    free(b->sent_ns);
    free(b->taken_ns);
}

int main(int argc, char **argv)
{
    struct bench b = {0};
    unsigned capacity =
        argc > 5 ? (unsigned)strtoul(argv[5], NULL, 10) : AT_ONCE;
    struct queue_options options = {.pool = "bench", .max_instances = capacity};
    struct err err;

    log_init("bench", LOG_WARN);
    if (argc < 5) {
        (void)fprintf(stderr,
                      "usage: queue URL STATE_DIR WHAT JOBS [CAPACITY]\n");
        return 2;
    }
    options.url = argv[1];
    b.state_dir = argv[2];
    b.jobs = strtoul(argv[4], NULL, 10);
    if (loop_new(&b.loop, &err) < 0 ||
        queue_open(b.loop, &options, &b.queue, &err) < 0)
        die(&err);
    if (strcmp(argv[3], "throughput") == 0)
        throughput(&b, capacity);
    else if (strcmp(argv[3], "submit") == 0)
        submits(&b);
    else
        pickup(&b);
    supervisor_free(b.supervisor);
    queue_free(b.queue);
    loop_free(b.loop);
    return 0;
}
