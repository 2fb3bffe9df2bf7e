/* worker/supervisor/renew.c - all leases are renewed in one call. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "worker/supervisor/impl.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define RETRY_MS 1000

static struct slot *find(struct supervisor *s, const struct lease *lease)
{
    struct slot *slot;

    TAILQ_FOREACH (slot, &s->slots, link)
        if (job_lease(slot->job) == lease)
            return slot;
    return NULL;
}

static void renew_at(struct supervisor *s, int64_t at_mono_ms)
{
    loop_remove(s->renew);
    s->renew = loop_add_timer(s->loop, at_mono_ms, renew_now, s);
}

/* The first answer opens the door: what drained us before we were started
 * again still holds. */
static void take_drain(struct supervisor *s, bool drain)
{
    bool changed = s->told_drain != drain;
    bool first = !s->introduced;

    s->told_drain = drain;
    s->introduced = true;
    if (changed)
        s->renew_again = true; /* so that all see how we are now */
    if (!drain && (changed || first))
        take_jobs(s);
    if (changed || first)
        warm_pool_look(s->warm);
}

static void on_renewed(void *arg, bool drain, const struct lease_news *news,
                       size_t count, const struct err *err)
{
    struct supervisor *s = arg;
    int64_t period = s->options.renew_ms;

    s->renewing = false;
    supervisor_heard(s, OUTAGE_ROUND, err);
    for (size_t i = 0; i < count; i++) {
        /* What we were told of one job may have ended another. */
        struct slot *slot = find(s, news[i].lease);

        if (slot)
            job_take_news(slot->job, &news[i]);
    }
    if (!err)
        take_drain(s, drain);
    if (err)
        renew_at(s, clock_mono_ms() + (period < RETRY_MS ? period : RETRY_MS));
    else if (s->renew_again)
        renew_now(s);
    else
        renew_at(s, s->renew_sent_ms + period);
}

struct numbers {
    char capacity[16], running[16], pid[16], started[24];
};

static void send(struct supervisor *s, const struct numbers *n)
{
    const struct worker_fact facts[] = {
        {"labels", s->labels},
        {"capacity", n->capacity},
        {"running", n->running},
        {"refuses", supervisor_refuses(s)},
        {"state", supervisor_is_draining(s) ? "draining" : "active"},
        {"version", BERTH_VERSION},
        {"host", s->host},
        {"pid", n->pid},
        {"started_at_ms", n->started},
    };
    struct lease **leases = xcalloc(s->running + 1, sizeof(struct lease *));
    struct slot *slot;
    size_t count = 0;

    TAILQ_FOREACH (slot, &s->slots, link)
        leases[count++] = job_lease(slot->job);
    queue_renew(s->queue, s->worker, facts, ARRAY_LEN(facts), leases, count,
                on_renewed, s);
    free(leases);
}

void renew_now(void *arg)
{
    struct supervisor *s = arg;
    struct numbers n;

    if (s->renewing) {
        s->renew_again = true;
        return;
    }
    loop_remove(s->renew);
    s->renew = NULL;
    s->renewing = true;
    s->renew_again = false;
    s->renew_sent_ms = clock_mono_ms();
    (void)health_look(&s->health, s->state_dir,
                      s->options.limits.min_disk_bytes,
                      s->options.limits.min_memory_bytes);
    (void)snprintf(n.capacity, sizeof(n.capacity), "%u",
                   s->options.limits.capacity);
    (void)snprintf(n.running, sizeof(n.running), "%u", s->running);
    (void)snprintf(n.pid, sizeof(n.pid), "%d", (int)getpid());
    (void)snprintf(n.started, sizeof(n.started), "%" PRId64, s->started_at_ms);
    send(s, &n);
}
