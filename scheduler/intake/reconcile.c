/* scheduler/intake/reconcile.c - what Git hosts failed to send. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/intake/reconcile.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/sha256.h"
#include "base/strbuf.h"
#include "scheduler/forge/git_name.h"
#include "scheduler/forge/protocol.h"
#include "scheduler/intake/event_job.h"
#include "scheduler/queue/change.h"
#include "scheduler/queue/keeper.h"
#include "scheduler/queue/seen.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define CHECK_MS 60000
#define AGAIN_MS 5000
#define FIRST_MS 1000 /* a scheduler has more urgent things to begin with */
#define SINCE_MS ((int64_t)3 * 24 * 3600 * 1000) /* what GitHub keeps */

/* One host's round. */
struct round {
    struct reconcile *reconcile;   /* borrowed */
    const struct event_host *host; /* borrowed */
    struct loop_source *timer;     /* borrowed */
    struct forge_call *call;       /* borrowed; NULL: nothing is asked */
    char *stamp;                   /* owned; its name in Redis */
    int64_t last_ms, now_ms;       /* the last round, and this one */
    int64_t missed_ms;             /* since when rounds failed; 0: none did */
    struct strv repos;             /* to be asked about */
    size_t repo;
    json_t *changes; /* owned; open ones of the repo */
    size_t change;
    json_t *before;    /* owned; heads by number, of the last time */
    struct strv heads; /* number and commit each, as they are noted */
    char key[SHA256_HEX_SIZE];
    size_t found;
};

struct reconcile {
    struct reconcile_options options;
    struct round *rounds; /* owned; one a host */
    bool stopping;
};

static void next_repo(struct round *r);
static void next_change(struct round *r);
static void check(void *arg);

static struct queue *queue_of(const struct round *r)
{
    return r->reconcile->options.queue;
}

static void check_in(struct round *r, int64_t delay_ms)
{
    loop_remove(r->timer);
    r->timer = NULL;
    if (!r->reconcile->stopping)
        r->timer = loop_add_timer(r->reconcile->options.loop,
                                  clock_mono_ms() + delay_ms, check, r);
}

/* From the loop: answers may come many at once. */
static void go_on(void *arg)
{
    struct round *r = arg;

    r->timer = NULL;
    next_change(r);
}

static void go_on_later(struct round *r)
{
    if (!r->reconcile->stopping)
        r->timer = loop_add_timer(r->reconcile->options.loop, clock_mono_ms(),
                                  go_on, r);
}

static void clear_repo(struct round *r)
{
    json_decref(r->changes);
    json_decref(r->before);
    r->changes = r->before = NULL;
    strv_clear(&r->heads);
    r->change = 0;
}

static void end_round(struct round *r)
{
    if (r->found)
        log_info("%s: %zu open changes whose events did not come",
                 forge_name(r->host->kind), r->found);
    clear_repo(r);
    strv_clear(&r->repos);
    r->found = 0;
    check_in(r, r->reconcile->options.every_ms < CHECK_MS
                    ? r->reconcile->options.every_ms
                    : CHECK_MS);
}

static void fail_round(struct round *r, const char *why)
{
    log_warn("%s: what was missed cannot be found out now: %s",
             forge_name(r->host->kind), why);
    if (!r->missed_ms)
        r->missed_ms = r->last_ms > 0 ? r->last_ms : r->now_ms;
    end_round(r);
}

/* ---- one open change -------------------------------------------------------
 */

static const char *sha_of(const json_t *change)
{
    const char *sha = json_string_value(
        json_object_get(json_object_get(change, "head"), "sha"));

    return sha && git_is_sha(sha) ? sha : NULL;
}

static const json_t *this_change(const struct round *r)
{
    return json_array_get(r->changes, r->change);
}

static const char *this_repo(const struct round *r)
{
    return r->repos.items[r->repo];
}

/* It is known now, and next time, too. */
static void note(struct round *r)
{
    const json_t *change = this_change(r);
    CLEANUP(mem)
    char *number = xasprintf(
        "%" PRId64,
        (int64_t)json_integer_value(json_object_get(change, "number")));

    strv_add(&r->heads, number);
    strv_add(&r->heads, sha_of(change));
}

static void on_delivered(void *arg, enum queue_delivered what,
                         const struct err *err)
{
    struct round *r = arg;

    if (err) {
        fail_round(r, err->msg);
        return;
    }
    if (what != QUEUE_DELIVERY_FULL)
        note(r);
    r->found += what == QUEUE_DELIVERY_STORED;
    r->change++;
    go_on_later(r);
}

static void deliver(struct round *r)
{
    const json_t *change = this_change(r);
    json_t *body = json_pack("{s:s, s:i, s:O}", "repo", this_repo(r),
                             "installation", 0, "change", change);
    CLEANUP(mem) char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    const struct queue_deliver_done done = {on_delivered, r};
    struct queue_delivery delivery = {
        .key = r->key,
        .forge = forge_name(r->host->kind),
        .event = EVENT_FOUND,
        .host_id = "",
        .repo = this_repo(r),
        .source = "berth",
        .body = text,
    };
    struct err err = {0};

    json_decref(body);
    if (text) {
        delivery.len = strlen(text);
        event_found_key(r->host->kind, this_repo(r),
                        json_integer_value(json_object_get(change, "number")),
                        sha_of(change), r->key);
        if (queue_deliver(queue_of(r), &delivery, &r->reconcile->options.limits,
                          &done, &err) == 0)
            return;
    }
    r->change++;
    go_on_later(r);
}

