/* worker/supervisor/take.c - when to ask for a job. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "worker/supervisor/impl.h"

#define RETRY_MS       500  /* Redis is away */
#define LOOK_AGAIN_MS  2000 /* the host has no room */
#define LISTEN_MAX_MS  60000
#define IDLE_MARGIN_MS 2000

/*
 * Jobs are asked for one after the other until there is no room, or none
 * comes: then Redis rings (ctl:<worker>) when there is one, and after poll_ms
 * we ask all the same. A job that ends asks for the next with its result; its
 * place counts as taken until the answer is there, so that no place is filled
 * twice.
 */

static uint32_t listen_ms(const struct supervisor *s)
{
    uint32_t ms = s->options.limits.poll_ms;

    return ms < LISTEN_MAX_MS ? ms : LISTEN_MAX_MS;
}

static const struct lease_wish *wish_of(struct supervisor *s)
{
    s->wish = (struct lease_wish){.worker = s->worker,
                                  .labels = s->labels,
                                  .idle_ms = listen_ms(s) + IDLE_MARGIN_MS};
    return &s->wish;
}

bool take_has_room(struct supervisor *s)
{
    const struct supervisor_limits *limits = &s->options.limits;

    return faults_allow(&s->faults, clock_mono_ms()) &&
           !*health_look(&s->health, s->state_dir, limits->min_disk_bytes,
                         limits->min_memory_bytes);
}

const struct lease_wish *take_with_result(void *arg, bool again)
{
    struct supervisor *s = arg;

    /* If the lost answer held a job, it is ours already. */
    if (!again &&
        (supervisor_is_draining(s) || s->running > s->options.limits.capacity ||
         !take_has_room(s)))
        return NULL;
    return wish_of(s);
}

static void on_time(void *arg)
{
    struct supervisor *s = arg;

    s->ask = NULL;
    take_jobs(s);
}

void take_jobs_in(struct supervisor *s, int64_t wait_ms)
{
    if (!s->ask)
        s->ask = loop_add_timer(s->loop, clock_mono_ms() + wait_ms, on_time, s);
}

static void on_leased(void *arg, struct lease *lease, const struct err *err)
{
    struct supervisor *s = arg;

    s->asking = false;
    supervisor_heard(s, OUTAGE_LEASE, err);
    if (err) {
        take_jobs_in(s, RETRY_MS);
    } else {
        if (lease)
            supervisor_take(s, lease);
        if (lease || s->rung)
            take_jobs(s);
    }
}

static bool is_full(const struct supervisor *s)
{
    return supervisor_is_draining(s) ||
           s->running >= s->options.limits.capacity;
}

void take_jobs(struct supervisor *s)
{
    loop_remove(s->ask);
    s->ask = NULL;
    if (!s->introduced || s->asking || is_full(s))
        return;
    if (!take_has_room(s)) {
        take_jobs_in(s, LOOK_AGAIN_MS);
        return;
    }
    s->asking = true;
    s->rung = false;
    queue_lease(s->queue, wish_of(s), on_leased, s);
}

/* ---- the bell ------------------------------------------------------------ */

/* It may have been on its way when we began to refuse. Or it comes before an
 * answer that was given before it rang: whoever gets nothing then asks anew. */
static void take_or_pass(struct supervisor *s)
{
    s->rung = true;
    if (!s->asking && (is_full(s) || !take_has_room(s)))
        queue_pass_bell(s->queue, s->worker);
    take_jobs(s);
}

static void on_bell(void *arg, enum queue_bell bell, const struct err *err)
{
    struct supervisor *s = arg;

    outage_note(&s->outage, s->queue, OUTAGE_WAIT, err);
    if (err) { /* we can do without */
        take_jobs_in(s, s->options.limits.poll_ms);
        s->ears =
            loop_add_timer(s->loop, clock_mono_ms() + RETRY_MS, take_listen, s);
        return;
    }
    if (bell == QUEUE_BELL_RENEW)
        renew_now(s);
    else if (bell == QUEUE_BELL_JOB)
        take_or_pass(s);
    else
        take_jobs(s);
    take_listen(s);
}

void take_listen(void *arg)
{
    struct supervisor *s = arg;

    s->ears = NULL;
    queue_listen(s->queue, s->worker, listen_ms(s), on_bell, s);
}
