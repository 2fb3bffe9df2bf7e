/* tests/chaos/load.c - jobs through a queue whose servers fail over. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/log.h"
#include "scheduler/queue/lease.h"
#include "scheduler/queue/submit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * load URL POOL REPLICAS JOBS SECONDS
 *
 * Submits jobs, some at once, and runs them at the same time; each call is
 * repeated until it is acknowledged. Prints each id as it is acknowledged
 * ("submitted ID", "completed ID"), so that others can look for it afterwards.
 */
#define SUBMITTING 16
#define RUNNING    8
#define RETRY_MS   50

struct load {
    struct loop *loop;
    struct queue *queue;
    unsigned long jobs, next, submitted, completed;
    unsigned leasing; /* 1: a queue_lease() is under way */
    unsigned running;
};

struct submission {
    struct load *load;
    char id[32];
};

struct run {
    struct load *load;
    struct lease *lease;
};

static const struct lease_wish wish = {.worker = "load", .labels = ""};

static void submit(void *arg);
static void lease(void *arg);

/* ---- going in --------------------------------------------------------------
 */

static void submit_next(struct load *load)
{
    struct submission *s;

    if (load->next == load->jobs)
        return;
    s = xcalloc(1, sizeof(*s));
    s->load = load;
    (void)snprintf(s->id, sizeof(s->id), "load-%lu", load->next++);
    submit(s);
}

static void on_submitted(void *arg, const struct queue_answer *answers UNUSED,
                         size_t count UNUSED, const struct err *err)
{
    struct submission *s = arg;
    struct load *load = s->load;

    if (err) {
        (void)loop_add_timer(load->loop, clock_mono_ms() + RETRY_MS, submit, s);
        return;
    }
    printf("submitted %s\n", s->id);
    load->submitted++;
    free(s);
    submit_next(load);
}

static void submit(void *arg)
{
    struct submission *s = arg;
    const struct queue_job job = {.id = s->id,
                                  .payload = "{}",
                                  .priority = JOB_NORMAL,
                                  .infra_retries = 1000};

    queue_submit_async(s->load->queue, NULL, &job, 1, on_submitted, s);
}

/* ---- being run
 * --------------------------------------------------------------- */

static void complete(void *arg);

static void on_completed(void *arg, struct lease *next, const struct err *err)
{
    struct run *run = arg;
    struct load *load = run->load;

    lease_free(next); /* none was wished for */
    if (err && err->kind != ERR_LOST) {
        (void)loop_add_timer(load->loop, clock_mono_ms() + RETRY_MS, complete,
                             run);
        return;
    }
    if (!err) {
        printf("completed %s\n", lease_job_id(run->lease));
        load->completed++;
    }
    lease_free(run->lease);
    free(run);
    load->running--;
    lease(load);
}

static void complete(void *arg)
{
    struct run *run = arg;
    const struct lease_result result = {.state = "passed", .json = "{}"};

    lease_complete(run->lease, wish.worker, &result, NULL, on_completed, run);
}

static void on_leased(void *arg, struct lease *got,
                      const struct err *err UNUSED)
{
    struct load *load = arg;
    struct run *run;

    load->leasing = 0;
    if (!got) {
        (void)loop_add_timer(load->loop, clock_mono_ms() + RETRY_MS, lease,
                             load);
        return;
    }
    load->running++;
    run = xcalloc(1, sizeof(*run));
    run->load = load;
    run->lease = got;
    complete(run);
    lease(load);
}

static void lease(void *arg)
{
    struct load *load = arg;

    if (load->leasing || load->running >= RUNNING)
        return;
    load->leasing = 1;
    queue_lease(load->queue, &wish, on_leased, load);
}

/* ------------------------------------------------------------------------------
 */

int main(int argc, char **argv)
{
    struct queue_options options = {
        .max_instances = RUNNING, .lease_ms = 3000, .kill_grace_ms = 1000};
    struct load load = {0};
    struct err err = {0};
    int64_t until;

    log_init("load", LOG_WARN);
    if (argc != 6) {
        (void)fprintf(stderr, "usage: load URL POOL REPLICAS JOBS SECONDS\n");
        return 2;
    }
    options.url = argv[1];
    options.pool = argv[2];
    options.wait_replicas = (unsigned)strtoul(argv[3], NULL, 10);
    load.jobs = strtoul(argv[4], NULL, 10);
    until = clock_mono_ms() + 1000 * (int64_t)strtol(argv[5], NULL, 10);
    setlinebuf(stdout);
    if (loop_new(&load.loop, &err) < 0 ||
        queue_open(load.loop, &options, &load.queue, &err) < 0) {
        log_error("%s", err.msg);
        return 1;
    }
    for (int i = 0; i < SUBMITTING; i++)
        submit_next(&load);
    lease(&load);
    while (clock_mono_ms() < until && load.submitted < load.jobs)
        if (loop_step(load.loop, 100, &err) < 0)
            break;
    (void)fprintf(stderr, "%lu submitted, %lu completed\n", load.submitted,
                  load.completed);
    /* Everything else goes with the process. */
    (void)fflush(stdout);
    _Exit(load.submitted < load.jobs);
}
