/* scheduler/intake/event_pick.c - which pipelines run for an event. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/intake/event_work_impl.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "pipelines/diag.h"
#include "scheduler/forge/git_name.h"

#include <stdlib.h>
#include <string.h>

#define PIPELINES ".berth/*.yml"

static const char *string_at(const json_t *array, size_t i)
{
    const char *text = json_string_value(json_array_get(array, i));

    return text ? text : "";
}

/* ---- what the repository says ----------------------------------------------
 */

static const char *base_of(const struct event *e)
{
    return *e->base.ref ? e->base.ref : e->repo.default_branch;
}

/* So that nobody reads for a second time what is in .berth/. */
static void know(struct event_work *w, const struct repo_file_result *result)
{
    const struct event *e = w->event;

    w->read_at = xstrdup(result->commit);
    w->known = (struct admit_known){.repo = e->repo.clone_url,
                                    .commit = w->fork ? NULL : e->head.sha,
                                    .branch = w->fork ? base_of(e) : NULL,
                                    .found = w->read_at,
                                    .paths = &w->paths_read,
                                    .texts = &w->texts,
                                    .all = !result->more};
}

static void on_files(void *arg, const struct repo_file_result *result,
                     const struct err *err)
{
    struct event_work *w = arg;

    w->asked.answered = true;
    repo_reading_free(STEAL(w->reader));
    if (err)
        w->asked.err = *err;
    else
        know(w, result);
    for (size_t i = 0; result && i < result->count; i++) {
        const struct repo_file_content *file = &result->files[i];

        if (file->data) {
            char *text = xstrndup(file->data, file->len);

            strv_add(&w->paths_read, file->path);
            strv_add(&w->texts, text);
            free(text);
        } else if (strcmp(file->why, REPO_FILE_MISSING) != 0) {
            const char *path = file->path ? file->path : PIPELINES;
            CLEANUP(mem) char *name = event_pipeline_name(path);
            CLEANUP(mem) char *why = xasprintf("%s %s", path, file->why);

            event_work_invalid(w, name, why);
            w->known.all = false;
        }
    }
    event_work_step(w);
}

static int read_files(struct event_work *w, struct err *err)
{
    static const char *const paths[] = {PIPELINES};
    const struct admit_options *admit = w->options->admit;
    const struct event *e = w->event;
    const char *base = base_of(e);
    const struct repo_file_request request = {
        .repo = e->repo.clone_url,
        .commit = w->fork ? NULL : e->head.sha,
        .branch = w->fork ? base : NULL,
        .paths = paths,
        .path_count = ARRAY_LEN(paths),
        .username = w->username,
        .password = w->password,
        .state_dir = admit->state_dir,
        .uid = admit->uid,
        .timeout_ms = admit->read_timeout_ms,
    };

    if (w->fork && !*base)
        return err_set(err, ERR_USER,
                       "the branch that the change goes into is not known");
    w->reader = repo_reader_get(admit->reader, &request, on_files, w);
    return 0;
}

enum event_next event_stage_read_files(struct event_work *w)
{
    struct event_asked *asked = &w->asked;

    if ((!w->wants_triggers && !w->explicit.count) || w->files_read)
        return EVENT_GO_ON;
    if (!asked->waiting) {
        event_asked_clear(asked);
        asked->waiting = true;
        if (read_files(w, &asked->err) == 0)
            return EVENT_WAIT;
        asked->answered = true;
    }
    if (!asked->answered)
        return EVENT_WAIT;
    if (asked->err.kind == ERR_TRANSIENT || asked->err.kind == ERR_TIMEOUT)
        return event_work_away(w, 0, asked->err.msg);
    if (asked->err.kind)
        return event_work_end(w, EVENT_FAILED, "%s", asked->err.msg);
    event_asked_clear(asked);
    w->files_read = true;
    return EVENT_GO_ON;
}

/* ---- which fit -------------------------------------------------------------
 */

/* What choosing found out; it may be done twice. */
struct choice {
    struct strv pipelines;
    bool needs_paths; /* to go on */
    bool has_on;      /* a pipeline of the repository says when it runs */
};

