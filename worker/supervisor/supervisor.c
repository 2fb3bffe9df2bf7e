/* worker/supervisor/supervisor.c - leases jobs, one run-job process each. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/supervisor/supervisor.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "worker/supervisor/impl.h"
#include "worker/supervisor/job_log.h"
#include "worker/supervisor/models.h"
#include "worker/supervisor/run_job.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FREE_WAIT_MS 15000
#define SWEEP_MS     60000

static int check_limits(const struct supervisor_limits *limits, struct err *err)
{
    if (limits->capacity == 0 || limits->capacity > SUPERVISOR_MAX_CAPACITY)
        return err_set(err, ERR_USER, "the capacity %u is not 1 to %d",
                       limits->capacity, SUPERVISOR_MAX_CAPACITY);
    return 0;
}

static void take_limits(struct supervisor *s,
                        const struct supervisor_limits *limits)
{
    char *labels = xstrdup(limits->labels ? limits->labels : "");

    free(s->labels);
    json_incref(limits->gateway);
    json_decref(s->options.limits.gateway);
    json_incref(limits->models);
    json_decref(s->options.limits.models);
    models_take_keys(limits->models);
    s->options.limits = *limits;
    s->options.limits.labels = s->labels = labels;
    if (!s->options.limits.poll_ms)
        s->options.limits.poll_ms = 5000;
    if (!s->options.limits.log_budget_bytes)
        s->options.limits.log_budget_bytes = (uint64_t)256 << 20;
    s->health.looked_mono_ms = 0;
    warm_pool_set(s->warm, limits->warm_pool);
    s->options.limits.warm_pool = NULL;
}

/* Whatever keeps us from taking jobs is a reason to let these go. */
static bool may_warm(void *arg)
{
    struct supervisor *s = arg;

    return s->introduced && !supervisor_is_draining(s) && take_has_room(s);
}

int supervisor_new(struct loop *loop, struct queue *queue,
                   const struct supervisor_options *options,
                   const struct supervisor_events *events,
                   struct supervisor **out_supervisor, struct err *err)
{
    struct warm_pool_options warm = {.loop = loop, .may = may_warm};
    struct supervisor *s;

    if (check_limits(&options->limits, err) < 0)
        return -1;
    s = xcalloc(1, sizeof(*s));
    s->loop = loop;
    s->queue = queue;
    s->options = *options;
    s->options.limits.gateway = NULL; /* take_limits() sets both */
    s->options.limits.models = NULL;
    s->options.worker = s->worker = xstrdup(options->worker);
    s->options.state_dir = s->state_dir = xstrdup(options->state_dir);
    if (options->log_store) {
        CLEANUP(mem) char *aside = xasprintf("%s/unsent", s->state_dir);

        s->archiver = archiver_new(loop, options->log_store, aside);
    }
    if (options->artifact_store)
        s->sender = sender_new(loop, options->artifact_store);
    if (options->cache_store)
        s->caches =
            cache_store_new(loop, options->cache_store, options->cache_key);
    s->options.artifact_store = NULL; /* they may go */
    s->options.cache_store = s->options.cache_key = NULL;
    warm.state_dir = s->state_dir;
    warm.arg = s;
    s->warm = warm_pool_new(&warm);
    take_limits(s, &options->limits);
    if (!s->options.renew_ms)
        s->options.renew_ms = 20000;
    if (!s->options.kill_ms)
        s->options.kill_ms = 110000;
    if (events)
        s->events = *events;
    (void)gethostname(s->host, sizeof(s->host) - 1);
    s->started_at_ms = clock_wall_ms();
    s->sweep_pid = -1;
    s->lock_fd = -1;
    TAILQ_INIT(&s->slots);
    *out_supervisor = s;
    return 0;
}

/* ---- jobs ---------------------------------------------------------------- */

static void on_over(void *arg, struct job *job, struct lease *next, bool asked)
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
    faults_over(&s->faults, job);
    job_free(job);
    free(slot);
    if (next)
        supervisor_take(s, next);
    /* Who asked and got nothing is rung for. */
    if (next || !asked || s->rung)
        take_jobs_in(s, 0);
}

