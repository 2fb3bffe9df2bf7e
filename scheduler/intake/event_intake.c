/* scheduler/intake/event_intake.c - from stored deliveries to jobs. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/intake/event_intake.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/state.h"
#include "base/strbuf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define POLL_MS      1000
#define AGAIN_MS     1000 /* Redis is away */
#define BACKOFF_MS   2000 /* before the second attempt; doubles each time */
#define MAX_DELAY_MS 300000

/* A delivery that is ours for a while. */
struct held {
    TAILQ_ENTRY(held) link;
    struct event_intake *intake; /* borrowed */
    struct event_work *work;     /* owned; NULL: it is over */
    char key[QUEUE_DELIVERY_KEY + 1];
    char claim[QUEUE_CLAIM + 1];
    unsigned attempts;
    size_t host;                 /* whose it is: a place in the options */
    struct loop_source *renewal; /* borrowed, as the next */
    struct loop_source *again;   /* to tell Redis once more */
    /* What became of it. */
    enum event_outcome outcome;
    char *reason, *jobs; /* owned */
    int64_t delay_ms;
};

struct event_intake {
    struct event_intake_options options;
    struct event_work_options work;
    TAILQ_HEAD(, held) held; /* owned */
    size_t held_count;
    size_t *held_of;             /* owned; of each host */
    size_t turn;                 /* the host that is asked for first */
    char claim[QUEUE_CLAIM + 1]; /* of what is being taken */
    struct strbuf forges;        /* whose deliveries there is room for */
    bool taking, take_again, stopping;
    struct loop_source *timer; /* borrowed; to look again */
};

static void take(struct event_intake *intake);

static struct loop *loop_of(const struct event_intake *intake)
{
    return intake->options.admit.loop;
}

static struct queue *queue_of(const struct event_intake *intake)
{
    return intake->options.admit.queue;
}

static void held_free(struct held *held)
{
    TAILQ_REMOVE(&held->intake->held, held, link);
    held->intake->held_count--;
    held->intake->held_of[held->host]--;
    event_work_free(held->work);
    loop_remove(held->renewal);
    loop_remove(held->again);
    free(held->reason);
    free(held->jobs);
    free(held);
}

/* ---- telling what became of one --------------------------------------------
 */

static void tell(void *arg);

static void on_told(void *arg, const struct err *err)
{
    struct held *held = arg;
    struct event_intake *intake = held->intake;

    if (err && err->kind != ERR_LOST) {
        held->again = loop_add_timer(loop_of(intake),
                                     clock_mono_ms() + AGAIN_MS, tell, held);
        return;
    }
    /* A renewal may be on its way still. */
    queue_forget_calls(queue_of(intake), held);
    held_free(held);
    take(intake);
}

static void tell(void *arg)
{
    static const char *const states[] = {[EVENT_DONE] = "done",
                                         [EVENT_NOTHING] = "ignored",
                                         [EVENT_FAILED] = "failed"};
    struct held *held = arg;
    struct event_intake *intake = held->intake;
    struct queue_settlement settled = {.key = held->key,
                                       .claim = held->claim,
                                       .reason = held->reason,
                                       .jobs = held->jobs,
                                       .keep_ms = intake->options.keep_ms};

    held->again = NULL;
    if (held->outcome == EVENT_LATER) {
        queue_postpone(queue_of(intake), held->key, held->claim, held->delay_ms,
                       held->reason, on_told, held);
        return;
    }
    settled.state = states[held->outcome];
    queue_settle(queue_of(intake), &settled, on_told, held);
}

static int64_t delay_of(const struct held *held, int64_t after_ms)
{
    int64_t delay_ms = BACKOFF_MS;

    for (unsigned i = 1; i < held->attempts && delay_ms < MAX_DELAY_MS; i++)
        delay_ms *= 2;
    if (delay_ms > MAX_DELAY_MS)
        delay_ms = MAX_DELAY_MS;
    return delay_ms > after_ms ? delay_ms : after_ms;
}

