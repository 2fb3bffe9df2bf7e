/* scheduler/intake/event_again.c - jobs that are there, ended or run again. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/intake/event_work_impl.h"

#include "base/arena.h"
#include "base/json_texts.h"
#include "scheduler/forge/git_name.h"
#include "scheduler/queue/inspect.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *keep(struct event_work *w, const char *text)
{
    return arena_strndup(w->event->arena, text, strlen(text));
}

/* ---- those that are meant ---------------------------------------------------
 */

static bool is_meant(const struct event_work *w,
                     const struct queue_change_job *job)
{
    if (w->wants_none || w->event->kind == EVENT_RERUN)
        return !strcmp(job->commit, w->event->head.sha);
    if (w->wants_cancel)
        return !queue_has_ended(job->state);
    return !strcmp(job->state, "failed") &&
           !strcmp(job->commit, w->event->head.sha);
}

static void on_jobs(void *arg, const struct queue_change_job *jobs,
                    size_t count, const struct err *err)
{
    struct event_work *w = arg;

    w->asked.answered = true;
    if (err)
        w->asked.err = *err;
    for (size_t i = 0; !err && i < count; i++) {
        w->jobs.known |= !strcmp(jobs[i].commit, w->event->head.sha);
        if (is_meant(w, &jobs[i]))
            strv_add(&w->jobs.ids, jobs[i].id);
    }
    event_work_step(w);
}

/* ---- the jobs of checks that are to be run again ---------------------------
 */

/* All of a suite are of one. */
static bool is_of_target(const struct event *e, int64_t change, const char *ref)
{
    return change ? change == e->change
                  : !e->change && !strcmp(ref, e->head.ref);
}

static int64_t change_of(const json_t *report)
{
    json_int_t change = json_integer_value(json_object_get(report, "change"));

    return change ? change
                  : json_integer_value(json_object_get(report, "former"));
}

/*
 * What the job was for, a change or a push to a ref. A host may know of another
 * change with that commit, or of none. -1: it cannot be told.
 */
static int take_target(struct event_work *w, const json_t *report)
{
    static const struct event_end no_end = {.ref = "", .sha = "", .repo = ""};
    struct event *e = w->event;
    json_int_t change = change_of(report);
    const char *branch = json_text_at(report, "branch");
    const char *ref = *branch ? branch : json_text_at(report, "ref");

    if (w->jobs.did || !w->jobs.of_any)
        return is_of_target(e, change, ref) ? 0 : -1;
    if (!change && !json_is_false(json_object_get(report, "fork")))
        return -1;
    if (change != e->change) {
        e->base = no_end;
        e->fork = EVENT_FORK_UNKNOWN;
    }
    e->change = change;
    if (change)
        return 0;
    if (*ref && git_is_ref(ref))
        e->head.ref = keep(w, ref);
    e->fork = EVENT_FORK_NO;
    return 0;
}

/* What is ours, of this very commit: its pipeline, and what it was for. */
static bool take_report(struct event_work *w, const json_t *report)
{
    const struct event *e = w->event;
    const char *name = json_text_at(report, "name");

    if (strcmp(json_text_at(report, "forge"), w->forge) != 0 ||
        strcmp(json_text_at(report, "repo"), e->repo.full_name) != 0 ||
        strcmp(json_text_at(report, "commit"), e->head.sha) != 0 || !*name ||
        take_target(w, report) < 0)
        return false;
    /* A commit is approved for all that is to run for it. */
    if (!w->approved) {
        for (size_t i = 0; i < w->explicit.count; i++)
            if (!strcmp(w->explicit.items[i], name))
                return true;
        strv_add(&w->explicit, name);
        w->wants_triggers = false;
    }
    return true;
}

static void on_report(void *arg, const char *const *words, size_t count,
                      const struct err *err)
{
    struct event_work *w = arg;

    w->asked.answered = true;
    if (err)
        w->asked.err = *err;
    else if (count)
        w->asked.body = json_loads(words[0], 0, NULL);
    event_work_step(w);
}

/* Which they are: that of the check, or those of a suite's commit. */
static enum event_next list_checked(struct event_work *w)
{
    const struct queue_change commit = {w->forge, w->event->repo.full_name,
                                        w->event->head.sha};
    struct event_asked *asked = &w->asked;

