/* scheduler/intake/event_work.c - what is done for one delivery. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/intake/event_work_impl.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define MAX_REASON ((size_t)4 << 10)
#define FOUND_MS   10000 /* what is found may be under way */
#define CLOSED_MS  15000 /* so may be the jobs of what was closed at once */

static const char no_answer[] = "the host cannot be asked";

/* ---- how it ends -----------------------------------------------------------
 */

/* Whole characters, as far as there is room: it is text, and in JSON. */
PRINTF_LIKE(2, 0)
static void add_text(struct strbuf *out, const char *fmt, va_list args)
{
    char *text;

    if (vasprintf(&text, fmt, args) < 0)
        abort();
    strbuf_add(out, text,
               utf8_fit(text, strlen(text), out->max_bytes - out->len));
    free(text);
}

enum event_next event_work_end(struct event_work *w, enum event_outcome outcome,
                               const char *fmt, ...)
{
    struct strbuf reason = STRBUF_MAX(MAX_REASON);
    struct event_result result = {.outcome = outcome, .jobs = w->made.data};
    va_list args;

    va_start(args, fmt);
    add_text(&reason, fmt, args);
    va_end(args);
    result.reason = reason.data;
    result.after_ms = outcome == EVENT_LATER ? w->asked.after_ms : 0;
    w->fn(w->arg, &result);
    strbuf_clear(&reason);
    return EVENT_OVER;
}

enum event_next event_work_away(struct event_work *w, int64_t after_ms,
                                const char *why)
{
    w->asked.after_ms = after_ms;
    return event_work_end(w, w->is_late ? EVENT_FAILED : EVENT_LATER, "%s",
                          why);
}

void event_work_fault(struct event_work *w, const char *fmt, ...)
{
    va_list args;

    if (w->faults.len)
        strbuf_adds(&w->faults, "; ");
    va_start(args, fmt);
    add_text(&w->faults, fmt, args);
    va_end(args);
    while (w->faults.len && w->faults.data[w->faults.len - 1] == '\n')
        strbuf_cut(&w->faults, w->faults.len - 1);
}

/* ---- asking the host -------------------------------------------------------
 */

static void wipe(json_t *object)
{
    const char *key;
    json_t *value;

    json_object_foreach(object, key, value)
    {
        if (json_is_string(value))
            mem_wipe((char *)(uintptr_t)json_string_value(value),
                     json_string_length(value));
    }
}

void event_asked_clear(struct event_asked *asked)
{
    forge_call_cancel(asked->call);
    if (json_is_object(asked->body))
        wipe(asked->body);
    json_decref(asked->body);
    memset(asked, 0, sizeof(*asked));
}

static void on_answer(void *arg, const struct forge_answer *answer)
{
    struct event_work *w = arg;

    w->asked.call = NULL;
    w->asked.answered = true;
    w->asked.error = answer->error;
    w->asked.after_ms = answer->after_ms;
    if (answer->error == FORGE_OK)
        w->asked.body = json_deep_copy(answer->body);
    else
        (void)err_set(&w->asked.err, ERR_USER, "%s", answer->message);
    event_work_step(w);
}

enum event_next event_work_ask(struct event_work *w, const char *op,
                               json_t *body)
{
    struct event_asked *asked = &w->asked;

    if (asked->waiting) {
        json_decref(body);
        return asked->answered ? EVENT_GO_ON : EVENT_WAIT;
    }
    event_asked_clear(asked);
    asked->waiting = true;
    asked->about = op;
    if (!w->host || !w->host->forge) {
        json_decref(body);
        asked->answered = true;
        asked->error = FORGE_REFUSED;
        (void)err_set(&asked->err, ERR_USER, no_answer);
        return EVENT_GO_ON;
    }
    (void)json_object_set_new(body, "repo",
                              json_string(w->event->repo.full_name));
    (void)json_object_set_new(body, "installation",
                              json_integer(w->event->installation_id));
    forge_ask(w->host->forge, op, body, on_answer, w, &asked->call);
    return EVENT_WAIT;
}

static bool is_away(const struct event_asked *asked)
{
    return asked->error == FORGE_AWAY || asked->error == FORGE_PAUSED;
}

/* ---- the event, and what is to be done for it ------------------------------
 */

static enum event_next want_command(struct event_work *w, enum command command)
{
    switch (command) {
    case COMMAND_TEST:
    case COMMAND_REVIEW:
        strv_add(&w->explicit, command_name(command));
        break;
    case COMMAND_CANCEL:
        w->wants_cancel = true;
        break;
    case COMMAND_RETRY:
        w->wants_retry = true;
        break;
    case COMMAND_APPROVE:
        w->approved = w->event->commands.approved;
        w->wants_triggers = true;
        break;
    default:
        return event_work_end(w, EVENT_FAILED, "an unknown command");
    }
    return EVENT_GO_ON;
}

