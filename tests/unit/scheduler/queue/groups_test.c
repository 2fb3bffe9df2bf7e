/* tests/unit/scheduler/queue/groups_test.c - one run of a group at a time. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/scheduler/queue/pool.h"

static char name[] = "g";
static const struct concurrency any = {.group = name};
static const struct concurrency newest = {.group = name,
                                          .cancel_in_progress = true};
static const struct concurrency single = {.group = name, .queue = 1};
static const struct concurrency three = {.group = name, .queue = 3};

static void enter(struct pool *p, const char *id,
                  const struct concurrency *group)
{
    (void)submit(p, id, JOB(.concurrency = group));
}

static void cancel(struct pool *p, const char *id, const char *answer)
{
    assert_string_equal(word_of(p, SCRIPT_CANCEL, id, "cancelled"), answer);
}

static void expect_free(struct pool *p)
{
    expect_sound(p);
    assert_int_equal(redis_num(p, "EXISTS", "%groups", "%group:g"), 0);
}

static void test_any(void **state)
{
    struct pool *p = *state;

    enter(p, "a", &any);
    enter(p, "b", &any);
    enter(p, "c", &any);
    expect(p, "b", "state", "blocked");
    expect_sound(p);
    take_and_pass(p, "a");
    expect(p, "b", "state", "ready");
    take_and_pass(p, "b");
    take_and_pass(p, "c");
    expect_take(p, "");
    expect_free(p);
}

static void test_single(void **state)
{
    struct pool *p = *state;

    enter(p, "a", &single);
    enter(p, "b", &single);
    enter(p, "c", &single); /* in the place of b */
    expect(p, "b", "state", "cancelled");
    expect(p, "b", "reason", "superseded");
    expect(p, "a", "state", "ready");
    take_and_pass(p, "a");
    take_and_pass(p, "c");
    expect_free(p);
}

static void test_queue_of_three(void **state)
{
    struct pool *p = *state;
    static const char *const ids[] = {"a", "b", "c", "d", "e", "f"};

    for (size_t i = 0; i < ARRAY_LEN(ids); i++)
        enter(p, ids[i], &three);
    expect(p, "b", "state", "cancelled");
    expect(p, "c", "state", "cancelled");
    assert_int_equal(redis_num(p, "ZCARD", "%group:g"), 3);
    take_and_pass(p, "a");
    take_and_pass(p, "d");
    take_and_pass(p, "e");
    take_and_pass(p, "f");
    expect_free(p);
}

static void test_cancel_in_progress(void **state)
{
    struct pool *p = *state;
    struct given a, renewed;
    redisReply *reply;

    enter(p, "a", &newest);
    a = take(p);
    enter(p, "b", &newest);
    expect(p, "a", "cancel", "superseded");
    expect(p, "b", "state", "blocked");
    enter(p, "c", &newest);
    expect(p, "b", "state", "cancelled");
    expect_sound(p);
    reply = script(p, SCRIPT_RENEW, "w", LEASE_MS, "0", a.id, a.epoch, a.nonce,
                   NULL);
    assert_string_equal(queue_reply_str(reply, 1), "superseded");
    freeReplyObject(reply);
    assert_string_equal(end(p, &a, "cancelled", "superseded", "0"), "ok");
    renewed = take(p);
    assert_string_equal(renewed.id, "c");
    pass(p, &renewed);
    expect_free(p);
}

/* The holder waits only: it goes at once, and the new one takes its place. */
static void test_holder_that_waits(void **state)
{
    struct pool *p = *state;
    struct given given;

    enter(p, "a", &newest);
    enter(p, "b", &newest);
    expect(p, "a", "state", "cancelled");
    expect(p, "b", "state", "ready");
    given = take(p);
    /* A holder that is delayed for another attempt. */
    assert_string_equal(end(p, &given, "failed", "checkout_failed", "1"), "ok");
    expect(p, "b", "state", "delayed");
    enter(p, "c", &any);
    expect(p, "c", "state", "blocked");
    expect_sound(p);
    enter(p, "d", &newest);
    expect(p, "b", "state", "cancelled");
    expect(p, "c", "state", "cancelled");
    take_and_pass(p, "d");
    expect_free(p);
}

/* A retried holder keeps the group until it ends. */
static void test_holder_that_is_retried(void **state)
{
    struct pool *p = *state;
    struct given given;

    enter(p, "a", &any);
    enter(p, "b", &any);
    given = take(p);
    (void)end(p, &given, "failed", "checkout_failed", "1");
    expect_take(p, "");
    (void)redis_num(p, "ZADD", "%delayed", "1", "a");
    promote(p, "0");
    expect(p, "b", "state", "blocked");
    take_and_pass(p, "a");
    take_and_pass(p, "b");
    expect_free(p);
}

