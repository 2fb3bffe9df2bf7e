/* scheduler/daemon/scheduler.c - all that a scheduler does, in a loop. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/daemon/scheduler.h"

#include "base/clock.h"
#include "base/log.h"
#include "scheduler/daemon/credentials.h"
#include "scheduler/intake/cron.h"
#include "scheduler/intake/event_intake.h"
#include "scheduler/intake/inbox.h"
#include "scheduler/intake/reconcile.h"
#include "scheduler/queue/keeper.h"
#include "scheduler/queue/outage.h"
#include "scheduler/queue/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAKE_WAIT_MS    10000
#define AGAIN_MS        1000
#define READ_TIMEOUT_MS 60000
#define READ_RETRIES    3 /* after 2, 8 and 32 s */
#define READ_RETRY_MS   2000
#define MIN_DEAD_MS     15000
#define DEAD_TICKS      10
#define MAX_RUNS        16 /* advanced at once */
#define FULL_ROUND      64 /* so many begun or forgotten: there may be more */

/* A run that is being advanced; free while its id is "". */
struct advancing {
    struct scheduler *scheduler;
    char id[QUEUE_MAX_ID + 1];
};

struct scheduler {
    struct loop *loop;   /* borrowed */
    struct queue *queue; /* borrowed */
    struct scheduler_options options;
    char *name, *state_dir;          /* owned */
    struct repo_reader *reader;      /* owned; freed after who reads */
    struct inbox *inbox;             /* owned */
    struct intake_cron *cron;        /* owned */
    struct event_intake *events;     /* owned */
    struct reconcile *reconcile;     /* owned */
    struct reporter *reporter;       /* owned */
    struct credentials *credentials; /* owned */
    int64_t offset_ms;               /* Redis' clock minus ours */
    bool keeping, keep_again;
    bool configured, configuring;
    bool stopping;
    unsigned awaited; /* while it stops */
    struct err stop_err;
    queue_done_fn *stopped;
    void *stopped_arg;
    struct outage outage;
    struct loop_source *tick, *wait; /* borrowed */
    struct advancing runs[MAX_RUNS];
};

static void keep(void *arg);

/* ---- the pool's configuration ----------------------------------------------
 */

static void on_configured(void *arg, const struct err *err)
{
    struct scheduler *s = arg;

    s->configuring = false;
    /* Changed meanwhile, or not taken: once more, with the next tick. */
    s->configured = s->configured && !err;
}

static void configure(struct scheduler *s)
{
    if (s->configured || s->configuring)
        return;
    s->configured = s->configuring = true;
    queue_configure_async(s->queue, &s->options.pool, on_configured, s);
}

/* ---- rounds ----------------------------------------------------------------
 */

static void keep_in(struct scheduler *s, int64_t delay_ms)
{
    if (s->stopping)
        return;
    loop_remove(s->tick);
    s->tick = loop_add_timer(s->loop, clock_mono_ms() + delay_ms, keep, s);
}

static void keep_now(struct scheduler *s)
{
    if (s->keeping)
        s->keep_again = true;
    else
        keep_in(s, 0);
}

static void on_advanced(void *arg, bool ended UNUSED, const struct err *err)
{
    struct advancing *run = arg;

    run->id[0] = '\0';
    if (!err)
        keep_now(run->scheduler); /* more of them may wait */
}

static void advance(struct scheduler *s, const char *id)
{
    struct advancing *free_one = NULL;

    for (size_t i = 0; i < MAX_RUNS; i++) {
        if (!strcmp(s->runs[i].id, id))
            return;
        if (!*s->runs[i].id)
            free_one = &s->runs[i];
    }
    if (!free_one)
        return;
    free_one->scheduler = s;
    (void)snprintf(free_one->id, sizeof(free_one->id), "%s", id);
    run_advance(s->queue, id, on_advanced, free_one);
}

