/* tests/unit/scheduler/queue/cancel_test.c - asking for an end, anywhere. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/scheduler/queue/pool.h"

static enum queue_cancelled cancel(struct pool *p, const char *id)
{
    enum queue_cancelled what;
    struct err err = {ERR_NONE, 0, ""};

    if (queue_cancel(p->queue, id, "cancelled", &what, &err) < 0)
        fail_msg("%s", err.msg);
    return what;
}

/* What a renewal says of a lease. */
static const char *renew(struct pool *p, const struct given *given)
{
    static char word[32];
    redisReply *reply = script(p, SCRIPT_RENEW, "w", LEASE_MS, "0", given->id,
                               given->epoch, given->nonce, NULL);

    (void)snprintf(word, sizeof(word), "%s", queue_reply_str(reply, 1));
    freeReplyObject(reply);
    return word;
}

static void test_none(void **state)
{
    struct pool *p = *state;
    enum queue_cancelled what;
    struct err err;

    assert_int_equal(queue_cancel(p->queue, "a", "cancelled", &what, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    assert_int_equal(queue_cancel(p->queue, "A:", "cancelled", &what, &err),
                     -1);
}

static void expect_cancelled(struct pool *p, const char *id)
{
    CLEANUP(mem) char *key = xasprintf("%%job:%s", id);

    expect(p, id, "state", "cancelled");
    expect(p, id, "reason", "cancelled");
    assert_true(redis_num(p, "PTTL", key) > 0);
    assert_int_equal(cancel(p, id), QUEUE_CANCEL_ENDED);
    expect_sound(p);
}

static void test_waiting(void **state)
{
    struct pool *p = *state;
    char name[] = "g";
    const struct concurrency group = {.group = name};

    (void)submit(p, "ready", JOB(.concurrency = &group));
    (void)submit(p, "blocked", JOB(.concurrency = &group));
    (void)submit(
        p, "delayed",
        JOB(.not_before_ms = 9999999999999, .expires_at_ms = 9999999999999));
    assert_int_equal(cancel(p, "blocked"), QUEUE_CANCELLED);
    expect_cancelled(p, "blocked");
    assert_int_equal(cancel(p, "ready"), QUEUE_CANCELLED);
    expect_cancelled(p, "ready");
    assert_int_equal(cancel(p, "delayed"), QUEUE_CANCELLED);
    expect_cancelled(p, "delayed");
    expect_take(p, "");
    assert_int_equal(
        redis_num(p, "EXISTS", "%delayed", "%deadlines", "%groups", "%group:g"),
        0);
}

static void test_running(void **state)
{
    struct pool *p = *state;
    struct given given;

    (void)submit(p, "a", NULL);
    given = take(p);
    assert_string_equal(renew(p, &given), "ok");
    assert_int_equal(cancel(p, "a"), QUEUE_CANCEL_ASKED);
    assert_string_equal(redis_word(p, "LPOP", "%ctl:w"), "renew");
    assert_string_equal(word_of(p, SCRIPT_CANCEL, "a", "superseded"), "asked");
    assert_string_equal(renew(p, &given), "cancelled"); /* the first word */
    expect(p, "a", "state", "running");
    assert_string_equal(end(p, &given, "cancelled", "cancelled", "0"), "ok");
    expect_cancelled(p, "a");
    assert_string_equal(renew(p, &given), "lost");
}

/* It was done before it heard of it. */
static void test_too_late(void **state)
{
    struct pool *p = *state;
    struct given given;

    (void)submit(p, "a", NULL);
    given = take(p);
    assert_int_equal(cancel(p, "a"), QUEUE_CANCEL_ASKED);
    pass(p, &given);
    expect(p, "a", "state", "passed");
    assert_int_equal(cancel(p, "a"), QUEUE_CANCEL_ENDED);
}

/* Its worker died: it is not tried again. */
static void test_reaped(void **state)
{
    struct pool *p = *state;

    (void)submit(p, "a", NULL);
    expect_take(p, "a");
    assert_int_equal(cancel(p, "a"), QUEUE_CANCEL_ASKED);
    (void)redis_num(p, "HSET", "%conf", "reaped_at_ms", "9999999999999");
    (void)redis_num(p, "ZADD", "%slots", "1", "a:1:none:");
    freeReplyObject(script(p, SCRIPT_REAP, "400", "1000", "0.5", NULL));
    expect_cancelled(p, "a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_none),    POOL_TEST(test_waiting),
        POOL_TEST(test_running), POOL_TEST(test_too_late),
        POOL_TEST(test_reaped),
    };

    return cmocka_run_group_tests(tests, server_setup, server_teardown);
}