static void say(const struct held *held)
{
    if (held->outcome == EVENT_DONE)
        log_info("delivery %.12s: %s%s%s", held->key, held->jobs,
                 *held->jobs && *held->reason ? "; " : "", held->reason);
    else if (held->outcome == EVENT_LATER)
        log_warn("delivery %.12s waits %.3g s: %s", held->key,
                 (double)held->delay_ms / 1000, held->reason);
    else if (held->outcome == EVENT_FAILED)
        log_warn("delivery %.12s failed: %s", held->key, held->reason);
}

static void finish(struct held *held, const struct event_result *result)
{
    held->outcome = result->outcome;
    held->reason = xstrdup(*result->reason || result->outcome != EVENT_LATER
                               ? result->reason
                               : "something is away");
    held->jobs = xstrdup(result->jobs);
    held->delay_ms = delay_of(held, result->after_ms);
    say(held);
    tell(held);
}

static void on_worked(void *arg, const struct event_result *result)
{
    struct held *held = arg;

    finish(held, result);
    event_work_free(STEAL(held->work));
}

/* ---- keeping it ------------------------------------------------------------
 */

static void renew_later(struct held *held);

static void on_renewed(void *arg, const struct err *err)
{
    struct held *held = arg;

    if (!held->work)
        return;
    /* Another has it, as we were too late: both make the same jobs. */
    if (err && err->kind == ERR_LOST)
        log_warn("delivery %.12s was taken by another", held->key);
    else
        renew_later(held);
}

static void renew(void *arg)
{
    struct held *held = arg;
    struct event_intake *intake = held->intake;

    held->renewal = NULL;
    if (held->work)
        queue_postpone(queue_of(intake), held->key, held->claim,
                       intake->options.claim_ms, NULL, on_renewed, held);
}

static void renew_later(struct held *held)
{
    struct event_intake *intake = held->intake;

    held->renewal = loop_add_timer(
        loop_of(intake), clock_mono_ms() + intake->options.claim_ms / 3, renew,
        held);
}

/* The next turn is that of the host after it. */
static size_t host_of(struct event_intake *intake,
                      const struct queue_taken *taken)
{
    size_t count = intake->options.host_count, i = 0;

    while (i + 1 < count &&
           strcmp(forge_name(intake->options.hosts[i].kind), taken->forge) != 0)
        i++;
    intake->turn = (i + 1) % count;
    return i;
}

static void begin(struct event_intake *intake, const struct queue_taken *taken)
{
    static const struct event_result worn = {
        EVENT_FAILED, "it was begun too often without an end", "", 0};
    struct held *held = xcalloc(1, sizeof(*held));

    held->intake = intake;
    held->attempts = taken->attempts;
    memcpy(held->claim, intake->claim, sizeof(held->claim));
    (void)snprintf(held->key, sizeof(held->key), "%s", taken->key);
    TAILQ_INSERT_TAIL(&intake->held, held, link);
    intake->held_count++;
    held->host = host_of(intake, taken);
    intake->held_of[held->host]++;
    if (taken->attempts > EVENT_MAX_ATTEMPTS) {
        finish(held, &worn);
        return;
    }
    held->work = event_work_new(&intake->work, taken, on_worked, held);
    renew_later(held);
}

/* ---- taking ----------------------------------------------------------------
 */

static void on_timer(void *arg)
{
    struct event_intake *intake = arg;

    intake->timer = NULL;
    take(intake);
}

static void take_in(struct event_intake *intake, int64_t delay_ms)
{
    if (intake->stopping)
        return;
    loop_remove(intake->timer);
    intake->timer = loop_add_timer(loop_of(intake), clock_mono_ms() + delay_ms,
                                   on_timer, intake);
}

static void on_given_back(void *arg UNUSED, const struct err *err UNUSED)
{
}

static void give_back(struct event_intake *intake, const char *key,
                      const char *claim)
{
    queue_postpone(queue_of(intake), key, claim, 0, "its scheduler ended",
                   on_given_back, NULL);
}

