/* scheduler/report/reporter.c - telling Git hosts how jobs are. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/report/reporter.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/state.h"
#include "base/strbuf.h"
#include "scheduler/forge/protocol.h"
#include "scheduler/report/gather.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOLD_MS  30000
#define POLL_MS  1000
#define AGAIN_MS 1000

/* A report under way; free while `report` is NULL and nothing is awaited. */
struct post {
    struct reporter *reporter;
    struct queue_report *report; /* owned */
    char nonce[QUEUE_REPORT_NONCE];
    struct forge *forge;                 /* borrowed */
    struct forge_call *call;             /* NULL: the host is not being asked */
    struct gather *gather;               /* owned; NULL: nothing is gathered */
    size_t next_job;                     /* of a run: whose result comes next */
    int64_t held_mono_ms;                /* when the hold was last sent for */
    int64_t sent_mono_ms;                /* the renewal under way */
    unsigned awaited;                    /* answers of the queue */
    bool ending;                         /* `outcome` is what is to be said */
    bool dropped;                        /* free it when nothing is awaited */
    struct queue_report_outcome outcome; /* its texts are owned, below */
    char *message, *notes;               /* owned */
    json_t *posted;                      /* owned */
    struct loop_source *timer;           /* borrowed: renew, or say again */
};

struct reporter {
    struct loop *loop; /* borrowed, as the next two */
    struct queue *queue;
    const char *scheduler;
    struct reporter_options options;
    struct post posts[QUEUE_REPORT_HOSTS];
    char nonce[QUEUE_REPORT_NONCE]; /* of the next */
    int64_t sent_mono_ms;           /* of the taking under way */
    bool told[QUEUE_REPORT_HOSTS];  /* our log, that it is not configured */
    bool taking, stopping;
    struct loop_source *timer; /* borrowed: the next look, or the end */
    void (*stopped)(void *arg);
    void *stopped_arg;
};

static void take(void *arg);
static void renew(void *arg);
static void say(void *arg);

/* ---- posts -----------------------------------------------------------------
 */

static bool is_free(const struct post *post)
{
    return !post->report && !post->awaited;
}

static void on_stop(void *arg)
{
    struct reporter *r = arg;

    r->timer = NULL;
    r->stopped(r->stopped_arg);
}

static void check_stopped(struct reporter *r)
{
    for (size_t i = 0; i < QUEUE_REPORT_HOSTS; i++)
        if (!is_free(&r->posts[i]))
            return;
    if (r->stopping && !r->taking && r->stopped && !r->timer)
        r->timer = loop_add_timer(r->loop, clock_mono_ms(), on_stop, r);
}

static void clear_post(struct post *post)
{
    struct reporter *reporter = post->reporter;

    loop_remove(post->timer);
    forge_call_cancel(post->call);
    queue_report_free(post->report);
    gather_free(post->gather);
    free(post->message);
    free(post->notes);
    json_decref(post->posted);
    *post = (struct post){.reporter = reporter};
}

/* Nothing more is to be done; answers may still come. */
static void drop(struct post *post)
{
    struct reporter *r = post->reporter;
    unsigned awaited = post->awaited;

    clear_post(post);
    post->awaited = awaited;
    post->dropped = awaited > 0;
    if (post->dropped)
        return;
    check_stopped(r);
    take(r);
}

/* An answer came; true: to one that was dropped. */
static bool was_dropped(struct post *post)
{
    post->awaited--;
    if (!post->dropped)
        return false;
    if (!post->awaited)
        drop(post);
    return true;
}

static void set_timer(struct post *post, int64_t delay_ms, loop_timer_fn *fn)
{
    loop_remove(post->timer);
    post->timer = loop_add_timer(post->reporter->loop,
                                 clock_mono_ms() + delay_ms, fn, post);
}

/* ---- holding ---------------------------------------------------------------
 */

static void on_renewed(void *arg, const struct err *err)
{
    struct post *post = arg;

    if (was_dropped(post))
        return;
    if (!err) {
        post->held_mono_ms = post->sent_mono_ms;
    } else if (err->kind == ERR_LOST && !post->ending) {
        log_warn("job %s: another scheduler reports it now", post->report->id);
        drop(post);
    }
}

static void renew(void *arg)
{
    struct post *post = arg;
    const struct reporter *r = post->reporter;

    post->timer = NULL;
    post->awaited++;
    post->sent_mono_ms = clock_mono_ms();
    queue_report_renew(r->queue, post->report->host, post->nonce,
                       r->options.hold_ms, on_renewed, post);
    set_timer(post, r->options.hold_ms / 2, renew);
}

/* ---- the end of a report ---------------------------------------------------
 */

static void on_said(void *arg, const struct err *err)
{
    struct post *post = arg;
    const struct reporter *r = post->reporter;

    if (was_dropped(post))
        return;
    if (err && err->kind != ERR_LOST &&
        clock_mono_ms() - post->held_mono_ms < r->options.hold_ms)
        set_timer(post, AGAIN_MS, say); /* Redis is away */
    else
        drop(post);
}

