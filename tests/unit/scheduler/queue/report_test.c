/* tests/unit/scheduler/queue/report_test.c - what a Git host is to be told. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/report.h"

#include "scheduler/queue/change.h"
#include "scheduler/queue/inspect.h"
#include "scheduler/queue/job_args.h"
#include "tests/unit/scheduler/queue/pool.h"

#include <inttypes.h>

#define COMMIT "0123456789012345678901234567890123456789"

/* ---- a scheduler -----------------------------------------------------------
 */

/* What a scheduler was given. */
struct due {
    char host[16]; /* "": nothing was due */
    char id[QUEUE_MAX_ID + 1];
    char rev[16], state[16];
    long tries, latest;
    char posted[64]; /* the first fingerprint and its word */
};

static struct due take_for(struct pool *p, const char *nonce,
                           const char *hold_ms, const char *host)
{
    redisReply *reply = script(p, SCRIPT_REPORT_TAKE, "s", nonce, hold_ms, host,
                               strcmp(host, "github") ? NULL : "gitlab", NULL);
    struct due due = {.host = ""};

    if (reply->elements) {
        const redisReply *posted = reply->element[16];

        (void)snprintf(due.host, sizeof(due.host), "%s",
                       queue_reply_str(reply, 0));
        (void)snprintf(due.id, sizeof(due.id), "%s", queue_reply_str(reply, 1));
        (void)snprintf(due.rev, sizeof(due.rev), "%s",
                       queue_reply_str(reply, 2));
        (void)snprintf(due.state, sizeof(due.state), "%s",
                       queue_reply_str(reply, 3));
        due.tries = (long)queue_reply_num(reply, 14);
        due.latest = (long)queue_reply_num(reply, 15);
        if (posted->elements)
            (void)snprintf(due.posted, sizeof(due.posted), "%s %s",
                           queue_reply_str(posted, 0),
                           queue_reply_str(posted, 1));
    }
    freeReplyObject(reply);
    return due;
}

static struct due take_due(struct pool *p, const char *nonce)
{
    return take_for(p, nonce, "60000", "github");
}

static const char *tell(struct pool *p, const char *nonce, const char *what)
{
    return word_of(p, SCRIPT_REPORT_DONE, "github", nonce, what, "it said so",
                   "200", "0.5", "", "0", "0", "0");
}

/* What is due is this job in this state. */
static void expect_due(struct pool *p, const char *nonce, const char *id,
                       const char *state)
{
    struct due due = take_due(p, nonce);

    assert_string_equal(due.id, id);
    assert_string_equal(due.state, state);
}
#define expect_told(p, id, state)                                              \
    do {                                                                       \
        expect_due(p, "told", id, state);                                      \
        assert_string_equal(tell(p, "told", "done"), "done");                  \
    } while (0)
#define expect_nothing(p) assert_string_equal(take_due(p, "none").id, "")

#define REPORT(more)                                                           \
    "{\"forge\":\"github\",\"repo\":\"a/b\",\"commit\":\"" COMMIT "\"" more "}"
#define CHANGE REPORT(",\"change\":\"7\"")

static void submit_one(struct pool *p, const char *id, const char *report)
{
    (void)submit(p, id, JOB(.report = report, .pipeline = "test"));
}

static int64_t due_at(struct pool *p, const char *id)
{
    return redis_num(p, "ZSCORE", "%outbox:github", id);
}

static bool is_there(struct pool *p, const char *key, const char *id)
{
    return *redis_word(p, "ZSCORE", key, id);
}

/* ---- what is due ------------------------------------------------------------
 */

static void test_states(void **state)
{
    struct pool *p = *state;
    struct given given;

    submit_one(p, "a", REPORT(""));
    (void)submit(p, "silent", NULL);
    expect_told(p, "a", "ready");
    expect_nothing(p);
    given = take(p);
    expect_told(p, "a", "running");
    pass(p, &given);
    expect_told(p, "a", "passed");
    expect_nothing(p);
    expect(p, "a", "report_told", "3");
    expect_sound(p);
}

