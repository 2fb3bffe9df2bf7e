/* tests/unit/scheduler/queue/report_test.c - what a Git host is to be told. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/report.h"

#include "scheduler/queue/inspect.h"
#include "scheduler/queue/job_args.h"
#include "tests/unit/scheduler/queue/report_pool.h"

#include <inttypes.h>

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
    int64_t end = now_ms(p) + 30000;

    submit_one(p, "a", REPORT(""));
    assert_string_equal(take_for(p, "n1", "60000", "github").id, "a");
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
    int64_t end = now_ms(p) + 30000;
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

/* ---- what was posted -------------------------------------------------------
 */

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
        POOL_TEST(test_unserved),   POOL_TEST(test_refused),
        POOL_TEST(test_released),   POOL_TEST(test_posted),
        POOL_TEST(test_gone),       POOL_TEST(test_forgotten),
    };

    return cmocka_run_group_tests(tests, server_setup, server_teardown);
}
