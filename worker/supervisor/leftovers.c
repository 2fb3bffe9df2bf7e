/* worker/supervisor/leftovers.c - leases of a worker that was killed. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/supervisor/leftovers.h"

#include "base/clock.h"
#include "base/log.h"
#include "scheduler/queue/log.h"
#include "worker/supervisor/held.h"
#include "worker/supervisor/result.h"

#include <stdlib.h>

#define LOOK_MS  100
#define AWAIT_MS 20000
#define RETRY_MS 1000

/* They go one after the other: there are few, and nobody waits for them. */
struct leftovers {
    struct loop *loop;                        /* borrowed */
    struct queue *queue;                      /* borrowed */
    const struct supervisor_options *options; /* borrowed */
    struct archiver *archiver;                /* borrowed; NULL: none */
    struct held *list;                        /* owned, all in one */
    size_t count;
    size_t at;                 /* the one that is being released */
    struct lease *lease;       /* owned; of that one */
    char *json;                /* owned; its result */
    int64_t until_mono_ms;     /* of the waiting */
    struct loop_source *timer; /* borrowed */
    loop_timer_fn *on_quiet;
    void *arg;
};

static void release_next(struct leftovers *l);

struct leftovers *leftovers_new(struct loop *loop, struct queue *queue,
                                const struct supervisor_options *options,
                                struct archiver *archiver)
{
    struct leftovers *l = xcalloc(1, sizeof(*l));

    l->loop = loop;
    l->queue = queue;
    l->options = options;
    l->archiver = archiver;
    l->count = held_list(options->state_dir, queue_pool(queue), options->worker,
                         &l->list);
    return l;
}

void leftovers_free(struct leftovers *l)
{
    if (!l)
        return;
    if (l->archiver)
        archiver_redirect(l->archiver, l, NULL, NULL);
    loop_remove(l->timer);
    lease_free(l->lease);
    free(l->json);
    free(l->list);
    free(l);
}

/* ---- waiting for their run-jobs ------------------------------------------ */

bool leftovers_are_alive(const struct leftovers *l)
{
    for (size_t i = 0; i < l->count; i++)
        if (held_is_alive(&l->list[i]))
            return true;
    return false;
}

static void forget_living(struct leftovers *l)
{
    size_t kept = 0;

    for (size_t i = 0; i < l->count; i++) {
        if (held_is_alive(&l->list[i]))
            log_warn("job %s: its run-job (%d) does not end; its lease is "
                     "left to expire",
                     l->list[i].job_id, (int)l->list[i].pid);
        else
            l->list[kept++] = l->list[i];
    }
    l->count = kept;
}

static void look(void *arg)
{
    struct leftovers *l = arg;

    l->timer = NULL;
    if (leftovers_are_alive(l) && clock_mono_ms() < l->until_mono_ms) {
        l->timer = loop_add_timer(l->loop, clock_mono_ms() + LOOK_MS, look, l);
        return;
    }
    forget_living(l);
    l->on_quiet(l->arg);
}

void leftovers_await(struct leftovers *l, loop_timer_fn *fn, void *arg)
{
    l->on_quiet = fn;
    l->arg = arg;
    l->until_mono_ms = clock_mono_ms() + AWAIT_MS;
    l->timer = loop_add_timer(l->loop, clock_mono_ms(), look, l);
}

/* ---- giving them back ---------------------------------------------------- */

static void complete(void *arg);

static void on_completed(void *arg, struct lease *next UNUSED,
                         const struct err *err)
{
    struct leftovers *l = arg;
    const struct held *held = &l->list[l->at];

    if (err && (err->kind == ERR_TRANSIENT || err->kind == ERR_TIMEOUT)) {
        l->timer =
            loop_add_timer(l->loop, clock_mono_ms() + RETRY_MS, complete, l);
        return;
    }
    if (!err)
        log_warn("job %s: its worker was killed; it was given back",
                 held->job_id);
    else if (err->kind != ERR_LOST)
        log_warn("job %s: %s", held->job_id, err->msg);
    held_remove(l->options->state_dir, held->job_id, held->epoch);
    lease_free(STEAL(l->lease));
    free(STEAL(l->json));
    l->at++;
    release_next(l);
}

static void complete(void *arg)
{
    struct leftovers *l = arg;
    const struct lease_result result = {
        .state = "failed", .reason = REASON_WORKER_LOST, .json = l->json};

    l->timer = NULL;
    lease_complete(l->lease, l->options->worker, &result, NULL, on_completed,
                   l);
}

static char *make_result(const struct held *held, const struct lease *lease,
                         const char *stored)
{
    const struct job_verdict_spec spec = {.job_id = held->job_id,
                                          .epoch = held->epoch,
                                          .reason = REASON_WORKER_LOST,
                                          .message = "its worker was killed",
                                          .started_at_ms = held->started_at_ms,
                                          .ended_at_ms = clock_wall_ms()};
    CLEANUP(job_verdict) struct job_verdict *verdict = job_verdict_make(&spec);
    CLEANUP(mem) char *stream = lease_log_stream(lease);

    return job_verdict_write(verdict, stream, stored, 0);
}

/* `stored`: where what it printed until then is; NULL: nowhere. */
static void on_log_put(void *arg, const char *stored,
                       const struct err *err UNUSED)
{
    struct leftovers *l = arg;

    l->json = make_result(&l->list[l->at], l->lease, stored);
    complete(l);
}

static void release_next(struct leftovers *l)
{
    const struct held *held = &l->list[l->at];
    char file[LOG_FILE_NAME_SIZE];

    if (l->at == l->count)
        return;
    l->lease = lease_adopt(l->queue, held->job_id, held->epoch, held->nonce);
    if (l->archiver &&
        log_file_name(held->job_id, held->epoch, file, NULL) == 0) {
        CLEANUP(mem)
        char *path = xasprintf("%s/spool/%s", l->options->state_dir, file);

        archiver_put(l->archiver, path, held->job_id, held->epoch, on_log_put,
                     l);
    } else {
        on_log_put(l, NULL, NULL);
    }
}

void leftovers_release(struct leftovers *l)
{
    release_next(l);
}