static void on_sandbox(void *arg, const char *failure)
{
    struct supervisor *s = arg;
    bool refused = *s->faults.refuses;

    if (failure)
        faults_failed(&s->faults, failure, clock_mono_ms());
    else
        faults_worked(&s->faults);
    if (refused != (bool)*s->faults.refuses)
        renew_now(s); /* so that all see it */
    if (refused && !failure)
        take_jobs(s);
}

void supervisor_take(struct supervisor *s, struct lease *lease)
{
    const struct job_spec spec = {.loop = s->loop,
                                  .options = &s->options,
                                  .queue = s->queue,
                                  .archiver = s->archiver,
                                  .sender = s->sender,
                                  .caches = s->caches,
                                  .events = &s->events,
                                  .warm = s->warm,
                                  .connections = &s->connections,
                                  .on_sandbox = on_sandbox,
                                  .on_store = take_with_result,
                                  .on_over = on_over,
                                  .arg = s};
    struct slot *slot = xcalloc(1, sizeof(*slot));

    slot->job = job_new(&spec, lease);
    faults_took(&s->faults, slot->job);
    TAILQ_INSERT_TAIL(&s->slots, slot, link);
    s->running++;
    job_start(slot->job);
}

void supervisor_heard(struct supervisor *s, enum outage_call call,
                      const struct err *err)
{
    outage_note(&s->outage, s->queue, call, err);
    if (err && err->kind != ERR_TRANSIENT && err->kind != ERR_TIMEOUT &&
        s->events.on_refused)
        s->events.on_refused(s->events.arg, err);
}

static bool is_away(const struct supervisor *s)
{
    return outage_has(&s->outage, OUTAGE_ROUND) ||
           outage_has(&s->outage, OUTAGE_LEASE);
}

/* ---- what predecessors left ---------------------------------------------- */

static void begin(struct supervisor *s)
{
    s->up = true;
    warm_pool_look(s->warm);
    renew_now(s); /* its answer says whether jobs are to be taken */
    take_listen(s);
}

static void on_swept(void *arg, pid_t pid UNUSED, int status)
{
    struct supervisor *s = arg;

    s->sweeper = NULL;
    s->sweep_pid = -1;
    loop_remove(s->impatience);
    s->impatience = NULL;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        log_warn("old sandboxes in '%s' could not be swept", s->state_dir);
        leftovers_free(STEAL(s->leftovers)); /* they expire */
    } else if (s->leftovers) {
        leftovers_release(s->leftovers);
    }
    begin(s);
}

static void on_impatience(void *arg)
{
    struct supervisor *s = arg;

    s->impatience = NULL;
    run_job_kill(s->sweep_pid);
}

static int sweep(struct supervisor *s, struct err *err)
{
    if (run_job_spawn_sweep(s->state_dir, &s->sweep_pid, err) < 0) {
        s->sweep_pid = -1;
        return -1;
    }
    if (loop_add_child(s->loop, s->sweep_pid, on_swept, s, &s->sweeper, err) <
        0) {
        (void)run_job_reap(s->sweep_pid, 0);
        s->sweep_pid = -1;
        return -1;
    }
    s->impatience =
        loop_add_timer(s->loop, clock_mono_ms() + SWEEP_MS, on_impatience, s);
    return 0;
}

static void on_quiet(void *arg)
{
    struct supervisor *s = arg;
    struct err err;

    if (sweep(s, &err) == 0)
        return;
    log_warn("old sandboxes in '%s' could not be swept: %s", s->state_dir,
             err.msg);
    leftovers_free(STEAL(s->leftovers));
    begin(s);
}

static int lock_name(struct supervisor *s, struct err *err)
{
    CLEANUP(mem)
    char *path = xasprintf("%s/worker-%s.lock", s->state_dir, s->worker);

    if (file_lock(path, 0, &s->lock_fd, err) == 0)
        return 0;
    if (err->kind == ERR_TIMEOUT)
        return err_set(err, ERR_USER,
                       "another worker called '%s' runs on this host",
                       s->worker);
    return -1;
}