static enum event_next want_commands(struct event_work *w)
{
    const struct command_list *list = &w->event->commands;

    w->by_permission = w->wants_change = true;
    for (size_t i = 0; i < list->count; i++)
        if (want_command(w, list->items[i]) == EVENT_OVER)
            return EVENT_OVER;
    return EVENT_GO_ON;
}

static enum event_next want_again(struct event_work *w)
{
    const struct event_check *check = &w->event->check;
    int64_t app = w->host ? w->host->app_id : 0;

    if (app && check->app_id != app)
        return event_work_end(w, EVENT_NOTHING, "the check is another App's");
    w->job = *check->external_id ? xstrdup(check->external_id) : NULL;
    w->wants_triggers = w->wants_change = true;
    if (w->event->kind == EVENT_RERUN || !strcmp(check->action, "rerun"))
        return EVENT_GO_ON;
    if (strcmp(check->action, "approve") != 0)
        return event_work_end(w, EVENT_NOTHING, "no button of ours");
    w->by_permission = true;
    w->approved = w->event->head.sha;
    return EVENT_GO_ON;
}

static enum event_next want(struct event_work *w)
{
    const struct event *e = w->event;

    w->as = e->kind;
    w->wants_none = !strcmp(w->name, EVENT_FOUND);
    if (w->wants_none && !w->is_repeat)
        return event_work_away(w, FOUND_MS, "its event may come yet");
    if (event_runs(e->kind)) {
        w->wants_triggers = true;
        /* What was tried before may have been overtaken. */
        w->wants_change = e->change > 0 && (e->fork == EVENT_FORK_UNKNOWN ||
                                            (w->is_repeat && w->host->forge));
        return EVENT_GO_ON;
    }
    w->as = EVENT_UPDATED;
    switch (e->kind) {
    case EVENT_CLOSED:
        w->wants_cancel = true;
        /* It may be open again by now. */
        w->wants_change = w->is_repeat && e->change > 0 && w->host->forge;
        return EVENT_GO_ON;
    case EVENT_RERUN:
    case EVENT_ACTION:
        return want_again(w);
    case EVENT_COMMAND:
        return want_commands(w);
    case EVENT_DELETED:
        return event_work_end(w, EVENT_NOTHING, "the branch is gone");
    case EVENT_IGNORED:
        return event_work_end(w, EVENT_NOTHING, "%s", e->reason);
    default:
        return event_work_end(w, EVENT_NOTHING, "nothing follows from it");
    }
}

static const struct event_host *
host_of(const struct event_work_options *options, enum forge_kind kind)
{
    for (size_t i = 0; i < options->host_count; i++)
        if (kind != FORGE_NONE && options->hosts[i].kind == kind)
            return &options->hosts[i];
    return NULL;
}

static enum event_next stage_begin(struct event_work *w)
{
    /* Stored as "pull_request.opened": the header had the first of it. */
    CLEANUP(mem) char *header = xstrndup(w->name, strcspn(w->name, "."));
    struct event_source source = {.forge = forge_find(w->forge),
                                  .name = header,
                                  .body = w->body,
                                  .len = w->len};
    struct err err = {0};
    int rc;

    w->host = host_of(w->options, source.forge);
    if (!w->host)
        return event_work_end(w, EVENT_FAILED, "the host is not configured");
    if (!w->body)
        return event_work_end(w, EVENT_FAILED, "what is stored is damaged");
    source.base_url = w->host->base_url;
    if (!strcmp(w->name, EVENT_FOUND))
        rc = event_read_found(source.forge, w->body, w->len, source.base_url,
                              &w->event, &err);
    else
        rc = event_read(&source, &w->event, &err);
    /* It may be large, and what follows may take long. */
    free(STEAL(w->body));
    if (rc < 0)
        return event_work_end(w, EVENT_NOTHING, "%s", err.msg);
    return want(w);
}

/* ---- who asks, and whose it is ---------------------------------------------
 */

static enum event_next stage_permission(struct event_work *w)
{
    const struct event_person *actor = &w->event->actor;
    enum event_next next;
    bool may;