static void add_pipeline(struct event_work *w, struct strv *list,
                         const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (!strcmp(list->items[i], name))
            return;
    if (list->count == EVENT_MAX_PIPELINES) {
        event_work_fault(w, "more than %d pipelines; %s is left out",
                         EVENT_MAX_PIPELINES, name);
        return;
    }
    strv_add(list, name);
}

/* Files that nobody can tell: rather a job too many than one too few. */
static bool fits(struct event_work *w, const struct trigger *trigger,
                 struct choice *choice)
{
    const struct event_words *paths = NULL;
    const char *why = NULL;

    if (w->event->paths_known && w->as == w->event->kind)
        paths = &w->event->paths;
    else if (w->has_paths)
        paths = &w->paths;
    switch (event_fits(w->event, w->as, w->fork, paths, trigger, &why)) {
    case TRIGGER_YES:
        return true;
    case TRIGGER_NEEDS_PATHS:
        choice->needs_paths = true;
        return w->looked_for_paths;
    default:
        /* What was nearest to it says most. */
        if (!w->why || event_concerns(w->as, trigger))
            w->why = why;
        return false;
    }
}

static void choose_of_list(struct event_work *w,
                           const struct trigger_list *list,
                           struct choice *choice)
{
    for (size_t i = 0; list && i < list->count; i++) {
        const struct strv *names = &list->items[i].pipelines;

        if (!fits(w, &list->items[i], choice))
            continue;
        for (size_t k = 0; k < names->count; k++)
            add_pipeline(w, &choice->pipelines, names->items[k]);
    }
}

static void choose_of_file(struct event_work *w, size_t at,
                           struct choice *choice)
{
    CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
    CLEANUP(trigger_list) struct trigger_list *list = NULL;
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    const char *path = w->paths_read.items[at];
    CLEANUP(mem) char *name = event_pipeline_name(path);

    if (trigger_list_of_text(path, w->texts.items[at],
                             strlen(w->texts.items[at]), diags, &list) < 0) {
        choice->has_on = true;
        diag_list_render(diags, &text);
        event_work_invalid(w, name, text.data);
        return;
    }
    choice->has_on |= list->count > 0;
    for (size_t i = 0; i < list->count; i++)
        if (fits(w, &list->items[i], choice)) {
            add_pipeline(w, &choice->pipelines, name);
            return;
        }
}

static void choose(struct event_work *w, struct choice *choice)
{
    const struct trigger_list *own = w->options->triggers;

    choose_of_list(w, own, choice);
    for (size_t i = 0; i < w->texts.count; i++)
        choose_of_file(w, i, choice);
    if ((!own || !own->count) && !choice->has_on)
        choose_of_list(w, trigger_defaults(), choice);
}

/* ---- which files a change is about -----------------------------------------
 */

static void take_paths(struct event_work *w, const json_t *list)
{
    size_t count = json_array_size(list);

    if (count > EVENT_MAX_PATHS)
        return;
    w->paths.items =
        arena_alloc(w->event->arena, (count + 1) * sizeof(*w->paths.items));
    for (size_t i = 0; i < count; i++) {
        const char *path = string_at(list, i);

        if (git_is_path(path))
            w->paths.items[w->paths.count++] =
                arena_strndup(w->event->arena, path, strlen(path));
    }
    w->has_paths = true;
}

static enum event_next find_paths(struct event_work *w)
{
    enum event_next next;

    if (w->event->change <= 0) {
        w->looked_for_paths = true;
        return EVENT_GO_ON;
    }
    next = event_work_ask(
        w, FORGE_OP_PATHS,
        json_pack("{s:I}", "number", (json_int_t)w->event->change));
    if (next != EVENT_GO_ON)
        return next;
    if ((w->asked.error == FORGE_AWAY || w->asked.error == FORGE_PAUSED) &&
        !w->is_late)
        return event_work_away(w, w->asked.after_ms, w->asked.err.msg);
    if (w->asked.error == FORGE_OK &&
        json_is_true(json_object_get(w->asked.body, "complete")))
        take_paths(w, json_object_get(w->asked.body, "paths"));
    w->looked_for_paths = true;
    event_asked_clear(&w->asked);
    return EVENT_GO_ON;
}