int supervisor_start(struct supervisor *s, struct err *err)
{
    struct err ignored;

    if (!err)
        err = &ignored;
    job_log_clean(s->state_dir);
    if (!s->options.one_shot) {
        if (lock_name(s, err) < 0)
            return -1;
        s->leftovers =
            leftovers_new(s->loop, s->queue, &s->options, s->archiver);
    }
    if (s->leftovers && leftovers_are_alive(s->leftovers)) {
        leftovers_await(s->leftovers, on_quiet, s);
        return 0;
    }
    if (!s->options.execute)
        return sweep(s, err);
    if (s->leftovers)
        leftovers_release(s->leftovers);
    begin(s);
    return 0;
}

/* ---- what it is told ----------------------------------------------------- */

int supervisor_set_limits(struct supervisor *s,
                          const struct supervisor_limits *limits,
                          struct err *err)
{
    if (check_limits(limits, err) < 0)
        return -1;
    take_limits(s, limits);
    if (s->up) {
        renew_now(s);
        take_jobs(s);
        warm_pool_look(s->warm);
    }
    return 0;
}

static void set_draining(struct supervisor *s, bool draining)
{
    s->draining = draining;
    if (s->up) {
        renew_now(s);
        take_jobs(s);
        warm_pool_look(s->warm);
    }
}

void supervisor_drain(struct supervisor *s)
{
    set_draining(s, true);
}

void supervisor_resume(struct supervisor *s)
{
    set_draining(s, false);
}

bool supervisor_is_draining(const struct supervisor *s)
{
    return s->draining || s->told_drain;
}

void supervisor_cancel(struct supervisor *s, const char *reason)
{
    struct slot *slot;

    TAILQ_FOREACH (slot, &s->slots, link)
        job_cancel(slot->job, reason);
}

/* ---- what it says -------------------------------------------------------- */

unsigned supervisor_running(const struct supervisor *s)
{
    return s->running;
}

bool supervisor_is_drained(const struct supervisor *s)
{
    /* A job that Redis gives us while it is away is lost with its answer. */
    return s->draining && !s->running && (!s->asking || is_away(s));
}

bool supervisor_is_connected(const struct supervisor *s)
{
    return s->introduced && !is_away(s);
}

const char *supervisor_refuses(const struct supervisor *s)
{
    return *s->health.refuses ? s->health.refuses : s->faults.refuses;
}

/* ---- the end ------------------------------------------------------------- */

/* All sockets first: the jobs end side by side. */
static bool end_jobs(struct supervisor *s)
{
    int64_t until = clock_mono_ms() + FREE_WAIT_MS;
    bool killed = false;
    struct slot *slot;

    TAILQ_FOREACH (slot, &s->slots, link)
        job_close(slot->job);
    warm_pool_close(s->warm);
    while ((slot = TAILQ_FIRST(&s->slots))) {
        TAILQ_REMOVE(&s->slots, slot, link);
        if (job_wait(slot->job, until))
            killed = true;
        job_free(slot->job);
        free(slot);
    }
    if (warm_pool_wait(s->warm, until))
        killed = true;
    return killed;
}

void supervisor_free(struct supervisor *s)
{
    pid_t pid;

    if (!s)
        return;
    queue_forget_calls(s->queue, s);
    loop_remove(s->ask);
    loop_remove(s->ears);
    loop_remove(s->renew);
    loop_remove(s->sweeper);
    loop_remove(s->impatience);
    leftovers_free(s->leftovers);
    if (s->sweep_pid > 0)
        (void)run_job_reap(s->sweep_pid, FREE_WAIT_MS);
    if (end_jobs(s) && run_job_spawn_sweep(s->state_dir, &pid, NULL) == 0)
        (void)run_job_reap(pid, FREE_WAIT_MS);
    archiver_free(s->archiver);
    sender_free(s->sender);
    cache_store_free(s->caches);
    warm_pool_free(s->warm);
    fd_close(&s->lock_fd);
    free(s->worker);
    free(s->state_dir);
    free(s->labels);
    json_decref(s->options.limits.gateway);
    json_decref(s->options.limits.models);
    free(s);
}