static void say(void *arg)
{
    struct post *post = arg;

    post->timer = NULL;
    post->awaited++;
    queue_report_done(post->reporter->queue, post->report->host, post->nonce,
                      &post->outcome, on_said, post);
}

static void end(struct post *post, enum queue_report_end how,
                const char *message)
{
    loop_remove(STEAL(post->timer));
    post->ending = true;
    post->message = xstrdup(message);
    post->outcome.end = how;
    post->outcome.message = post->message;
    if (how == QUEUE_REPORT_REFUSED && post->forge)
        log_warn("job %s is not reported: %s", post->report->id, message);
    else if (how == QUEUE_REPORT_PAUSED)
        log_info("%s wants a pause of %" PRId64 " s: %s", post->report->host,
                 post->outcome.after_ms / 1000, message);
    say(post);
}

/* ---- asking the host -------------------------------------------------------
 */

/* One line a note. Owned by the caller. */
static char *join_notes(const json_t *notes)
{
    CLEANUP(strbuf)
    struct strbuf out = STRBUF_MAX(QUEUE_MAX_REPORT_ERROR);
    const json_t *note;
    size_t i;

    json_array_foreach(notes, i, note) if (json_is_string(note))
        strbuf_addf(&out, "%s%s", out.len ? "\n" : "", json_string_value(note));
    return xstrdup(out.len ? out.data : "");
}

static unsigned count_of(const json_t *body, const char *key)
{
    json_int_t n = json_integer_value(json_object_get(body, key));

    return n > 0 && n < 1000000 ? (unsigned)n : 0;
}

static void on_told(void *arg, const struct forge_answer *answer)
{
    static const enum queue_report_end ends[] = {
        [FORGE_OK] = QUEUE_REPORT_DONE,
        [FORGE_REFUSED] = QUEUE_REPORT_REFUSED,
        [FORGE_AWAY] = QUEUE_REPORT_AGAIN,
        [FORGE_PAUSED] = QUEUE_REPORT_PAUSED,
    };
    struct post *post = arg;
    json_t *posted = json_object_get(answer->body, "posted");

    post->call = NULL;
    if (json_is_object(posted))
        post->posted = json_incref(posted);
    post->notes = join_notes(json_object_get(answer->body, "notes"));
    post->outcome = (struct queue_report_outcome){
        .after_ms = answer->after_ms,
        .posted = post->posted,
        .notes = post->notes,
        .comments = count_of(answer->body, "comments"),
        .resolved = count_of(answer->body, "resolved"),
    };
    end(post, ends[answer->error], answer->message ? answer->message : "");
}

static void ask(struct post *post)
{
    const struct reporter *r = post->reporter;
    json_t *findings = post->gather ? gather_take(post->gather) : NULL;
    json_t *question;
    struct err err;

    if (report_question(post->report, findings, &r->options.style, &question,
                        &err) < 0)
        end(post, QUEUE_REPORT_REFUSED, err.msg);
    else
        forge_ask(post->forge, FORGE_OP_REPORT, question, on_told, post,
                  &post->call);
}

/* ---- findings --------------------------------------------------------------
 */

static void gather_next(struct post *post);

static void on_result(void *arg, const json_t *result, const struct err *err)
{
    struct post *post = arg;

    if (was_dropped(post))
        return;
    if (err) { /* not half of them: what is not there would be taken as gone */
        end(post, QUEUE_REPORT_AGAIN, err->msg);
        return;
    }
    gather_add(post->gather, result);
    gather_next(post);
}

/* The results of a run's jobs, one after the other: each may be large. */
static void gather_next(struct post *post)
{
    const json_t *jobs = json_object_get(post->report->result, "jobs");
    size_t count = json_array_size(jobs);

    for (; post->next_job < count; post->next_job++) {
        const char *state = json_string_value(
            json_object_get(json_array_get(jobs, post->next_job), "state"));

        if (!state || strcmp(state, "skipped") == 0)
            continue;
        post->awaited++;
        queue_run_result(post->reporter->queue, post->report->id,
                         post->next_job++, on_result, post);
        return;
    }
    ask(post);
}

static void begin(struct post *post)
{
    const struct queue_report *report = post->report;

    if (!report_has_result(report)) {
        ask(post);
        return;
    }
    post->gather = gather_new();
    if (report->is_run) {
        gather_next(post);
        return;
    }
    gather_add(post->gather, report->result);
    ask(post);
}

/* ---- what is due -----------------------------------------------------------
 */

/* NULL: none is configured, or none that may write. */
static struct forge *find_forge(const struct reporter *r, const char *host)
{
    for (size_t i = 0; i < r->options.count; i++) {
        struct forge *forge = r->options.forges[i];

        if (forge && forge_can_write(forge) &&
            strcmp(forge_name(forge_kind_of(forge)), host) == 0)
            return forge;
    }
    return NULL;
}