/* States between two reports are not told; none is told after a later one. */
static void test_coalesces(void **state)
{
    struct pool *p = *state;
    struct given given;

    submit_one(p, "a", REPORT(""));
    given = take(p);
    (void)end(p, &given, "failed", "step_failed", "0");
    expect_told(p, "a", "failed");
    expect_nothing(p);
    expect(p, "a", "report_told", "3");
    /* It changes while it is told. */
    assert_string_equal(word_of(p, SCRIPT_RETRY, "a"), "queued");
    expect_due(p, "n1", "a", "ready");
    given = take(p);
    assert_string_equal(tell(p, "n1", "done"), "due");
    expect_told(p, "a", "running");
    pass(p, &given);
    expect_told(p, "a", "passed");
}

static void test_retried(void **state)
{
    struct pool *p = *state;
    struct given given;

    configure(p, "backoff_ms", "60000", "backoff_max_ms", "60000", NULL);
    submit_one(p, "a", REPORT(""));
    given = take(p);
    (void)end(p, &given, "failed", "sandbox_failed", "1");
    expect_told(p, "a", "delayed");
    assert_string_equal(word_of(p, SCRIPT_CANCEL, "a", "cancelled"),
                        "cancelled");
    expect_told(p, "a", "cancelled");
    /* A worker dies. */
    submit_one(p, "b", REPORT(""));
    (void)take(p);
    expect_told(p, "b", "running");
    (void)redis_num(p, "ZADD", "%slots", "1", "b:1:none:test");
    (void)word_of(p, SCRIPT_REAP, "400", "1000", "0");
    (void)redis_num(p, "HDEL", "%conf", "reap_from_ms");
    freeReplyObject(script(p, SCRIPT_REAP, "400", "1000", "0", NULL));
    expect_told(p, "b", "delayed");
}

/* A run is told of, its jobs are not. */
static void test_run(void **state)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    static const char *const words[] = {"run", "0", "0", "0", "0",
                                        "",    "",  "",  "0"};
    struct pool *p = *state;
    struct given given;

    (void)submit(p, "run", JOB(.run_jobs = 1, .report = REPORT("")));
    expect_told(p, "run", "running");
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        queue_args_str(&args, words[i]);
    job_args_add(&args, JOB(.id = "run-1", .payload = "{}", .tenant = "r"));
    assert_string_equal(first_word(run(p, SCRIPT_ADVANCE, &args)), "ok");
    given = take(p);
    assert_string_equal(given.id, "run-1");
    pass(p, &given);
    expect_nothing(p);
    assert_string_equal(word_of(p, SCRIPT_ADVANCE, "run", "2", "1", "0", "0",
                                "passed", "", "{}"),
                        "ok");
    expect_told(p, "run", "passed");
}

static void test_hosts(void **state)
{
    struct pool *p = *state;

    submit_one(p, "none", "{}");
    submit_one(p, "bad", "[");
    submit_one(p, "odd", "{\"forge\":\"sourcehut\"}");
    submit_one(p, "hub", "{\"forge\":\"github\"}");
    submit_one(p, "jo", "{\"forge\":\"forgejo\"}");
    submit_one(p, "lab", "{\"forge\":\"gitlab\"}");
    /* One that is held keeps none of the others. */
    assert_string_equal(take_for(p, "n1", "60000", "github").id, "hub");
    assert_string_equal(take_for(p, "n2", "60000", "github").id, "lab");
    assert_string_equal(take_for(p, "n3", "60000", "github").id, "");
    assert_string_equal(take_for(p, "n4", "60000", "gitea").id, "jo");
    assert_string_equal(take_for(p, "n5", "60000", "other").id, "odd");
    expect(p, "bad", "report_rev", "");
    expect_sound(p);
}

/* ---- holding ---------------------------------------------------------------
 */

static void test_hold(void **state)
{
    struct pool *p = *state;

    submit_one(p, "a", REPORT(""));
    submit_one(p, "b", REPORT(""));
    expect_due(p, "n1", "a", "ready");
    expect_nothing(p); /* not b either: one at a time */
    /* Who did not hear the answer asks again. */
    expect_due(p, "n1", "a", "ready");
    assert_string_equal(tell(p, "other", "done"), "lost");
    assert_string_equal(word_of(p, SCRIPT_REPORT_RENEW, "github", "other", "1"),
                        "0");
    assert_string_equal(tell(p, "n1", "done"), "done");
    assert_string_equal(tell(p, "n1", "done"), "lost"); /* and no harm */
    expect_told(p, "b", "ready");
}

