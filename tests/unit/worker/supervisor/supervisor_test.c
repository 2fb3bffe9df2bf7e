/* tests/unit/worker/supervisor/supervisor_test.c - with a fake run-job. */
/* SPDX-License-Identifier: Apache-2.0 */
/* long 35 */
#include "tests/unit/worker/supervisor/rig.h"

/* ---- tests -------------------------------------------------------------- */

static void test_outcomes(void **state)
{
    static const struct {
        const char *id, *fake, *state, *reason;
        unsigned sweeps;
    } cases[] = {
        /* Never three in a row without a sandbox: that makes a pause. */
        /* Three in a row that get no sandbox would make a pause. */
        {"c", "die", "failed", "sandbox_failed", 1},
        {"d", "exit3", "failed", "sandbox_failed", 1},
        {"e", "garbage", "failed", "sandbox_failed", 1},
        {"g", "other_job", "failed", "sandbox_failed", 1},
        {"a", "pass", "passed", "", 0},
        {"h", "bad_state", "failed", "sandbox_failed", 1},
        {"i", "not_json", "failed", "sandbox_failed", 1},
        {"b", "fail", "failed", "step_failed", 0},
        {"j", "bad_steps", "passed", "", 0},
        {"k", "leaves_some", "passed", "", 1},
    };
    struct fixture *f = *state;
    unsigned swept = 1; /* at the start */

    start_supervisor(f, 1, 4000);
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        submit(f, cases[i].id, cases[i].fake);
        run_until(f, &f->seen.ended, i + 1);
        expect(f, cases[i].id, cases[i].state, cases[i].reason);
        assert_string_equal(f->seen.state, cases[i].state);
        swept += cases[i].sweeps;
        assert_int_equal(sweeps(f), swept);
    }
    assert_int_equal(f->seen.started, ARRAY_LEN(cases));
    assert_int_equal(f->seen.failed, 0);
    /* The broken step frames were not passed on. */
    assert_int_equal(f->seen.frames[JOB_FRAME_STEP_START], 5);
    assert_int_equal(f->seen.frames[JOB_FRAME_STEP_END], 0);
    assert_int_equal(f->seen.frames[JOB_FRAME_RESULT], 4);
    assert_int_equal(f->seen.frames[JOB_FRAME_START], 0);
    assert_int_equal(f->seen.frames[99], 0);
}

static void test_log(void **state)
{
    struct fixture *f = *state;
    struct log_text log;

    start_supervisor(f, 1, 4000);
    submit(f, "a", "pass");
    run_until(f, &f->seen.ended, 1);
    read_log(f, "a", &log);
    assert_string_equal(log.text, "hello\na warning\na note\n");
    assert_int_equal(log.entries, 3);
}

static void test_bad_payload(void **state)
{
    struct fixture *f = *state;

    start_supervisor(f, 1, 4000);
    submit_payload(f, "a", "[1]");
    run_until(f, &f->seen.ended, 1);
    expect(f, "a", "failed", "pipeline_invalid");
    assert_int_equal(f->seen.started, 0);
}