/* Others of the pool may be able to tell it, now or soon. */
static void cannot_tell(struct post *post, bool *told)
{
    static const struct {
        const char *host, *message;
    } messages[] = {
        {"github", "no GitHub is configured (github.token or github.app)"},
        {"gitlab", "no GitLab is configured (gitlab.token)"},
        {"gitea", "no Gitea or Forgejo is configured (gitea.token)"},
    };

    const char *message = "its report is for a kind of Git host that is not "
                          "known: there are github, gitlab and gitea";
    enum queue_report_end how = QUEUE_REPORT_REFUSED;

    for (size_t i = 0; i < ARRAY_LEN(messages); i++)
        if (!strcmp(post->report->host, messages[i].host)) {
            message = messages[i].message;
            how = QUEUE_REPORT_UNSERVED;
        }
    if (!*told)
        log_warn("jobs such as %s are not reported: %s", post->report->id,
                 message);
    *told = true;
    end(post, how, message);
}

static struct post *post_of(struct reporter *r, const char *host)
{
    for (size_t i = 0; i < QUEUE_REPORT_HOSTS; i++)
        if (!strcmp(queue_report_hosts[i], host))
            return &r->posts[i];
    return NULL;
}

static void start(struct reporter *r, struct queue_report *report)
{
    struct post *post = post_of(r, report->host);

    if (!post || !is_free(post)) { /* its hold ends, and it comes again */
        queue_report_free(report);
        return;
    }
    post->report = report;
    (void)snprintf(post->nonce, sizeof(post->nonce), "%s", r->nonce);
    post->held_mono_ms = r->sent_mono_ms;
    post->forge = find_forge(r, report->host);
    if (r->stopping) {
        end(post, QUEUE_REPORT_RELEASED, "");
        return;
    }
    if (!post->forge) {
        cannot_tell(post, &r->told[post - r->posts]);
        return;
    }
    set_timer(post, r->options.hold_ms / 2, renew);
    begin(post);
}

static void on_taken(void *arg, struct queue_report *report,
                     const struct err *err)
{
    struct reporter *r = arg;

    r->taking = false;
    if (report) {
        start(r, report);
        state_random_hex(r->nonce, sizeof(r->nonce) - 1);
    }
    if (r->stopping)
        check_stopped(r);
    else if (report && !err)
        take(r);
    else if (!r->timer)
        r->timer = loop_add_timer(r->loop, clock_mono_ms() + r->options.poll_ms,
                                  take, r);
}

static void take(void *arg)
{
    struct reporter *r = arg;
    const char *hosts[QUEUE_REPORT_HOSTS];
    char names[QUEUE_REPORT_HOSTS][QUEUE_REPORT_HOST + 1];
    struct queue_report_hold hold = {.scheduler = r->scheduler,
                                     .nonce = r->nonce,
                                     .hold_ms = r->options.hold_ms};
    size_t count = 0;

    if (r->stopping || r->taking)
        return;
    loop_remove(STEAL(r->timer));
    for (size_t i = 0; i < QUEUE_REPORT_HOSTS; i++) {
        const char *host = queue_report_hosts[i];

        if (!is_free(&r->posts[i]))
            continue;
        (void)snprintf(names[count], sizeof(names[count]), "%s%s",
                       find_forge(r, host) ? "" : "-", host);
        hosts[count] = names[count];
        count++;
    }
    if (!count) /* the next that ends comes here */
        return;
    r->taking = true;
    r->sent_mono_ms = clock_mono_ms();
    queue_report_take(r->queue, &hold, hosts, count, on_taken, r);
}

/* ---- life ------------------------------------------------------------------
 */

void reporter_configure(struct reporter *r,
                        const struct reporter_options *options)
{
    r->options = *options;
    if (!r->options.hold_ms)
        r->options.hold_ms = HOLD_MS;
    if (!r->options.poll_ms)
        r->options.poll_ms = POLL_MS;
}

struct reporter *reporter_new(struct loop *loop, struct queue *queue,
                              const char *scheduler,
                              const struct reporter_options *options)
{
    struct reporter *r = xcalloc(1, sizeof(*r));

    r->loop = loop;
    r->queue = queue;
    r->scheduler = scheduler;
    for (size_t i = 0; i < QUEUE_REPORT_HOSTS; i++)
        r->posts[i].reporter = r;
    state_random_hex(r->nonce, sizeof(r->nonce) - 1);
    reporter_configure(r, options);
    take(r);
    return r;
}

void reporter_stop(struct reporter *r, void (*fn)(void *arg), void *arg)
{
    r->stopping = true;
    r->stopped = fn;
    r->stopped_arg = arg;
    loop_remove(STEAL(r->timer));
    check_stopped(r);
}

void reporter_free(struct reporter *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < QUEUE_REPORT_HOSTS; i++)
        clear_post(&r->posts[i]);
    loop_remove(r->timer);
    free(r);
}