    if (w->job || w->event->kind != EVENT_RERUN) {
        if (w->job && queue_check_id(w->job, NULL) == 0)
            strv_add(&w->jobs.ids, w->job);
        w->jobs.of_any = w->jobs.read = true;
        return EVENT_GO_ON;
    }
    if (!asked->waiting) {
        event_asked_clear(asked);
        asked->waiting = true;
        queue_change_jobs(w->options->admit->queue, &commit, on_jobs, w);
    }
    if (!asked->answered)
        return EVENT_WAIT;
    if (asked->err.kind)
        return event_work_away(w, 0, asked->err.msg);
    event_asked_clear(asked);
    w->jobs.of_any = w->event->change <= 0;
    w->jobs.read = true;
    return EVENT_GO_ON;
}

static enum event_next read_reports(struct event_work *w)
{
    struct event_asked *asked = &w->asked;

    while (w->jobs.next < w->jobs.ids.count) {
        if (!asked->waiting) {
            event_asked_clear(asked);
            asked->waiting = true;
            queue_job_report(w->options->admit->queue,
                             w->jobs.ids.items[w->jobs.next], on_report, w);
        }
        if (!asked->answered)
            return EVENT_WAIT;
        if (asked->err.kind)
            return event_work_away(w, 0, asked->err.msg);
        w->jobs.did += take_report(w, asked->body);
        event_asked_clear(asked);
        w->jobs.next++;
    }
    return EVENT_GO_ON;
}

/*
 * A suite is run again for the change that the host tells of, if jobs were
 * made for that, else for what the youngest job of its commit was for: of a
 * push and of a fork's commit it tells no change. Without jobs, for the change,
 * as if it had come now.
 */
enum event_next event_stage_find_job(struct event_work *w)
{
    enum event_next next = EVENT_GO_ON;

    if (w->event->kind != EVENT_RERUN && w->event->kind != EVENT_ACTION)
        return EVENT_GO_ON;
    if (!w->jobs.read)
        next = list_checked(w);
    if (next == EVENT_GO_ON)
        next = read_reports(w);
    if (next == EVENT_GO_ON && !w->jobs.did && !w->jobs.of_any) {
        w->jobs.of_any = true;
        w->jobs.next = 0;
        next = read_reports(w);
    }
    if (next != EVENT_GO_ON)
        return next;
    if (!w->jobs.did && w->event->change <= 0)
        return event_work_end(w, EVENT_NOTHING,
                              "neither a change nor a job of ours is known "
                              "that the commit is of");
    w->jobs.did = 0;
    return EVENT_GO_ON;
}

/* ---- those of a change -----------------------------------------------------
 */

enum event_next event_stage_list_jobs(struct event_work *w)
{
    CLEANUP(mem) char *number = xasprintf("%" PRId64, w->event->change);
    const struct queue_change change = {w->forge, w->event->repo.full_name,
                                        number};
    struct event_asked *asked = &w->asked;

    if (!w->wants_cancel && !w->wants_retry && !w->wants_none)
        return EVENT_GO_ON;
    if (!asked->waiting) {
        event_asked_clear(asked);
        asked->waiting = true;
        queue_change_jobs(w->options->admit->queue, &change, on_jobs, w);
    }
    if (!asked->answered)
        return EVENT_WAIT;
    if (asked->err.kind)
        return event_work_away(w, 0, asked->err.msg);
    event_asked_clear(asked);
    if (w->wants_none && w->jobs.ids.count)
        return event_work_end(w, EVENT_NOTHING, "its event came after all");
    return EVENT_GO_ON;
}

static void on_did(void *arg, bool did, const struct err *err)
{
    struct event_work *w = arg;

    w->asked.answered = true;
    w->jobs.did += did;
    if (err)
        w->asked.err = *err;
    event_work_step(w);
}

enum event_next event_stage_each_job(struct event_work *w)
{
    struct event_asked *asked = &w->asked;
    struct queue *queue = w->options->admit->queue;
    const char *id;

    if (asked->waiting && !asked->answered)
        return EVENT_WAIT;
    if (asked->err.kind)
        return event_work_away(w, 0, asked->err.msg);
    event_asked_clear(asked);
    if (w->jobs.next == w->jobs.ids.count)
        return EVENT_GO_ON;
    id = w->jobs.ids.items[w->jobs.next++];
    asked->waiting = true;
    if (w->wants_cancel)
        queue_cancel_async(queue, id, "cancelled", on_did, w);
    else
        queue_retry_async(queue, id, on_did, w);
    return EVENT_WAIT;
}