static void test_no_run_job(void **state)
{
    struct fixture *f = *state;
    struct supervisor_options options = {
        .worker = "w", .state_dir = f->dir, .limits = {.capacity = 1}};
    struct err err;

    (void)setenv("BERTH_LIBEXEC", f->dir, 1);
    assert_int_equal(
        supervisor_new(f->loop, f->queue, &options, NULL, &f->supervisor, NULL),
        0);
    assert_int_equal(supervisor_start(f->supervisor, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    (void)setenv("BERTH_LIBEXEC", libexec, 1);
}

static void test_capacity(void **state)
{
    struct fixture *f = *state;
    char id[16];

    for (int i = 0; i < 5; i++) {
        (void)snprintf(id, sizeof(id), "j%d", i);
        submit(f, id, "hang");
    }
    start_supervisor(f, 3, 4000);
    run_until(f, &f->seen.frames[JOB_FRAME_STDOUT], 3);
    for (int i = 0; i < 5; i++)
        assert_int_equal(loop_step(f->loop, 50, NULL), 0);
    assert_int_equal(f->seen.started, 3);
    supervisor_drain(f->supervisor);
    supervisor_cancel(f->supervisor, "cancelled");
    run_until(f, &f->seen.ended, 3);
    for (int i = 0; i < 5; i++)
        assert_int_equal(loop_step(f->loop, 50, NULL), 0);
    assert_int_equal(f->seen.started, 3);
    expect(f, "j0", "cancelled", "cancelled");
}

static void test_cancel_through_redis(void **state)
{
    struct fixture *f = *state;

    start_supervisor(f, 1, 4000);
    submit(f, "a", "hang");
    run_until(f, &f->seen.frames[JOB_FRAME_STDOUT], 1);
    cancel(f, "a", "superseded");
    run_until(f, &f->seen.ended, 1);
    expect(f, "a", "cancelled", "superseded");
}

static void test_dies_of_cancel(void **state)
{
    struct fixture *f = *state;

    start_supervisor(f, 1, 4000);
    submit(f, "a", "dies_when_cancelled");
    run_until(f, &f->seen.frames[JOB_FRAME_STDOUT], 1);
    cancel(f, "a", "superseded");
    run_until(f, &f->seen.ended, 1);
    expect(f, "a", "cancelled", "superseded");
}

static void test_huge_result(void **state)
{
    struct fixture *f = *state;

    start_supervisor(f, 1, 4000);
    submit(f, "a", "huge_result");
    run_until(f, &f->seen.ended, 1);
    expect(f, "a", "failed", "sandbox_failed");
    assert_non_null(strstr(f->seen.result, "result is over 1048575 bytes"));
}

/* run-job is told them; Redis never was: not even its append-only file. */
static void test_secrets(void **state)
{
    static const char grep[] = "! grep -r -e hunter22 -e wordpass \"$0\"";
    struct fixture *f = *state;
    const char *const argv[] = {"sh", "-c", grep, server.dir, NULL};
    CLEANUP(strbuf) struct strbuf found = STRBUF_INIT;
    struct log_text log;

    f->secrets = json_pack("{s:s, s:s, s:{s:s}}", "username", "hunter22",
                           "password", "wordpass", "env", "TOKEN", "abc");
    start_supervisor(f, 1, 4000);
    submit(f, "a", "secrets");
    run_until(f, &f->seen.ended, 1);
    expect(f, "a", "passed", "");
    read_log(f, "a", &log);
    assert_non_null(strstr(log.text, "abc 22retnuh"));
    assert_int_equal(proc_run(argv, 20000, &found, NULL), 0);
}

static void test_cancel_twice(void **state)
{
    struct fixture *f = *state;

    start_supervisor(f, 1, 4000);
    submit(f, "a", "stubborn");
    run_until(f, &f->seen.frames[JOB_FRAME_STDOUT], 1);
    supervisor_cancel(f->supervisor, "cancelled");
    for (int i = 0; i < 4; i++)
        assert_int_equal(loop_step(f->loop, 50, NULL), 0);
    assert_int_equal(f->seen.ended, 0);
    supervisor_cancel(f->supervisor, "cancelled");
    run_until(f, &f->seen.ended, 1);
    expect(f, "a", "cancelled", "cancelled");
}

/* From inside an event, and one that neither answers nor goes: killed 15 s
 * after the second cancel. */
static void test_deaf(void **state)
{
    struct fixture *f = *state;
    int64_t begin = clock_mono_ms();

    start_supervisor(f, 1, 4000);
    f->seen.cancel_at_output = f->supervisor;
    submit(f, "a", "deaf");
    run_until(f, &f->seen.frames[JOB_FRAME_STDOUT], 1);
    supervisor_cancel(f->supervisor, "cancelled");
    run_until(f, &f->seen.ended, 1);
    assert_in_range(clock_mono_ms() - begin, 14000, 29000);
    expect(f, "a", "cancelled", "cancelled");
    assert_int_equal(sweeps(f), 2);
}

static void test_deadlines_are_told(void **state)
{
    struct fixture *f = *state;
    struct log_text log;
    int64_t deadlines[32];
    int64_t now = clock_mono_ms();
    size_t n = 0;

    start_supervisor(f, 1, 4000);
    submit(f, "a", "sleep");
    run_until(f, &f->seen.ended, 1);
    read_log(f, "a", &log);
    for (char *p = log.text; n < 32 && (p = strstr(p, "deadline ")); p++)
        deadlines[n++] = strtoll(p + 9, NULL, 10);
    assert_true(n >= 4); /* 1500 ms, renewed each 200 */
    assert_true(deadlines[0] >= now + 4000);
    for (size_t i = 1; i < n; i++)
        assert_true(deadlines[i] > deadlines[i - 1]);
}

static void test_lease_lost(void **state)
{
    struct fixture *f = *state;
    CLEANUP(mem) char *key = xasprintf("berth:{%s}:job:a", f->pool);
    const char *const list[] = {"HSET", key, "nonce", "another"};
    const struct redis_words words = {list, NULL, ARRAY_LEN(list)};
    const struct redis_options options = {.url = server.url};
    CLEANUP(redis_sync) struct redis_sync *redis = NULL;
    struct redisReply *reply = NULL;

    start_supervisor(f, 1, 4000);
    submit(f, "a", "hang");
    run_until(f, &f->seen.frames[JOB_FRAME_STDOUT], 1);
    assert_int_equal(redis_sync_open(&options, &redis, NULL), 0);
    assert_int_equal(redis_sync_command(redis, &words, &reply, NULL), 0);
    freeReplyObject(reply);
    run_until(f, &f->seen.failed, 1);
    assert_int_equal(f->seen.err.kind, ERR_LOST);
    assert_int_equal(f->seen.ended, 0);
}

/* Redis is away while the job runs and ends: the result comes through. */
static void test_redis_restarts(void **state)
{
    struct fixture *f = *state;

    start_supervisor(f, 1, 30000);
    submit(f, "a", "sleep");
    run_until(f, &f->seen.started, 1);
    redis_server_kill(&server);
    for (int i = 0; i < 20; i++)
        assert_int_equal(loop_step(f->loop, 100, NULL), 0);
    assert_int_equal(f->seen.ended, 0);
    redis_server_start(&server);
    run_until(f, &f->seen.ended, 1);
    expect(f, "a", "passed", "");
}

static void test_redis_away_for_good(void **state)
{
    struct fixture *f = *state;
    int64_t begin;

    start_supervisor(f, 1, 4000);
    submit(f, "a", "hang");
    run_until(f, &f->seen.frames[JOB_FRAME_STDOUT], 1);
    redis_server_signal(&server, SIGSTOP);
    begin = clock_mono_ms();
    run_until(f, &f->seen.failed, 1);
    /* Not by what it asked, which is given up after 10 s. */
    assert_in_range(clock_mono_ms() - begin, 2000, 9000);
    assert_int_equal(f->seen.err.kind, ERR_TRANSIENT);
    redis_server_signal(&server, SIGCONT);
}

/* A result is not thrown away for what an administrator corrects. */
static void test_result_is_refused(void **state)
{
    struct fixture *f = *state;

    start_supervisor(f, 1, 20000);
    submit(f, "a", "sleep");
    run_to(f, &f->seen.started, 1);
    freeReplyObject(ASK("ACL", "SETUSER", "default", "-evalsha", "-eval"));
    run_to(f, &f->seen.frames[JOB_FRAME_RESULT], 1);
    run_for(f, 1000);
    assert_int_equal(f->seen.ended + f->seen.failed, 0);
    freeReplyObject(ASK("ACL", "SETUSER", "default", "+@all"));
    run_until(f, &f->seen.ended, 1);
    expect(f, "a", "passed", "");
}

static void test_free_while_running(void **state)
{
    struct fixture *f = *state;
    int64_t begin;

    start_supervisor(f, 2, 4000);
    submit(f, "a", "hang");
    submit(f, "b", "hang");
    run_until(f, &f->seen.frames[JOB_FRAME_STDOUT], 2);
    begin = clock_mono_ms();
    supervisor_free(STEAL(f->supervisor));
    assert_true(clock_mono_ms() - begin < 10000);
    assert_int_equal(sweeps(f), 1);
    assert_int_equal(f->seen.ended, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_outcomes),
        TEST(test_log),
        TEST(test_bad_payload),
        TEST(test_no_run_job),
        TEST(test_capacity),
        TEST(test_cancel_through_redis),
        TEST(test_dies_of_cancel),
        TEST(test_huge_result),
        TEST(test_secrets),
        TEST(test_cancel_twice),
        TEST(test_deaf),
        TEST(test_deadlines_are_told),
        TEST(test_lease_lost),
        TEST(test_redis_restarts),
        TEST(test_redis_away_for_good),
        TEST(test_result_is_refused),
        TEST(test_free_while_running),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