static void on_taken(void *arg, const struct queue_taken *taken, int64_t in_ms,
                     const struct err *err)
{
    struct event_intake *intake = arg;
    bool again = intake->take_again;

    intake->taking = intake->take_again = false;
    if (intake->stopping) {
        if (taken)
            give_back(intake, taken->key, intake->claim);
        return;
    }
    if (taken)
        begin(intake, taken);
    if (taken || (again && !err))
        take(intake);
    else
        take_in(intake,
                !err && in_ms >= 0 && in_ms < POLL_MS ? in_ms + 1 : POLL_MS);
}

/*
 * Whose deliveries are wanted now, in turns. A host whose deliveries take long
 * leaves each of the others, which has none here, room for one.
 */
static void list_forges(struct event_intake *intake)
{
    size_t count = intake->options.host_count, idle = 0;

    for (size_t i = 0; i < count; i++)
        idle += !intake->held_of[i];
    strbuf_cut(&intake->forges, 0);
    for (size_t k = 0; k < count; k++) {
        size_t i = (intake->turn + k) % count;

        if (!intake->held_of[i] || intake->held_count + idle < EVENT_MAX_HELD)
            strbuf_addf(&intake->forges, "%s ",
                        forge_name(intake->options.hosts[i].kind));
    }
}

static void take(struct event_intake *intake)
{
    struct queue_attendant who = {
        .scheduler = intake->options.scheduler,
        .claim = intake->claim,
        .lifetime_ms = intake->options.claim_ms,
    };

    if (intake->taking) {
        intake->take_again = true;
        return;
    }
    if (intake->stopping || intake->held_count == EVENT_MAX_HELD ||
        !intake->options.host_count)
        return;
    loop_remove(STEAL(intake->timer));
    intake->taking = true;
    state_random_hex(intake->claim, QUEUE_CLAIM);
    list_forges(intake);
    who.forges = intake->forges.data;
    queue_attend(queue_of(intake), &who, on_taken, intake);
}

/* ---- life ------------------------------------------------------------------
 */

struct event_intake *
event_intake_new(const struct event_intake_options *options)
{
    struct event_intake *intake = xcalloc(1, sizeof(*intake));

    intake->options = *options;
    if (!intake->options.claim_ms)
        intake->options.claim_ms = EVENT_CLAIM_MS;
    /* Who is away is asked again with the whole delivery. */
    intake->options.admit.retries = 0;
    intake->work = (struct event_work_options){
        .admit = &intake->options.admit,
        .offset_ms = options->offset_ms,
        .hosts = options->hosts,
        .host_count = options->host_count,
        .triggers = options->triggers,
        .patience_ms =
            options->patience_ms ? options->patience_ms : EVENT_PATIENCE_MS,
    };
    intake->forges = (struct strbuf)STRBUF_INIT;
    intake->held_of =
        xcalloc(options->host_count + 1, sizeof(*intake->held_of));
    TAILQ_INIT(&intake->held);
    take(intake);
    return intake;
}

void event_intake_configure(struct event_intake *intake,
                            const struct trigger_list *triggers,
                            int64_t keep_ms)
{
    intake->work.triggers = triggers;
    intake->options.keep_ms = keep_ms;
}

void event_intake_wake(struct event_intake *intake)
{
    take(intake);
}

void event_intake_stop(struct event_intake *intake)
{
    struct held *held, *next;

    intake->stopping = true;
    loop_remove(STEAL(intake->timer));
    for (held = TAILQ_FIRST(&intake->held); held; held = next) {
        next = TAILQ_NEXT(held, link);
        /* Of those that are over Redis is being told. */
        if (held->work)
            give_back(intake, held->key, held->claim);
    }
}

void event_intake_free(struct event_intake *intake)
{
    struct held *held;

    if (!intake)
        return;
    while ((held = TAILQ_FIRST(&intake->held)))
        held_free(held);
    loop_remove(intake->timer);
    strbuf_clear(&intake->forges);
    free(intake->held_of);
    free(intake);
}
