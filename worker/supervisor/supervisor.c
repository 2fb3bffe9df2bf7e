/* worker/supervisor/supervisor.c - leases jobs, one run-job process each. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/supervisor/supervisor.h"

#include "base/clock.h"
#include "base/log.h"
#include "worker/supervisor/job.h"
#include "worker/supervisor/run_job.h"

#include <stdlib.h>
#include <sys/queue.h>
#include <sys/wait.h>

#define LEASE_RETRY_MS 500
#define FREE_WAIT_MS   15000
#define SWEEP_MS       60000

struct slot {
    TAILQ_ENTRY(slot) link;
    struct job *job; /* owned */
};

struct supervisor {
    struct loop *loop;                 /* borrowed */
    struct queue *queue;               /* borrowed */
    struct supervisor_options options; /* strings below */
    struct supervisor_events events;
    char *worker;    /* owned */
    char *state_dir; /* owned */
    TAILQ_HEAD(, slot) slots;
    unsigned running;
    bool draining;
    bool asking;                    /* a queue_lease() is under way */
    bool away;                      /* told the log that Redis is away */
    struct loop_source *poll;       /* borrowed; the next look at the queue */
    struct loop_source *sweeper;    /* borrowed */
    struct loop_source *impatience; /* borrowed; a sweep takes too long */
    pid_t sweep_pid;                /* -1: none */
};

static void ask(void *arg);

int supervisor_new(struct loop *loop, struct queue *queue,
                   const struct supervisor_options *options,
                   const struct supervisor_events *events,
                   struct supervisor **out_supervisor, struct err *err)
{
    struct supervisor *s;

    if (options->capacity == 0)
        return err_set(err, ERR_USER, "the capacity must be 1 or more");
    s = xcalloc(1, sizeof(*s));
    s->loop = loop;
    s->queue = queue;
    s->options = *options;
    s->options.worker = s->worker = xstrdup(options->worker);
    s->options.state_dir = s->state_dir = xstrdup(options->state_dir);
    if (!s->options.renew_ms)
        s->options.renew_ms = 20000;
    if (!s->options.kill_ms)
        s->options.kill_ms = 110000;
    if (!s->options.poll_ms)
        s->options.poll_ms = 250;
    if (events)
        s->events = *events;
    s->sweep_pid = -1;
    TAILQ_INIT(&s->slots);
    *out_supervisor = s;
    return 0;
}

/* ---- leasing ------------------------------------------------------------ */

static void ask_at(struct supervisor *s, int64_t wait_ms)
{
    if (!s->poll)
        s->poll = loop_add_timer(s->loop, clock_mono_ms() + wait_ms, ask, s);
}

static void on_over(void *arg, struct job *job)
{
    struct supervisor *s = arg;
    struct slot *slot;

    TAILQ_FOREACH (slot, &s->slots, link)
        if (slot->job == job)
            break;
    if (!slot)
        return;
    TAILQ_REMOVE(&s->slots, slot, link);
    s->running--;
    job_free(job);
    free(slot);
    loop_remove(s->poll);
    s->poll = NULL;
    ask_at(s, 0);
}

static void on_leased(void *arg, struct lease *lease, const struct err *err)
{
    struct supervisor *s = arg;
    const struct job_spec spec = {.loop = s->loop,
                                  .options = &s->options,
                                  .queue = s->queue,
                                  .events = &s->events,
                                  .on_over = on_over,
                                  .arg = s};
    struct slot *slot;

    s->asking = false;
    if (err) {
        if (!s->away)
            log_warn("cannot lease a job: %s", err->msg);
        s->away = true;
        ask_at(s, LEASE_RETRY_MS);
        return;
    }
    s->away = false;
    if (!lease) {
        ask_at(s, s->options.poll_ms);
        return;
    }
    slot = xcalloc(1, sizeof(*slot));
    TAILQ_INSERT_TAIL(&s->slots, slot, link);
    s->running++;
    slot->job = job_new(&spec, lease);
    ask_at(s, 0);
}

static void ask(void *arg)
{
    struct supervisor *s = arg;

    const struct lease_wish wish = {.worker = s->worker, .labels = ""};

    s->poll = NULL;
    if (s->draining || s->asking || s->running >= s->options.capacity)
        return;
    s->asking = true;
    queue_lease(s->queue, &wish, on_leased, s);
}

/* ---- the life of a supervisor ------------------------------------------- */

static void on_swept(void *arg, pid_t pid UNUSED, int status)
{
    struct supervisor *s = arg;

    s->sweeper = NULL;
    s->sweep_pid = -1;
    loop_remove(s->impatience);
    s->impatience = NULL;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        log_warn("old sandboxes in '%s' could not be swept", s->state_dir);
    ask_at(s, 0);
}

static void on_impatience(void *arg)
{
    struct supervisor *s = arg;

    s->impatience = NULL;
    run_job_kill(s->sweep_pid);
}

int supervisor_start(struct supervisor *s, struct err *err)
{
    if (run_job_spawn_sweep(s->state_dir, &s->sweep_pid, err) < 0)
        return -1;
    if (loop_add_child(s->loop, s->sweep_pid, on_swept, s, &s->sweeper, err) <
        0) {
        (void)run_job_reap(s->sweep_pid, SWEEP_MS);
        s->sweep_pid = -1;
        return -1;
    }
    s->impatience =
        loop_add_timer(s->loop, clock_mono_ms() + SWEEP_MS, on_impatience, s);
    return 0;
}

void supervisor_drain(struct supervisor *s)
{
    s->draining = true;
}

void supervisor_cancel(struct supervisor *s, const char *reason)
{
    struct slot *slot;

    TAILQ_FOREACH (slot, &s->slots, link)
        if (slot->job) /* not yet, inside of on_started */
            job_cancel(slot->job, reason);
}

/* All sockets first: the jobs end side by side. */
static bool end_jobs(struct supervisor *s)
{
    int64_t until = clock_mono_ms() + FREE_WAIT_MS;
    bool killed = false;
    struct slot *slot;

    TAILQ_FOREACH (slot, &s->slots, link)
        job_close(slot->job);
    while ((slot = TAILQ_FIRST(&s->slots))) {
        TAILQ_REMOVE(&s->slots, slot, link);
        if (job_wait(slot->job, until))
            killed = true;
        job_free(slot->job);
        free(slot);
    }
    return killed;
}

void supervisor_free(struct supervisor *s)
{
    pid_t pid;

    if (!s)
        return;
    loop_remove(s->poll);
    loop_remove(s->sweeper);
    loop_remove(s->impatience);
    if (s->asking)
        queue_lease_forget(s->queue);
    if (s->sweep_pid > 0)
        (void)run_job_reap(s->sweep_pid, FREE_WAIT_MS);
    if (end_jobs(s) && run_job_spawn_sweep(s->state_dir, &pid, NULL) == 0)
        (void)run_job_reap(pid, FREE_WAIT_MS);
    free(s->worker);
    free(s->state_dir);
    free(s);
}