static int64_t next_round(const struct scheduler *s,
                          const struct keeper_report *report)
{
    int64_t delay_ms = s->options.tick_ms;

    if (s->keep_again || report->begun >= FULL_ROUND ||
        report->forgotten >= FULL_ROUND)
        return 0;
    if (report->next_due_ms && report->next_due_ms - report->now_ms < delay_ms)
        delay_ms = report->next_due_ms - report->now_ms;
    return delay_ms > 0 ? delay_ms : 0;
}

static void on_kept(void *arg, const struct keeper_report *report,
                    const struct err *err)
{
    struct scheduler *s = arg;

    s->keeping = false;
    outage_note(&s->outage, s->queue, OUTAGE_ROUND, err);
    if (err) {
        s->keep_again = false;
        keep_in(s, s->options.tick_ms);
        return;
    }
    s->offset_ms = report->now_ms - clock_wall_ms();
    if (report->retried || report->lost)
        log_warn("%u jobs lost their workers; %u of them are tried again",
                 report->retried + report->lost, report->retried);
    for (size_t i = 0; i < report->run_count; i++)
        advance(s, report->runs[i]);
    keep_in(s, next_round(s, report));
    s->keep_again = false;
}

static void keep(void *arg)
{
    struct scheduler *s = arg;
    const uint32_t dead_ms = DEAD_TICKS * s->options.tick_ms;
    const struct keeper_options options = {
        .scheduler = s->name,
        .tick_ms = s->options.tick_ms,
        .aging_ms = s->options.aging_ms,
        .dead_ms = dead_ms > MIN_DEAD_MS ? dead_ms : MIN_DEAD_MS,
        .keep_count = s->options.keep_count,
    };

    s->tick = NULL;
    if (s->stopping)
        return;
    configure(s);
    s->keeping = true;
    queue_keep(s->queue, &options, on_kept, s);
}

/* ---- runs that wait --------------------------------------------------------
 */

static void wait_run(void *arg);

static void on_run(void *arg, bool woken, const struct err *err)
{
    struct scheduler *s = arg;

    outage_note(&s->outage, s->queue, OUTAGE_WAIT, err);
    if (woken) {
        keep_now(s);
        event_intake_wake(s->events);
    }
    if (err)
        s->wait =
            loop_add_timer(s->loop, clock_mono_ms() + AGAIN_MS, wait_run, s);
    else
        wait_run(s);
}

static void wait_run(void *arg)
{
    struct scheduler *s = arg;

    s->wait = NULL;
    if (!s->stopping)
        queue_wait_run(s->queue, WAKE_WAIT_MS, on_run, s);
}

/* ---- life ------------------------------------------------------------------
 */

static void take_options(struct scheduler *s,
                         const struct scheduler_options *options)
{
    s->options = *options;
    s->options.name = s->name;
    s->options.state_dir = s->state_dir;
    s->configured = false;
}

static struct credentials *credentials_of(struct scheduler *s,
                                          const struct scheduler_options *o)
{
    const struct credentials_options options = {.loop = s->loop,
                                                .queue = s->queue,
                                                .outage = &s->outage,
                                                .forges = o->forges,
                                                .forge_count = o->forge_count,
                                                .workers = o->workers};

    return credentials_new(&options);
}

static struct reporter_options
reporter_of(const struct scheduler_options *options)
{
    return (struct reporter_options){.forges = options->forges,
                                     .count = options->forge_count,
                                     .style = options->report};
}

static struct reconcile_options
reconcile_of(struct scheduler *s, const struct scheduler_options *options)
{
    return (struct reconcile_options){.loop = s->loop,
                                      .queue = s->queue,
                                      .offset_ms = &s->offset_ms,
                                      .hosts = options->hosts,
                                      .host_count = options->host_count,
                                      .triggers = options->triggers,
                                      .limits = options->deliveries,
                                      .every_ms = options->reconcile_ms};
}