/* Whoever held it is gone: its job is told by another. */
static void test_takes_back(void **state)
{
    struct pool *p = *state;
    int64_t end = now_ms(p) + 5000;

    submit_one(p, "a", REPORT(""));
    assert_string_equal(take_for(p, "n1", "100", "github").id, "a");
    expect_nothing(p);
    assert_string_equal(word_of(p, SCRIPT_REPORT_RENEW, "github", "n1", "200"),
                        "1");
    while (!*take_for(p, "n2", "60000", "github").id && now_ms(p) < end)
        pause_ms(10);
    assert_string_equal(redis_word(p, "HGET", "%reporting:github", "nonce"),
                        "n2");
    assert_string_equal(tell(p, "n1", "done"), "lost");
    assert_string_equal(tell(p, "n2", "done"), "done");
    expect(p, "a", "report_told", "1");
}

/* ---- what becomes of it -----------------------------------------------------
 */

static void test_backs_off(void **state)
{
    static const long waits[] = {2000,   4000,   8000,   16000,  32000, 64000,
                                 128000, 256000, 512000, 600000, 600000};
    struct pool *p = *state;

    submit_one(p, "a", REPORT(""));
    for (size_t i = 0; i < ARRAY_LEN(waits); i++) {
        int64_t before = now_ms(p);
        int64_t wait;

        (void)redis_num(p, "ZADD", "%outbox:github", "1", "a");
        assert_int_equal(take_due(p, "n1").tries, i);
        assert_string_equal(tell(p, "n1", "again"), "again");
        wait = due_at(p, "a") - before; /* rand is a half */
        assert_in_range(wait, waits[i] * 3 / 4, waits[i] * 3 / 4 + 2000);
        expect_nothing(p);
    }
    expect(p, "a", "report_error", "it said so");
    /* News are told at once. */
    (void)take(p);
    expect_told(p, "a", "running");
    expect(p, "a", "report_error", "");
    expect(p, "a", "report_tries", "");
}

static void test_gives_up(void **state)
{
    struct pool *p = *state;

    submit_one(p, "a", REPORT(""));
    (void)redis_num(p, "HSET", "%job:a", "report_failed_at_ms", "1000");
    expect_due(p, "n1", "a", "ready");
    assert_string_equal(tell(p, "n1", "again"), "refused");
    assert_true(is_there(p, "%unreported", "a"));
    expect_nothing(p);
}

/* By who cannot tell that host: only while nobody is there who can. */
static void test_unserved(void **state)
{
    struct pool *p = *state;
    CLEANUP(mem) char *minute = NULL;
    CLEANUP(mem) char *hours = NULL;

    submit_one(p, "a", REPORT(""));
    assert_string_equal(take_for(p, "n1", "60000", "-github").id, "a");
    assert_string_equal(tell(p, "n1", "unserved"), "unserved");
    assert_in_range(due_at(p, "a") - now_ms(p), 500, 2000);
    expect(p, "a", "report_error", "it said so");
    expect_nothing(p); /* and now there is somebody who can */
    (void)redis_num(p, "ZADD", "%outbox:github", "1", "a");
    assert_string_equal(take_for(p, "n1", "60000", "-github").id, "");
    /* He has not asked for a minute. */
    minute = xasprintf("%" PRId64, now_ms(p) - 70000);
    (void)redis_word(p, "SET", "%served:github", minute);
    assert_string_equal(take_for(p, "n1", "60000", "-github").id, "a");
    hours = xasprintf("%" PRId64, now_ms(p) - 2 * 3600000);
    (void)redis_num(p, "HSET", "%job:a", "report_failed_at_ms", hours,
                    "report_tries", "9");
    assert_string_equal(tell(p, "n1", "unserved"), "unserved");
    assert_in_range(due_at(p, "a") - now_ms(p), 15000, 30000);
    /* He is gone for an hour. */
    (void)redis_num(p, "DEL", "%served:github");
    (void)redis_num(p, "ZADD", "%outbox:github", "1", "a");
    assert_string_equal(take_for(p, "n1", "60000", "-github").id, "a");
    assert_string_equal(tell(p, "n1", "unserved"), "refused");
}