static void on_jobs(void *arg, const struct queue_change_job *jobs,
                    size_t count, const struct err *err)
{
    struct round *r = arg;
    const char *sha = sha_of(this_change(r));

    if (err) {
        fail_round(r, err->msg);
        return;
    }
    for (size_t i = 0; i < count; i++)
        if (!strcmp(jobs[i].commit, sha)) {
            note(r);
            r->change++;
            go_on_later(r);
            return;
        }
    deliver(r);
}

static void on_noted(void *arg, const struct err *err)
{
    struct round *r = arg;

    if (err) {
        fail_round(r, err->msg);
        return;
    }
    clear_repo(r);
    r->repo++;
    next_repo(r);
}

static void look_at(struct round *r, int64_t number, const char *sha)
{
    CLEANUP(mem) char *text = xasprintf("%" PRId64, number);
    const char *before = json_string_value(json_object_get(r->before, text));
    const struct queue_change change = {forge_name(r->host->kind), this_repo(r),
                                        text};

    if (before && !strcmp(before, sha)) {
        note(r);
        r->change++;
        go_on_later(r);
        return;
    }
    queue_change_jobs(queue_of(r), &change, on_jobs, r);
}

static void next_change(struct round *r)
{
    while (r->change < json_array_size(r->changes)) {
        const json_t *change = this_change(r);
        int64_t number = json_integer_value(json_object_get(change, "number"));

        if (number > 0 && sha_of(change)) {
            look_at(r, number, sha_of(change));
            return;
        }
        r->change++;
    }
    queue_note_heads(queue_of(r), forge_name(r->host->kind), this_repo(r),
                     (const char *const *)r->heads.items, r->heads.count,
                     on_noted, r);
}

/* ---- one repository --------------------------------------------------------
 */

static void on_heads(void *arg, const char *const *words, size_t count,
                     const struct err *err)
{
    struct round *r = arg;

    if (err) {
        fail_round(r, err->msg);
        return;
    }
    r->before = json_object();
    for (size_t i = 0; i + 1 < count; i += 2)
        (void)json_object_set_new(r->before, words[i],
                                  json_string(words[i + 1]));
    next_change(r);
}

static void on_open(void *arg, const struct forge_answer *answer)
{
    struct round *r = arg;

    r->call = NULL;
    if (answer->error == FORGE_AWAY || answer->error == FORGE_PAUSED) {
        fail_round(r, answer->message);
        return;
    }
    if (answer->error != FORGE_OK) {
        log_info("%s of %s: %s", this_repo(r), forge_name(r->host->kind),
                 answer->message);
        r->repo++;
        next_repo(r);
        return;
    }
    r->changes = json_deep_copy(json_object_get(answer->body, "changes"));
    queue_seen_heads(queue_of(r), forge_name(r->host->kind), this_repo(r),
                     on_heads, r);
}

static void next_repo(struct round *r)
{
    if (r->repo == r->repos.count || r->reconcile->stopping) {
        r->missed_ms = 0;
        end_round(r);
        return;
    }
    forge_ask(r->host->forge, FORGE_OP_OPEN_CHANGES,
              json_pack("{s:s, s:i}", "repo", this_repo(r), "installation", 0),
              on_open, r, &r->call);
}

static void add_repo(struct round *r, const char *repo)
{
    for (size_t i = 0; i < r->repos.count; i++)
        if (!strcmp(r->repos.items[i], repo))
            return;
    if (r->repos.count < QUEUE_MAX_SEEN &&
        git_is_full_name(r->host->kind, repo))
        strv_add(&r->repos, repo);
}

/* Patterns are no names: git_is_full_name() refuses them. */
static void add_named(struct round *r)
{
    const struct trigger_list *list = r->reconcile->options.triggers;
    const char *forge = forge_name(r->host->kind);

    for (size_t i = 0; list && i < list->count; i++) {
        const struct trigger *t = &list->items[i];

        for (size_t k = 0;
             k < t->repos.count && (!t->forge || !strcmp(t->forge, forge)); k++)
            add_repo(r, t->repos.items[k]);
    }
}

static void on_repos(void *arg, const char *const *words, size_t count,
                     const struct err *err)
{
    struct round *r = arg;
    const char *forge = forge_name(r->host->kind);
    size_t len = strlen(forge);

    if (err) {
        fail_round(r, err->msg);
        return;
    }
    for (size_t i = 0; i < count; i++)
        if (!strncmp(words[i], forge, len) && words[i][len] == ' ')
            add_repo(r, words[i] + len + 1);
    add_named(r);
    r->repo = 0;
    next_repo(r);
}

