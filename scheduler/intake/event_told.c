/* scheduler/intake/event_told.c - what the host says last, and is told. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/intake/event_work_impl.h"

#include "base/json_texts.h"
#include "base/utf8.h"
#include "scheduler/queue/report.h"

#include <stdlib.h>
#include <string.h>

#define LAG_MS      5000 /* a host's API may be behind its own deliveries */
#define MAX_MESSAGE 2000 /* bytes: a result's has room for 2048 characters */

/* ---- whether it is the change's commit still -------------------------------
 */

enum event_next event_work_overtaken(struct event_work *w, const char *why)
{
    return w->is_repeat && w->event->kind != EVENT_COMMAND
               ? event_work_end(w, EVENT_NOTHING, "%s", why)
               : event_work_away(w, LAG_MS, why);
}

/* A check that is run again is of its own commit, whatever came since. */
static bool is_of_head(const struct event_work *w)
{
    return event_runs(w->event->kind) || w->event->kind == EVENT_COMMAND ||
           w->approved;
}

static enum event_next take_head(struct event_work *w)
{
    const json_t *body = w->asked.body;
    const char *sha = json_text_at(json_object_get(body, "head"), "sha");

    if (strcmp(json_text_at(body, "state"), "open") != 0)
        return event_work_overtaken(w, "the change is not open by now");
    w->is_old = strcmp(sha, w->event->head.sha) != 0;
    if (w->is_old && is_of_head(w))
        return event_work_overtaken(w, "the change has other commits by now");
    if (!w->is_old)
        w->as_of_ms = w->now_ms;
    return EVENT_GO_ON;
}

/*
 * Deliveries are dealt with in no order, and some take long: jobs of an older
 * commit would end those of a younger one. So the host is asked as late as can
 * be. If it does not answer, the delivery is believed.
 *
 * What comes between its answer and the jobs is not seen here. But who has a
 * younger commit took its delivery after that answer, so later than we took
 * ours: with that moment the queue knows which of two is older.
 */
enum event_next event_stage_head(struct event_work *w)
{
    const struct event *e = w->event;
    enum event_next next;

    if (e->change <= 0 || !w->host->forge || !w->pipelines.count)
        return EVENT_GO_ON;
    next = event_work_ask(w, FORGE_OP_CHANGE,
                          json_pack("{s:I}", "number", (json_int_t)e->change));
    if (next != EVENT_GO_ON)
        return next;
    if (w->asked.error == FORGE_OK && take_head(w) == EVENT_OVER)
        return EVENT_OVER;
    event_asked_clear(&w->asked);
    return EVENT_GO_ON;
}

/* ---- pipelines that are wrong ----------------------------------------------
 */

/* Without the excerpts, for which a host has no room; owned by the caller. */
static char *places_of(const char *why)
{
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;

    while (*why) {
        size_t len = strcspn(why, "\n");

        if (len && *why != ' ')
            strbuf_addf(&out, "%s%.*s", out.len ? "\n" : "", (int)len, why);
        why += len + (why[len] != '\0');
    }
    strbuf_cut(&out, utf8_fit(out.data, out.len, MAX_MESSAGE));
    return strbuf_take(&out);
}

void event_work_invalid(struct event_work *w, const char *pipeline,
                        const char *why)
{
    struct event_invalid *invalid = &w->invalid;
    CLEANUP(mem) char *places = places_of(why);

    event_work_fault(w, "%.*s", (int)strcspn(why, "\n"), why);
    for (size_t i = 0; i < invalid->pipelines.count; i++)
        if (!strcmp(invalid->pipelines.items[i], pipeline))
            return;
    strv_add(&invalid->pipelines, pipeline);
    strv_add(&invalid->texts, places);
}

static char *about_of(const struct event *e, const char *pipeline)
{
    json_t *about =
        json_pack("{s:s, s:s, s:s, s:s, s:s}", "repo", e->repo.clone_url,
                  "repo_name", e->repo.full_name, "commit", e->head.sha,
                  "pipeline", pipeline, "name", pipeline);
    char *text = json_dumps(about, JSON_COMPACT);

    json_decref(about);
    return text;
}

/* Whatever tells of the commit: a push and a change tell of the same fault. */
static char *id_of(const struct event_work *w, const char *pipeline,
                   const char *why)
{
    const struct event *e = w->event;
    CLEANUP(mem)
    char *whole =
        xasprintf("invalid\n%s\n%s\n%s\n%d\n%s\n%s", w->forge,
                  e->repo.full_name, e->head.sha, (int)w->fork, pipeline, why);

    return event_id_from(pipeline, whole);
}

static void on_kept(void *arg, const struct err *err)
{
    struct event_work *w = arg;

    w->asked.answered = true;
    if (err)
        w->asked.err = *err;
    event_work_step(w);
}

static void tell(struct event_work *w, const char *pipeline, const char *why)
{
    const struct event_job job = {.event = w->event,
                                  .pipeline = pipeline,
                                  .fork = w->fork,
                                  .is_old = w->is_old};
    json_t *object = event_job_report(&job);
    CLEANUP(mem) char *report = json_dumps(object, JSON_COMPACT);
    CLEANUP(mem) char *about = about_of(w->event, pipeline);
    CLEANUP(mem) char *id = id_of(w, pipeline, why);
    const struct queue_invalid invalid = {.id = id,
                                          .repo = w->event->repo.clone_url,
                                          .pipeline = pipeline,
                                          .report = report,
                                          .about = about ? about : "{}",
                                          .message = why};

    json_decref(object);
    queue_report_invalid(w->options->admit->queue, &invalid, on_kept, w);
}

enum event_next event_stage_invalid(struct event_work *w)
{
    struct event_invalid *invalid = &w->invalid;
    struct event_asked *asked = &w->asked;
    size_t at = invalid->told;

    if (asked->waiting && !asked->answered)
        return EVENT_WAIT;
    if (asked->err.kind)
        return event_work_away(w, 0, asked->err.msg);
    event_asked_clear(asked);
    if (at == invalid->pipelines.count || !*w->event->head.sha)
        return EVENT_GO_ON;
    invalid->told++;
    asked->waiting = true;
    tell(w, invalid->pipelines.items[at], invalid->texts.items[at]);
    return EVENT_WAIT;
}
