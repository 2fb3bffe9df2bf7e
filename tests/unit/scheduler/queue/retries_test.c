/* tests/unit/scheduler/queue/retries_test.c - failed attempts, and the dead. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/scheduler/queue/pool.h"

static void make_due(struct pool *p, const char *id)
{
    assert_int_equal(redis_num(p, "ZADD", "%delayed", "XX", "CH", "1", id), 1);
    promote(p, "0");
    expect(p, id, "state", "ready");
}

/* One attempt of the only job that fails. */
static void fail_once(struct pool *p, const char *reason, const char *infra)
{
    struct given given = take(p);

    assert_string_equal(given.word, "");
    assert_string_equal(end(p, &given, "failed", reason, infra), "ok");
    expect_sound(p);
}

static void test_budgets(void **state)
{
    struct pool *p = *state;

    (void)submit(p, "a", JOB(.job_retries = 2));
    (void)redis_num(p, "HSET", "%job:a", "infra_retries", "1");
    fail_once(p, "step_failed", "0");
    make_due(p, "a");
    fail_once(p, "checkout_failed", "1");
    expect(p, "a", "state", "delayed");
    expect(p, "a", "job_failures", "1");
    expect(p, "a", "infra_failures", "1");
    expect(p, "a", "reason", "checkout_failed");
    make_due(p, "a");
    fail_once(p, "step_failed", "0");
    make_due(p, "a");
    fail_once(p, "step_failed", "0");
    expect(p, "a", "state", "failed");
    expect(p, "a", "epoch", "4");
    expect(p, "a", "exhausted", "");
    assert_int_equal(redis_num(p, "EXISTS", "%dead", "%delayed"), 0);
}

static void test_no_budget(void **state)
{
    struct pool *p = *state;

    (void)submit(p, "a", NULL);
    fail_once(p, "step_failed", "0");
    expect(p, "a", "state", "failed");
    expect_take(p, "");
    configure(p, "infra_retries", "0", NULL);
    (void)submit(p, "b", NULL);
    fail_once(p, "model_failed", "1");
    expect(p, "b", "state", "failed");
}

static void test_dead(void **state)
{
    struct pool *p = *state;

    (void)submit(p, "a", NULL); /* the infrastructure has three retries */
    for (int i = 0; i < 3; i++) {
        fail_once(p, "sandbox_failed", "1");
        make_due(p, "a");
    }
    fail_once(p, "sandbox_failed", "1");
    expect(p, "a", "state", "failed");
    expect(p, "a", "exhausted", "1");
    assert_string_equal(redis_word(p, "ZRANGE", "%dead", "0", "0"), "a");
    assert_true(redis_num(p, "PTTL", "%job:a") > 604800000);
    assert_true(redis_num(p, "PTTL", "%dead") > 604800000);
    /* As new. */
    assert_string_equal(word_of(p, SCRIPT_RETRY, "a"), "queued");
    assert_int_equal(redis_num(p, "EXISTS", "%dead", "%done"), 0);
    assert_int_equal(redis_num(p, "PTTL", "%job:a"), -1);
    expect(p, "a", "exhausted", "");
    expect(p, "a", "reason", "");
    expect(p, "a", "infra_failures", "");
    fail_once(p, "sandbox_failed", "1");
    expect(p, "a", "state", "delayed");
    expect(p, "a", "epoch", "5");
    expect(p, "a", "infra_failures", "1");
}

/* Between half of the wait and all of it; twice as long each time. */
static void test_back_off(void **state)
{
    struct pool *p = *state;
    static const char *const rands[] = {"0", "0.5", "0.999"};
    static const long long most[] = {1000, 2000, 4000, 5000, 5000};

    configure(p, "infra_retries", "100", "backoff_ms", "1000", "backoff_max_ms",
              "5000", NULL);
    (void)submit(p, "a", NULL);
    for (size_t i = 0; i < ARRAY_LEN(most); i++) {
        const char *rand = rands[i % 3];
        struct given given = take(p);
        int64_t before = now_ms(p), after;
        long long wait = (long long)((double)most[i] * (0.5 + atof(rand) / 2));
        long long due;

        assert_string_equal(word_of(p, SCRIPT_COMPLETE, WISH("", "0"), "a",
                                    given.epoch, given.nonce, "failed",
                                    "model_failed", "{}", "1", rand, "", "0"),
                            "ok");
        after = now_ms(p);
        due = redis_num(p, "ZSCORE", "%delayed", "a");
        assert_in_range(due, before + wait - 1, after + wait + 1);
        assert_in_range(wait, most[i] / 2, most[i]);
        make_due(p, "a");
    }
}

static void test_not_when_cancelled(void **state)
{
    struct pool *p = *state;
    struct given given;

    (void)submit(p, "a", JOB(.job_retries = 5));
    given = take(p);
    assert_string_equal(word_of(p, SCRIPT_CANCEL, "a", "superseded"), "asked");
    (void)end(p, &given, "failed", "worker_lost", "1");
    expect(p, "a", "state", "cancelled");
    expect(p, "a", "reason", "superseded");
    (void)submit(p, "b", JOB(.job_retries = 5));
    given = take(p);
    (void)word_of(p, SCRIPT_CANCEL, "b", "cancelled");
    (void)end(p, &given, "failed", "step_failed", "0");
    expect(p, "b", "state", "failed"); /* it was done before */
    (void)submit(p, "c", JOB(.job_retries = 5));
    given = take(p);
    (void)end(p, &given, "failed", "step_failed", "0");
    assert_string_equal(word_of(p, SCRIPT_CANCEL, "c", "cancelled"),
                        "cancelled");
    expect_sound(p);
    promote(p, "0");
    expect_take(p, "");
}

/* berth retry. */
static void test_by_hand(void **state)
{
    struct pool *p = *state;
    struct given given;
    struct err err;

    assert_int_equal(queue_retry(p->queue, "a", &err), -1); /* none */
    assert_int_equal(err.kind, ERR_USER);
    (void)submit(p, "a", NULL);
    assert_int_equal(queue_retry(p->queue, "a", &err), -1); /* ready */
    given = take(p);
    assert_int_equal(queue_retry(p->queue, "a", &err), -1); /* running */
    (void)end(p, &given, "failed", "step_failed", "0");
    assert_int_equal(queue_retry(p->queue, "a", &err), 0);
    /* What its first lease still says is for nobody. */
    assert_string_equal(end(p, &given, "passed", "", "0"), "lost");
    expect(p, "a", "state", "ready");
    expect(p, "a", "result", "");
    expect(p, "a", "ended_at_ms", "");
    expect_sound(p);
    take_and_pass(p, "a");
    assert_int_equal(queue_retry(p->queue, "a", &err), -1); /* passed */
    assert_int_equal(err.kind, ERR_USER);
    /* Cancelled before it began, and tried in spite of that. */
    (void)submit(p, "b", JOB_OF(JOB_LOW, .expires_at_ms = 9999999999999));
    (void)word_of(p, SCRIPT_CANCEL, "b", "cancelled");
    assert_int_equal(queue_retry(p->queue, "b", &err), 0);
    expect(p, "b", "cancel", "");
    expect(p, "b", "expires_at_ms", "");
    expect_sound(p);
    take_and_pass(p, "b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_budgets), POOL_TEST(test_no_budget),
        POOL_TEST(test_dead),    POOL_TEST(test_back_off),
        POOL_TEST(test_by_hand), POOL_TEST(test_not_when_cancelled),
    };

    return cmocka_run_group_tests(tests, server_setup, server_teardown);
}