    if (!w->by_permission || w->trusts)
        return EVENT_GO_ON;
    if (actor->is_bot || !*actor->login)
        return event_work_end(w, EVENT_NOTHING, "a bot asks, or nobody");
    next = event_work_ask(w, FORGE_OP_PERMISSION,
                          json_pack("{s:s}", "login", actor->login));
    if (next != EVENT_GO_ON)
        return next;
    if (is_away(&w->asked))
        return event_work_away(w, w->asked.after_ms, w->asked.err.msg);
    may = json_is_true(json_object_get(w->asked.body, "write"));
    if (w->asked.error != FORGE_OK)
        return event_work_end(w, EVENT_NOTHING,
                              "whether %s may ask for that is not known: %s",
                              actor->login, w->asked.err.msg);
    if (!may)
        return event_work_end(w, EVENT_NOTHING,
                              "%s may not write to the repository",
                              actor->login);
    event_asked_clear(&w->asked);
    w->trusts = true;
    return EVENT_GO_ON;
}

/* No answer about a change: only what a stranger could have is done. */
static enum event_next without_facts(struct event_work *w)
{
    bool known =
        event_runs(w->event->kind) && w->event->fork != EVENT_FORK_UNKNOWN;

    if (is_away(&w->asked) && !w->is_late && !known)
        return event_work_away(w, w->asked.after_ms, w->asked.err.msg);
    if (event_runs(w->event->kind) || w->event->kind == EVENT_CLOSED) {
        if (!known && w->event->kind != EVENT_CLOSED)
            log_info("delivery %.12s: taken as a fork's: %s", w->key,
                     w->asked.err.msg);
        event_asked_clear(&w->asked);
        return EVENT_GO_ON;
    }
    return event_work_end(w, is_away(&w->asked) ? EVENT_FAILED : EVENT_NOTHING,
                          "the change is not known: %s", w->asked.err.msg);
}

static enum event_next take_change(struct event_work *w)
{
    const char *state =
        json_string_value(json_object_get(w->asked.body, "state"));
    const char *sha = json_string_value(
        json_object_get(json_object_get(w->asked.body, "head"), "sha"));
    struct err err = {0};

    if (w->event->kind == EVENT_CLOSED) {
        bool is_open = state && !strcmp(state, "open");

        event_asked_clear(&w->asked);
        return is_open ? event_work_end(w, EVENT_NOTHING,
                                        "the change is open again")
                       : EVENT_GO_ON;
    }
    if (state && strcmp(state, "open") != 0)
        return event_work_end(w, EVENT_NOTHING, "the change is %s by now",
                              strcmp(state, "merged") != 0 ? "closed"
                                                           : "merged");
    /* A delivery may tell of a commit, which then is what would run. */
    if (w->approved &&
        (!sha || strncmp(sha, w->approved, strlen(w->approved)) != 0 ||
         (*w->event->head.sha && strcmp(sha, w->event->head.sha) != 0)))
        return event_work_end(w, EVENT_NOTHING,
                              "the change has other commits than the one that "
                              "was approved");
    /* What somebody says is of the change as it is. */
    if (w->event->kind == EVENT_COMMAND && !w->approved)
        w->event->head.sha = "";
    if (event_runs(w->event->kind) && sha &&
        strcmp(sha, w->event->head.sha) != 0)
        return event_work_overtaken(w, "the change has other commits by now");
    if (event_take_change(w->event, w->asked.body, w->host->base_url, &err) < 0)
        return event_work_end(w, EVENT_FAILED, "%s", err.msg);
    event_asked_clear(&w->asked);
    return EVENT_GO_ON;
}

static enum event_next stage_change(struct event_work *w)
{
    enum event_next next;

    if (!w->wants_change)
        return EVENT_GO_ON;
    if (w->event->change <= 0) {
        if (w->approved)
            return event_work_end(w, EVENT_NOTHING,
                                  "the commit is of no change that is known");
        return EVENT_GO_ON;
    }
    next = event_work_ask(
        w, FORGE_OP_CHANGE,
        json_pack("{s:I}", "number", (json_int_t)w->event->change));
    if (next != EVENT_GO_ON)
        return next;
    w->wants_change = false;
    return w->asked.error == FORGE_OK ? take_change(w) : without_facts(w);
}

/* Trust: of a change that nobody knows whose it is, a stranger's. */
static enum event_next stage_trust(struct event_work *w)
{
    const struct event *e = w->event;
    bool runs = w->wants_triggers || w->explicit.count > 0;

    w->fork = e->change > 0 && e->fork != EVENT_FORK_NO;
    if (w->approved)
        w->fork = false;
    if (!runs || (*e->head.sha && *e->repo.clone_url))
        return EVENT_GO_ON;
    return event_work_end(w, EVENT_FAILED, "the change's commit is not known");
}

static enum event_next stage_token(struct event_work *w)
{
    const json_t *body;
    enum event_next next;