/* ---- a round ---------------------------------------------------------------
 */

static void ask_missed(struct round *r, int64_t since_ms);

/* A host that was away for long has many: some at a time. */
static void on_missed(void *arg, const struct forge_answer *answer)
{
    struct round *r = arg;
    json_int_t again =
        json_integer_value(json_object_get(answer->body, "again"));
    json_int_t next_ms =
        json_integer_value(json_object_get(answer->body, "next_ms"));

    r->call = NULL;
    if (answer->error != FORGE_OK) {
        fail_round(r, answer->message);
        return;
    }
    if (!json_is_true(json_object_get(answer->body, "complete")))
        log_warn("%s: only the last %" PRId64
                 " deliveries were looked at: what "
                 "failed before them is not sent again",
                 forge_name(r->host->kind),
                 (int64_t)json_integer_value(
                     json_object_get(answer->body, "asked")));
    if (again > 0)
        log_info("%s sends %" PRId64 " deliveries again",
                 forge_name(r->host->kind), (int64_t)again);
    if (next_ms > 0) {
        ask_missed(r, next_ms);
        return;
    }
    r->missed_ms = 0;
    end_round(r);
}

static void ask_missed(struct round *r, int64_t since_ms)
{
    forge_ask(r->host->forge, FORGE_OP_MISSED,
              json_pack("{s:I, s:I}", "since_ms", (json_int_t)since_ms,
                        "until_ms", (json_int_t)r->now_ms),
              on_missed, r, &r->call);
}

/* What failed about when the last round asked was not looked at by it. */
static int64_t missed_since(const struct round *r)
{
    int64_t since_ms = r->missed_ms ? r->missed_ms : r->last_ms;

    since_ms -= r->reconcile->options.every_ms;
    return since_ms > r->now_ms - SINCE_MS ? since_ms : r->now_ms - SINCE_MS;
}

static void on_fired(void *arg, bool fired, const struct err *err)
{
    struct round *r = arg;

    if (err || !fired)
        check_in(r, err ? AGAIN_MS : CHECK_MS);
    else if (forge_is_app(r->host->forge))
        ask_missed(r, missed_since(r));
    else
        queue_seen_repos(queue_of(r), on_repos, r);
}

static void on_last(void *arg, int64_t last_ms, const struct err *err)
{
    struct round *r = arg;
    int64_t every_ms = r->reconcile->options.every_ms;

    if (err || !every_ms) {
        check_in(r, err ? AGAIN_MS : CHECK_MS);
        return;
    }
    r->now_ms = clock_wall_ms() + *r->reconcile->options.offset_ms;
    r->last_ms = last_ms;
    if (last_ms >= 0 && last_ms + every_ms > r->now_ms) {
        int64_t wait_ms = last_ms + every_ms - r->now_ms;

        check_in(r, wait_ms < CHECK_MS ? wait_ms : CHECK_MS);
        return;
    }
    queue_fire(queue_of(r), r->stamp, last_ms, r->now_ms, NULL, 0, on_fired, r);
}

static void check(void *arg)
{
    struct round *r = arg;

    r->timer = NULL;
    if (!r->reconcile->options.every_ms || !r->host->forge ||
        !forge_can_write(r->host->forge)) {
        check_in(r, CHECK_MS);
        return;
    }
    queue_cron_last(queue_of(r), r->stamp, on_last, r);
}

/* ---- life ------------------------------------------------------------------
 */

struct reconcile *reconcile_new(const struct reconcile_options *options)
{
    struct reconcile *reconcile = xcalloc(1, sizeof(*reconcile));

    reconcile->options = *options;
    reconcile->rounds =
        xcalloc(options->host_count + 1, sizeof(*reconcile->rounds));
    for (size_t i = 0; i < options->host_count; i++) {
        struct round *r = &reconcile->rounds[i];

        r->reconcile = reconcile;
        r->host = &options->hosts[i];
        /* No schedule is called so: a name has no colon. */
        r->stamp = xasprintf("reconcile:%s", forge_name(r->host->kind));
        check_in(r, FIRST_MS);
    }
    return reconcile;
}

void reconcile_configure(struct reconcile *reconcile,
                         const struct reconcile_options *options)
{
    reconcile->options.triggers = options->triggers;
    reconcile->options.limits = options->limits;
    reconcile->options.every_ms = options->every_ms;
}

void reconcile_stop(struct reconcile *reconcile)
{
    reconcile->stopping = true;
    for (size_t i = 0; i < reconcile->options.host_count; i++) {
        struct round *r = &reconcile->rounds[i];

        loop_remove(STEAL(r->timer));
        forge_call_cancel(STEAL(r->call));
    }
}

void reconcile_free(struct reconcile *reconcile)
{
    if (!reconcile)
        return;
    for (size_t i = 0; i < reconcile->options.host_count; i++) {
        struct round *r = &reconcile->rounds[i];

        clear_repo(r);
        strv_clear(&r->repos);
        loop_remove(r->timer);
        forge_call_cancel(r->call);
        free(r->stamp);
    }
    free(reconcile->rounds);
    free(reconcile);
}