static void begin_events(struct scheduler *s, const struct admit_options *admit)
{
    const struct scheduler_options *o = &s->options;
    const struct event_intake_options events = {
        .admit = *admit,
        .scheduler = s->name,
        .offset_ms = &s->offset_ms,
        .hosts = o->hosts,
        .host_count = o->host_count,
        .triggers = o->triggers,
        .keep_ms = o->deliveries.keep_ms,
    };
    const struct reconcile_options reconcile = reconcile_of(s, o);

    s->events = event_intake_new(&events);
    s->reconcile = reconcile_new(&reconcile);
}

struct scheduler *scheduler_new(struct loop *loop, struct queue *queue,
                                const struct scheduler_options *o)
{
    struct scheduler *s = xcalloc(1, sizeof(*s));
    struct inbox_options inbox = {
        .admit = {.loop = loop,
                  .queue = queue,
                  .uid = o->uid,
                  .read_timeout_ms = READ_TIMEOUT_MS,
                  .retries = READ_RETRIES,
                  .retry_ms = READ_RETRY_MS},
        .max_bytes = o->max_bytes,
        .offset_ms = &s->offset_ms,
        .outage = &s->outage,
    };
    struct reporter_options reporter;

    s->loop = loop;
    s->queue = queue;
    s->name = xstrdup(o->name);
    s->state_dir = xstrdup(o->state_dir);
    take_options(s, o);
    inbox.scheduler = s->name;
    inbox.admit.state_dir = s->state_dir;
    inbox.admit.reader = s->reader = repo_reader_new(loop);
    keep(s);
    wait_run(s);
    s->inbox = inbox_new(&inbox);
    s->cron = intake_cron_new(loop, queue, &s->offset_ms);
    intake_cron_set(s->cron, o->schedules);
    s->credentials = credentials_of(s, o);
    begin_events(s, &inbox.admit);
    reporter = reporter_of(o);
    s->reporter = reporter_new(loop, queue, s->name, &reporter);
    return s;
}

void scheduler_configure(struct scheduler *s,
                         const struct scheduler_options *options)
{
    const struct reconcile_options reconcile = reconcile_of(s, options);
    const struct reporter_options reporter = reporter_of(options);

    take_options(s, options);
    event_intake_configure(s->events, options->triggers,
                           options->deliveries.keep_ms);
    reconcile_configure(s->reconcile, &reconcile);
    inbox_set_max_bytes(s->inbox, options->max_bytes);
    intake_cron_set(s->cron, options->schedules);
    credentials_set_workers(s->credentials, options->workers);
    reporter_configure(s->reporter, &reporter);
    keep_now(s);
}

static void on_part_stopped(struct scheduler *s)
{
    if (--s->awaited == 0)
        s->stopped(s->stopped_arg, s->stop_err.kind ? &s->stop_err : NULL);
}

static void on_inbox_stopped(void *arg, const struct err *err)
{
    struct scheduler *s = arg;

    if (err)
        s->stop_err = *err;
    on_part_stopped(s);
}

static void on_reporter_stopped(void *arg)
{
    on_part_stopped(arg);
}

void scheduler_stop(struct scheduler *s, queue_done_fn *fn, void *arg)
{
    s->stopping = true;
    loop_remove(STEAL(s->tick));
    credentials_stop(s->credentials);
    event_intake_stop(s->events);
    reconcile_stop(s->reconcile);
    s->stopped = fn;
    s->stopped_arg = arg;
    s->awaited = 2;
    reporter_stop(s->reporter, on_reporter_stopped, s);
    inbox_stop(s->inbox, on_inbox_stopped, s);
}

void scheduler_free(struct scheduler *s)
{
    if (!s)
        return;
    inbox_free(s->inbox);
    intake_cron_free(s->cron);
    credentials_free(s->credentials);
    event_intake_free(s->events);
    repo_reader_free(s->reader);
    reconcile_free(s->reconcile);
    reporter_free(s->reporter);
    loop_remove(s->tick);
    loop_remove(s->wait);
    free(s->name);
    free(s->state_dir);
    free(s);
}