static void test_pause(void **state)
{
    struct pool *p = *state;
    int64_t end = now_ms(p) + 5000;
    json_t *look = NULL, *depths = NULL;

    submit_one(p, "a", REPORT(""));
    submit_one(p, "b", REPORT(""));
    submit_one(p, "lab", "{\"forge\":\"gitlab\"}");
    expect_due(p, "n1", "a", "ready");
    assert_string_equal(tell(p, "n1", "paused"), "paused");
    /* For all, and not for another kind of host. */
    assert_string_equal(take_for(p, "n2", "60000", "github").id, "lab");
    assert_int_equal(queue_report_look(p->queue, "b", &look, NULL), 0);
    assert_string_equal(json_string_value(json_object_get(look, "state")),
                        "waiting");
    assert_string_equal(json_string_value(json_object_get(look, "pause")),
                        "it said so");
    json_decref(look);
    (void)redis_num(p, "PEXPIRE", "%paused:github", "60000");
    assert_int_equal(queue_depths(p->queue, &depths, NULL), 0);
    assert_true(
        json_integer_value(json_object_get(depths, "github_paused_ms")) > 1000);
    assert_int_equal(json_integer_value(json_object_get(depths, "outbox")), 3);
    json_decref(depths);
    (void)redis_num(p, "PEXPIRE", "%paused:github", "50");
    while (!*take_due(p, "n3").id && now_ms(p) < end)
        pause_ms(10);
    assert_string_equal(tell(p, "n3", "done"), "done");
    expect_told(p, "b", "ready");
}