enum event_next event_stage_choose(struct event_work *w)
{
    struct choice choice = {.needs_paths = false};
    size_t faults = w->faults.len;
    enum event_next next = EVENT_GO_ON;

    for (size_t i = 0; i < w->explicit.count; i++)
        add_pipeline(w, &w->pipelines, w->explicit.items[i]);
    if (!w->wants_triggers)
        return EVENT_GO_ON;
    if (!w->asked.waiting)
        choose(w, &choice);
    if (w->asked.waiting || (choice.needs_paths && !w->looked_for_paths)) {
        strbuf_cut(&w->faults, faults);
        strv_clear(&choice.pipelines);
        next = find_paths(w);
        if (next != EVENT_GO_ON)
            return next;
        choose(w, &choice);
    }
    for (size_t i = 0; i < choice.pipelines.count; i++)
        add_pipeline(w, &w->pipelines, choice.pipelines.items[i]);
    strv_clear(&choice.pipelines);
    return EVENT_GO_ON;
}

/* ---- their jobs ------------------------------------------------------------
 */

static void take_answers(struct event_work *w,
                         const struct admit_outcome *outcome)
{
    for (size_t i = 0; i < outcome->count; i++)
        strbuf_addf(&w->made, "%s%s", w->made.len ? " " : "",
                    outcome->answers[i].id);
}

static void on_admitted(void *arg, const struct admit_outcome *outcome)
{
    struct event_work *w = arg;

    w->asked.answered = true;
    w->is_overtaken =
        outcome->count && outcome->answers[0].what == QUEUE_OVERTAKEN;
    if (!w->is_overtaken)
        take_answers(w, outcome);
    if (outcome->err.kind == ERR_TRANSIENT ||
        outcome->err.kind == ERR_TIMEOUT) {
        w->asked.err = outcome->err;
    } else if (!outcome->count && outcome->complaint) {
        event_work_invalid(w, w->pipelines.items[w->pipeline - 1],
                           outcome->complaint);
    } else if (!outcome->count) {
        event_work_fault(w, "%s", outcome->err.msg);
    }
    admission_free(STEAL(w->admission));
    event_work_step(w);
}

static void begin(struct event_work *w, size_t at)
{
    const char *pipeline = w->pipelines.items[at];
    CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
    CLEANUP(strbuf) struct strbuf complaint = STRBUF_INIT;
    const struct event_job job = {.event = w->event,
                                  .pipeline = pipeline,
                                  .key = w->key,
                                  .replays = w->replays,
                                  .fork = w->fork,
                                  .is_old = w->is_old,
                                  .previous = json_array_get(w->previous, at)};
    CLEANUP(mem) char *text = event_job_document(&job);
    CLEANUP(mem) char *file = xasprintf("pipeline %s", pipeline);
    struct job_batch *batch = NULL;
    struct admit_request request = {
        .file = file,
        .text = text,
        .len = strlen(text),
        .username = w->username,
        .password = w->password,
        .known = w->read_at ? &w->known : NULL,
        .now_ms = clock_wall_ms() + *w->options->offset_ms,
    };

    if (job_load(file, text, request.len, diags, &batch) < 0) {
        diag_list_render(diags, &complaint);
        event_work_fault(w, "%.*s", (int)strcspn(complaint.data, "\n"),
                         complaint.data);
        w->asked.answered = true;
        event_work_step(w);
        return;
    }
    batch->items[0].concurrency_yields = true;
    batch->items[0].as_of_ms = w->as_of_ms;
    request.batch = batch;
    w->admission = admit(w->options->admit, &request, on_admitted, w);
}

enum event_next event_stage_make(struct event_work *w)
{
    struct event_asked *asked = &w->asked;

    if (asked->waiting && !asked->answered)
        return EVENT_WAIT;
    if (asked->err.kind)
        return event_work_away(w, 0, asked->err.msg);
    if (w->is_overtaken)
        return event_work_overtaken(w, "the change has other commits by now");
    event_asked_clear(asked);
    if (w->pipeline == w->pipelines.count)
        return EVENT_GO_ON;
    asked->waiting = true;
    begin(w, w->pipeline++);
    return EVENT_WAIT;
}