/* Every kind of end hands the group on. */
static void test_every_end(void **state)
{
    struct pool *p = *state;
    struct given given;

    enter(p, "a", &any);
    enter(p, "b", &any);
    cancel(p, "a", "cancelled"); /* while ready */
    given = take(p);
    assert_string_equal(given.id, "b");
    enter(p, "c", &any);
    (void)end(p, &given, "failed", "step_failed", "0");
    enter(p, "d", &any);
    given = take(p);
    assert_string_equal(given.id, "c");
    cancel(p, "c", "asked");
    (void)end(p, &given, "cancelled", "cancelled", "0");
    given = take(p);
    assert_string_equal(given.id, "d");
    (void)redis_num(p, "HSET", "%job:d", "infra_retries", "0");
    enter(p, "e", &any);
    (void)end(p, &given, "failed", "model_failed", "1"); /* exhausted */
    /* Expired while it has the group, and while it waits for it. */
    expect(p, "e", "state", "ready");
    enter(p, "f", &any);
    (void)submit(p, "g", JOB(.concurrency = &any, .expires_at_ms = 1000));
    promote(p, "0");
    expect(p, "g", "state", "failed");
    expect(p, "g", "reason", "expired");
    expect_sound(p);
    (void)redis_num(p, "HSET", "%job:e", "expires_at_ms", "1000");
    take_and_pass(p, "f");
    expect(p, "e", "reason", "expired");
    expect_free(p);
}

static void test_lost_worker(void **state)
{
    struct pool *p = *state;
    struct given given;
    CLEANUP(mem) char *slot = NULL;

    enter(p, "a", &any);
    enter(p, "b", &any);
    (void)redis_num(p, "HSET", "%job:a", "infra_retries", "0");
    given = take(p);
    slot = xasprintf("a:%s:none:", given.epoch);
    (void)redis_num(p, "HSET", "%conf", "reaped_at_ms", "9999999999999");
    (void)redis_num(p, "ZADD", "%slots", "1", slot);
    freeReplyObject(script(p, SCRIPT_REAP, "400", "1000", "0.5", NULL));
    expect(p, "a", "reason", "worker_lost");
    take_and_pass(p, "b");
    expect_free(p);
}

/* Tried again when somebody else has the group. */
static void test_retry(void **state)
{
    struct pool *p = *state;
    struct given given;

    enter(p, "a", &any);
    given = take(p);
    (void)end(p, &given, "failed", "step_failed", "0");
    enter(p, "b", &any);
    assert_string_equal(word_of(p, SCRIPT_RETRY, "a"), "queued");
    expect(p, "a", "state", "blocked");
    expect_sound(p);
    take_and_pass(p, "b");
    take_and_pass(p, "a");
    expect_free(p);
}

/* Delayed ones ask for the group when they are due. */
static void test_delayed(void **state)
{
    struct pool *p = *state;

    (void)submit(p, "a",
                 JOB(.concurrency = &any, .not_before_ms = 9999999999999));
    enter(p, "b", &any);
    expect(p, "b", "state", "ready");
    (void)redis_num(p, "ZADD", "%delayed", "1", "a");
    promote(p, "0");
    expect(p, "a", "state", "blocked");
    take_and_pass(p, "b");
    take_and_pass(p, "a");
    expect_free(p);
}

/* Who has the group is gone: nobody would ever hand it on. */
static void test_holder_is_gone(void **state)
{
    struct pool *p = *state;
    char id[16];

    (void)redis_num(p, "HSET", "%groups", "g", "ghost");
    enter(p, "a", &newest);
    expect(p, "a", "state", "ready");
    expect_sound(p);
    /* And many that wait are: what waits behind them begins. */
    for (int i = 0; i < 40; i++) {
        (void)snprintf(id, sizeof(id), "x%d", i);
        (void)redis_num(p, "ZADD", "%group:g", "1", id);
    }
    enter(p, "b", &any);
    take_and_pass(p, "a");
    take_and_pass(p, "b");
    expect_free(p);
}

/* The group's own run must not wait for itself. */
static void test_run_with_child(void **state)
{
    struct pool *p = *state;

    (void)submit(p, "r", JOB(.run_jobs = 5, .concurrency = &any));
    expect(p, "r", "state", "running");
    enter(p, "b", &newest);
    expect(p, "b", "state", "blocked");
    expect(p, "r", "cancel", "superseded");
    expect_sound(p);
    assert_string_equal(word_of(p, SCRIPT_ADVANCE, "r", "1", "1", "0", "0",
                                "cancelled", "superseded", ""),
                        "ok");
    take_and_pass(p, "b");
    expect_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_any),
        POOL_TEST(test_single),
        POOL_TEST(test_queue_of_three),
        POOL_TEST(test_cancel_in_progress),
        POOL_TEST(test_holder_that_waits),
        POOL_TEST(test_holder_that_is_retried),
        POOL_TEST(test_every_end),
        POOL_TEST(test_lost_worker),
        POOL_TEST(test_retry),
        POOL_TEST(test_delayed),
        POOL_TEST(test_holder_is_gone),
        POOL_TEST(test_run_with_child),
    };

    return cmocka_run_group_tests(tests, server_setup, server_teardown);
}