static void test_refused(void **state)
{
    struct pool *p = *state;
    json_t *look = NULL, *rows = NULL;
    struct err err;

    submit_one(p, "a", REPORT(""));
    expect_due(p, "n1", "a", "ready");
    assert_string_equal(tell(p, "n1", "refused"), "refused");
    expect_nothing(p);
    assert_int_equal(queue_unreported(p->queue, 10, &rows, NULL), 0);
    assert_int_equal(json_array_size(rows), 1);
    assert_string_equal(
        json_string_value(json_object_get(json_array_get(rows, 0), "error")),
        "it said so");
    json_decref(rows);
    assert_int_equal(queue_report_look(p->queue, "a", &look, NULL), 0);
    assert_string_equal(json_string_value(json_object_get(look, "state")),
                        "refused");
    json_decref(look);
    /* Again, on request … */
    assert_int_equal(queue_report_again(p->queue, "a", NULL), 0);
    assert_false(is_there(p, "%unreported", "a"));
    expect_due(p, "n1", "a", "ready");
    assert_string_equal(tell(p, "n1", "refused"), "refused");
    /* … and when there is news, even if that came meanwhile. */
    (void)take(p);
    expect_due(p, "n1", "a", "running");
    (void)word_of(p, SCRIPT_REPORT_AGAIN, "a");
    assert_string_equal(tell(p, "n1", "refused"), "due");
    expect_told(p, "a", "running");
    assert_int_equal(queue_report_again(p->queue, "no", &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    (void)submit(p, "silent", NULL);
    assert_int_equal(queue_report_again(p->queue, "silent", &err), -1);
    assert_non_null(strstr(err.msg, "to nobody"));
    assert_int_equal(queue_report_look(p->queue, "silent", &look, NULL), 0);
    assert_null(look);
    expect_sound(p);
}

static void test_released(void **state)
{
    struct pool *p = *state;

    submit_one(p, "a", REPORT(""));
    expect_due(p, "n1", "a", "ready");
    assert_string_equal(tell(p, "n1", "released"), "released");
    expect(p, "a", "report_tries", "");
    expect_told(p, "a", "ready");
}

/* ---- changes ---------------------------------------------------------------
 */

struct listed {
    unsigned calls;
    size_t count;
    char ids[64];
    char commit[48];
};

static void on_jobs(void *arg, const struct queue_change_job *jobs,
                    size_t count, const struct err *err)
{
    struct listed *listed = arg;

    assert_null(err);
    listed->calls++;
    listed->count = count;
    for (size_t i = 0; i < count && i < 3; i++)
        (void)snprintf(listed->ids + strlen(listed->ids),
                       sizeof(listed->ids) - strlen(listed->ids), "%s:%s ",
                       jobs[i].id, jobs[i].state);
    if (count)
        (void)snprintf(listed->commit, sizeof(listed->commit), "%s",
                       jobs[0].commit);
}

static struct listed list(struct pool *p, const char *repo, const char *number)
{
    const struct queue_change change = {"github", repo, number};
    struct listed listed = {0};

    queue_change_jobs(p->queue, &change, on_jobs, &listed);
    while (!listed.calls)
        assert_int_equal(loop_step(p->loop, 1000, NULL), 0);
    return listed;
}

static void test_change(void **state)
{
    struct pool *p = *state;
    struct listed listed;

    submit_one(p, "a", CHANGE);
    submit_one(p, "b", REPORT(",\"change\":7"));
    submit_one(p, "c", REPORT(",\"change\":\"8\""));
    submit_one(p, "d", REPORT(""));
    (void)submit(p, "e", JOB(.report = CHANGE, .pipeline = "review"));
    (void)take(p);
    listed = list(p, "a/b", "7");
    assert_string_equal(listed.ids, "e:ready b:ready a:running ");
    assert_string_equal(listed.commit, COMMIT);
    assert_int_equal(list(p, "a/b", "9").count, 0);
    assert_int_equal(list(p, "a/b", "x").count, 0);
    /* Those of a commit that are of no change. */
    assert_string_equal(list(p, "a/b", COMMIT).ids, "d:ready ");
    assert_int_equal(list(p, "a/c", COMMIT).count, 0);
    /* `a` is older than `b`; `e` is of another pipeline. */
    assert_int_equal(take_due(p, "n1").latest, 0);
    (void)tell(p, "n1", "done");
    assert_int_equal(take_due(p, "n1").latest, 1);
    (void)tell(p, "n1", "done");
}

/* A job that never was is told like any other. */
static void test_invalid(void **state)
{
    struct pool *p = *state;
    redisReply *reply;

    assert_string_equal(word_of(p, SCRIPT_INVALID, "x-1", "t", "ci", CHANGE,
                                "{}", "{\"message\":\"m\"}"),
                        "made");
    assert_string_equal(list(p, "a/b", "7").ids, "x-1:failed ");
    assert_true(is_there(p, "%done", "x-1"));
    assert_true(redis_num(p, "PTTL", "%job:x-1") > 0);
    assert_string_equal(word_of(p, SCRIPT_RETRY, "x-1"), "gone");
    expect_told(p, "x-1", "failed");
    expect_nothing(p);
    expect(p, "x-1", "reason", "pipeline_invalid");
    assert_string_equal(word_of(p, SCRIPT_INVALID, "x-1", "t", "ci", CHANGE,
                                "{}", "{\"message\":\"m\"}"),
                        "told");
    reply = script(p, SCRIPT_REPORT_TAKE, "s", "n1", "60000", "github", NULL);
    assert_string_equal(queue_reply_str(reply, 6), "{\"message\":\"m\"}");
    freeReplyObject(reply);
    assert_string_equal(tell(p, "n1", "done"), "done");
    expect_sound(p);
}

/* ---- what was reviewed -----------------------------------------------------
 */

static void on_reviews(void *arg, const char *const *results, size_t count,
                       const struct err *err)
{
    struct listed *listed = arg;

    assert_null(err);
    listed->calls++;
    listed->count = count;
    for (size_t i = 0; i < count; i++)
        (void)snprintf(listed->ids + strlen(listed->ids),
                       sizeof(listed->ids) - strlen(listed->ids), "%s ",
                       strchr(results[i], '#'));
}

static void end_with(struct pool *p, const char *id, const char *state,
                     const char *result)
{
    CLEANUP(mem) char *key = xasprintf("%%job:%s", id);

    freeReplyObject(
        redis(p, "HSET", key, "state", state, "result", result, NULL));
}

static void test_reviews(void **state)
{
    static const char *const ids[] = {"r1", "r2", "r3", "r4", "r5", "r6"};
    const struct queue_change change = {"github", "a/b", "7"};
    struct pool *p = *state;
    struct listed listed = {0};

    for (size_t i = 0; i < ARRAY_LEN(ids); i++)
        submit_one(p, ids[i], REPORT(",\"change\":7,\"name\":\"review\""));
    submit_one(p, "o", REPORT(",\"change\":7,\"name\":\"other\""));
    submit_one(p, "c", REPORT(",\"change\":8,\"name\":\"review\""));
    end_with(p, "r1", "passed", "{\"review\":{}}#r1");
    end_with(p, "r2", "failed", "{\"review\":{}}#r2");
    end_with(p, "r3", "cancelled", "{\"review\":{}}#r3");
    end_with(p, "r4", "passed", "{}#r4");
    end_with(p, "r5", "passed", "{\"review\":{}}#r5");
    end_with(p, "o", "passed", "{\"review\":{}}#o");
    end_with(p, "c", "passed", "{\"review\":{}}#c");
    queue_change_reviews(p->queue, &change, "review", on_reviews, &listed);
    while (!listed.calls)
        assert_int_equal(loop_step(p->loop, 1000, NULL), 0);
    assert_string_equal(listed.ids, "#r5 #r2 #r1 ");
}

static void test_change_bounds(void **state)
{
    struct pool *p = *state;
    char id[16];

    for (int i = 0; i < 105; i++) {
        (void)snprintf(id, sizeof(id), "j%d", i);
        submit_one(p, id, CHANGE);
    }
    assert_int_equal(list(p, "a/b", "7").count, 100);
    /* One that is not in the list any more is old all the same. */
    (void)redis_num(p, "ZADD", "%outbox:github", "1", "j0");
    assert_int_equal(take_due(p, "n1").latest, 0);
}

static void test_posted(void **state)
{
    struct pool *p = *state;

    submit_one(p, "a", CHANGE);
    assert_string_equal(take_due(p, "n1").posted, "");
    (void)word_of(p, SCRIPT_REPORT_DONE, "github", "n1", "done", "", "0", "0",
                  "", "2", "1", "1", "f1", "open");
    expect(p, "a", "report_comments", "2");
    expect(p, "a", "report_resolved", "1");
    submit_one(p, "b", CHANGE);
    assert_string_equal(take_due(p, "n1").posted, "f1 open");
    /* What failed says nothing of what is there. */
    (void)tell(p, "n1", "again");
    (void)take(p);
    assert_string_equal(take_due(p, "n1").posted, "f1 open");
    (void)word_of(p, SCRIPT_REPORT_DONE, "github", "n1", "done", "", "0", "0",
                  "", "0", "0", "1", "f2", "gone");
    submit_one(p, "c", CHANGE);
    assert_string_equal(take_due(p, "n1").posted, "f2 gone");
    assert_int_equal(redis_num(p, "HLEN", "%posted:github:a/b:7"), 1);
}

/* ---- the end of a job
 * --------------------------------------------------------
 */

/* A job that Redis has forgotten is passed over, and not made again. */
static void test_gone(void **state)
{
    struct pool *p = *state;

    submit_one(p, "a", REPORT(""));
    submit_one(p, "b", REPORT(""));
    (void)redis_num(p, "DEL", "%job:a");
    expect_due(p, "n1", "b", "ready");
    (void)redis_num(p, "DEL", "%job:b");
    assert_string_equal(tell(p, "n1", "refused"), "refused");
    assert_int_equal(redis_num(p, "EXISTS", "%job:b"), 0);
    assert_int_equal(redis_num(p, "EXISTS", "%outbox:github"), 0);
    assert_int_equal(redis_num(p, "EXISTS", "%unreported"), 0);
}

/* What is forgotten leaves nothing. */
static void test_forgotten(void **state)
{
    struct pool *p = *state;
    struct given given;

    submit_one(p, "a", CHANGE);
    given = take(p);
    pass(p, &given);
    assert_string_equal(word_of(p, SCRIPT_TRIM, "0"), "0"); /* it waits */
    expect_due(p, "n1", "a", "passed");
    assert_string_equal(tell(p, "n1", "refused"), "refused");
    assert_string_equal(word_of(p, SCRIPT_TRIM, "0"), "1");
    assert_int_equal(redis_num(p, "EXISTS", "%unreported"), 0);
    assert_int_equal(redis_num(p, "EXISTS", "%change:github:a/b:7"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_states),     POOL_TEST(test_coalesces),
        POOL_TEST(test_retried),    POOL_TEST(test_run),
        POOL_TEST(test_hosts),      POOL_TEST(test_hold),
        POOL_TEST(test_takes_back), POOL_TEST(test_backs_off),
        POOL_TEST(test_gives_up),   POOL_TEST(test_pause),
        POOL_TEST(test_unserved),   POOL_TEST(test_invalid),
        POOL_TEST(test_refused),    POOL_TEST(test_released),
        POOL_TEST(test_change),     POOL_TEST(test_change_bounds),
        POOL_TEST(test_posted),     POOL_TEST(test_gone),
        POOL_TEST(test_forgotten),  POOL_TEST(test_reviews),
    };

    return cmocka_run_group_tests(tests, server_setup, server_teardown);
}