    if (w->username || !w->event->repo.is_private || !w->host->forge ||
        !forge_can_write(w->host->forge) ||
        !(w->wants_triggers || w->explicit.count))
        return EVENT_GO_ON;
    next = event_work_ask(w, FORGE_OP_TOKEN, json_pack("{s:b}", "own", 1));
    if (next != EVENT_GO_ON)
        return next;
    if (is_away(&w->asked))
        return event_work_away(w, w->asked.after_ms, w->asked.err.msg);
    body = w->asked.body;
    /* Refused, or none: as everybody reads, then. */
    if (w->asked.error != FORGE_OK)
        log_info("delivery %.12s: no credential: %s", w->key, w->asked.err.msg);
    w->username = xstrdup("");
    if (*(json_string_value(json_object_get(body, "password"))
              ? json_string_value(json_object_get(body, "password"))
              : "")) {
        const char *name = json_string_value(json_object_get(body, "username"));

        free(w->username);
        w->username = xstrdup(name ? name : "");
        w->password =
            xstrdup(json_string_value(json_object_get(body, "password")));
    }
    event_asked_clear(&w->asked);
    return EVENT_GO_ON;
}

static enum event_next stage_conclude(struct event_work *w)
{
    size_t did = w->jobs.did;

    if (w->faults.len)
        return event_work_end(w, w->made.len || did ? EVENT_DONE : EVENT_FAILED,
                              "%s", w->faults.data);
    if (w->made.len)
        return event_work_end(w, EVENT_DONE, "%s", "");
    if (did)
        return event_work_end(w, EVENT_DONE, "%zu jobs %s", did,
                              w->wants_cancel ? "cancelled" : "run again");
    /* Who deals with what came before may not be done with it. */
    if (w->event->kind == EVENT_CLOSED && !w->jobs.known && !w->is_repeat)
        return event_work_away(w, CLOSED_MS, "its jobs may come yet");
    if (w->wants_cancel || w->wants_retry)
        return event_work_end(w, EVENT_NOTHING, "there is no such job");
    return event_work_end(w, EVENT_NOTHING, "no trigger fits%s%s",
                          w->why ? ": " : "", w->why ? w->why : "");
}

/* ---- one after the other ---------------------------------------------------
 */

static event_stage *const stages[] = {
    stage_begin,          event_stage_find_job, stage_permission,
    stage_change,         stage_trust,          event_stage_list_jobs,
    event_stage_each_job, stage_token,          event_stage_read_files,
    event_stage_choose,   event_stage_previous, event_stage_head,
    event_stage_make,     event_stage_invalid,  stage_conclude,
};

static void step(void *arg)
{
    struct event_work *w = arg;
    enum event_next next = EVENT_GO_ON;

    w->timer = NULL;
    while (next == EVENT_GO_ON) {
        next = stages[w->stage](w);
        if (next == EVENT_GO_ON)
            w->stage++;
    }
}

void event_work_step(struct event_work *w)
{
    loop_remove(w->timer);
    w->timer =
        loop_add_timer(w->options->admit->loop, clock_mono_ms(), step, w);
}

struct event_work *event_work_new(const struct event_work_options *options,
                                  const struct queue_taken *taken,
                                  event_work_fn *fn, void *arg)
{
    struct event_work *w = xcalloc(1, sizeof(*w));

    w->options = options;
    w->key = xstrdup(taken->key);
    w->forge = xstrdup(taken->forge);
    w->name = xstrdup(taken->event);
    if (taken->body) {
        w->body = xcalloc(taken->len + 1, 1);
        memcpy(w->body, taken->body, taken->len);
        w->len = taken->len;
    }
    w->replays = taken->replays;
    w->now_ms = taken->now_ms;
    w->is_repeat = taken->attempts > 1;
    w->is_late = taken->now_ms - taken->started_at_ms >= options->patience_ms;
    w->made = (struct strbuf)STRBUF_INIT;
    w->faults = (struct strbuf)STRBUF_MAX(MAX_REASON);
    w->fn = fn;
    w->arg = arg;
    event_work_step(w);
    return w;
}

void event_work_free(struct event_work *w)
{
    if (!w)
        return;
    event_asked_clear(&w->asked);
    admission_free(w->admission);
    repo_reading_free(w->reader);
    loop_remove(w->timer);
    event_free(w->event);
    if (w->password)
        mem_wipe(w->password, strlen(w->password));
    free(w->username);
    free(w->password);
    strv_clear(&w->explicit);
    strv_clear(&w->jobs.ids);
    strv_clear(&w->paths_read);
    strv_clear(&w->texts);
    free(w->read_at);
    strv_clear(&w->pipelines);
    strv_clear(&w->invalid.pipelines);
    strv_clear(&w->invalid.texts);
    strbuf_clear(&w->made);
    strbuf_clear(&w->faults);
    json_decref(w->previous);
    free(w->job);
    free(w->key);
    free(w->forge);
    free(w->name);
    free(w->body);
    free(w);
}
