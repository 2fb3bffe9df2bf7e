/* scheduler/intake/cron.c - documents that a clock puts into the inbox. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/intake/cron.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define CHECK_MS 60000 /* clocks jump */
#define AGAIN_MS 2000  /* after a failure */
#define LATE_MS  60000 /* so late is not missed */
#define MAX_DUE  16    /* documents put in at once */
#define MAX_STEM 18    /* of a name in an id */
#define MINUTE   60000

struct entry {
    TAILQ_ENTRY(entry) link;
    struct intake_cron *cron;        /* borrowed */
    const struct schedule *schedule; /* borrowed; NULL: replaced */
    int64_t last_ms;                 /* dealt with; -1: none yet */
    bool known;                      /* last_ms was read */
    bool busy;                       /* Redis was asked */
    int64_t next_last_ms;            /* once it fired */
};

struct intake_cron {
    struct loop *loop; /* borrowed, as the next two */
    struct queue *queue;
    const int64_t *offset_ms;
    TAILQ_HEAD(, entry) entries; /* owned */
    struct loop_source *timer;   /* borrowed */
    int64_t timer_ms;            /* when it is due, monotonic */
};

static void work(struct entry *entry);

static int64_t now_of(const struct intake_cron *cron)
{
    return clock_wall_ms() + *cron->offset_ms;
}

static void entry_free(struct entry *entry)
{
    TAILQ_REMOVE(&entry->cron->entries, entry, link);
    free(entry);
}

/* ---- the documents ---------------------------------------------------------
 */

static uint32_t hash_of(const char *name)
{
    uint32_t hash = UINT32_C(2166136261); /* FNV-1a */

    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * UINT32_C(16777619);
    return hash;
}

char *intake_cron_document(const struct schedule *schedule, int64_t due_ms)
{
    json_t *json = job_to_json(&schedule->job->items[0]);
    const char *name = schedule->name;
    CLEANUP(mem)
    char *stem = strlen(name) <= MAX_STEM
                     ? xstrdup(name)
                     : xasprintf("%.9s-%08" PRIx32, name, hash_of(name));
    CLEANUP(mem)
    char *id = xasprintf("cron-%s-%" PRId64, stem, due_ms / MINUTE);
    char *text;

    json_object_set_new(json, "id", json_string(id));
    text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    return text;
}

/* ---- the timer -------------------------------------------------------------
 */

static void on_timer(void *arg)
{
    struct intake_cron *cron = arg;
    struct entry *entry, *next;

    cron->timer = NULL;
    for (entry = TAILQ_FIRST(&cron->entries); entry; entry = next) {
        next = TAILQ_NEXT(entry, link);
        if (!entry->busy)
            work(entry);
    }
}

static void wake_in(struct intake_cron *cron, int64_t delay_ms)
{
    int64_t at_ms = clock_mono_ms() + delay_ms;

    if (cron->timer && cron->timer_ms <= at_ms)
        return;
    loop_remove(cron->timer);
    cron->timer_ms = at_ms;
    cron->timer = loop_add_timer(cron->loop, at_ms, on_timer, cron);
}

static int64_t jitter_of(const struct schedule *schedule)
{
    return cron_jitter_ms(schedule->name, schedule->jitter_ms);
}

static void wait_for(struct entry *entry)
{
    const struct schedule *s = entry->schedule;
    int64_t due_ms, delay_ms = CHECK_MS;

    if (cron_next(&s->cron, s->zone, entry->last_ms, &due_ms))
        delay_ms = due_ms + jitter_of(s) - now_of(entry->cron);
    if (delay_ms > CHECK_MS)
        delay_ms = CHECK_MS;
    wake_in(entry->cron, delay_ms > 0 ? delay_ms : 0);
}

/* ---- one schedule ----------------------------------------------------------
 */

static void on_fired(void *arg, bool fired, const struct err *err)
{
    struct entry *entry = arg;

    entry->busy = false;
    if (!entry->schedule) {
        entry_free(entry);
        return;
    }
    entry->known = fired;
    if (fired)
        entry->last_ms = entry->next_last_ms;
    if (err)
        wake_in(entry->cron, AGAIN_MS);
    else
        work(entry);
}

static void fire(struct entry *entry, int64_t last_ms, const int64_t *due_ms,
                 size_t count)
{
    const char *documents[MAX_DUE];
    CLEANUP(strv) struct strv texts = {0};

    for (size_t i = 0; i < count; i++) {
        CLEANUP(mem)
        char *text = intake_cron_document(entry->schedule, due_ms[i]);

        strv_add(&texts, text);
        documents[i] = texts.items[i];
    }
    entry->busy = true;
    entry->next_last_ms = last_ms;
    queue_fire(entry->cron->queue, entry->schedule->name, entry->last_ms,
               last_ms, documents, count, on_fired, entry);
}

static void check(struct entry *entry)
{
    const struct schedule *s = entry->schedule;
    int64_t now_ms = now_of(entry->cron), last_ms;
    int64_t due_ms[MAX_DUE];
    const struct cron_missed missed = {.catch_up = s->catch_up,
                                       .last_ms = entry->last_ms,
                                       .now_ms = now_ms - jitter_of(s),
                                       .late_ms = LATE_MS};
    size_t count;

    if (entry->last_ms < 0) {
        fire(entry, now_ms, NULL, 0);
        return;
    }
    count = cron_due(&s->cron, s->zone, &missed, due_ms, MAX_DUE, &last_ms);
    if (count || last_ms != entry->last_ms)
        fire(entry, last_ms, due_ms, count);
    else
        wait_for(entry);
}

static void on_last(void *arg, int64_t last_ms, const struct err *err)
{
    struct entry *entry = arg;

    entry->busy = false;
    if (!entry->schedule) {
        entry_free(entry);
        return;
    }
    entry->known = !err;
    entry->last_ms = last_ms;
    if (err)
        wake_in(entry->cron, AGAIN_MS);
    else
        check(entry);
}

static void work(struct entry *entry)
{
    if (entry->known) {
        check(entry);
        return;
    }
    entry->busy = true;
    queue_cron_last(entry->cron->queue, entry->schedule->name, on_last, entry);
}

/* ---- all of them -----------------------------------------------------------
 */

struct intake_cron *intake_cron_new(struct loop *loop, struct queue *queue,
                                    const int64_t *offset_ms)
{
    struct intake_cron *cron = xcalloc(1, sizeof(*cron));

    cron->loop = loop;
    cron->queue = queue;
    cron->offset_ms = offset_ms;
    TAILQ_INIT(&cron->entries);
    return cron;
}

void intake_cron_set(struct intake_cron *cron,
                     const struct schedule_list *schedules)
{
    struct entry *entry, *next;

    for (entry = TAILQ_FIRST(&cron->entries); entry; entry = next) {
        next = TAILQ_NEXT(entry, link);
        entry->schedule = NULL;
        if (!entry->busy)
            entry_free(entry);
    }
    for (size_t i = 0; i < schedules->count; i++) {
        entry = xcalloc(1, sizeof(*entry));
        entry->cron = cron;
        entry->schedule = &schedules->items[i];
        TAILQ_INSERT_TAIL(&cron->entries, entry, link);
        work(entry);
    }
}

void intake_cron_free(struct intake_cron *cron)
{
    struct entry *entry;

    if (!cron)
        return;
    loop_remove(cron->timer);
    while ((entry = TAILQ_FIRST(&cron->entries)))
        entry_free(entry);
    free(cron);
}
