/* tests/unit/scheduler/queue/trim_test.c - what is forgotten, and when. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/scheduler/queue/pool.h"

#define DAY ((int64_t)86400000)

static long trim(struct pool *p, const char *keep_count)
{
    return strtol(word_of(p, SCRIPT_TRIM, keep_count), NULL, 10);
}

/* It ended that long ago. */
static void make_old(struct pool *p, const char *set, const char *id,
                     int64_t ms)
{
    CLEANUP(mem) char *moment = xasprintf("%" PRId64, now_ms(p) - ms);

    (void)redis_num(p, "ZADD", set, "XX", moment, id);
}

static void end_one(struct pool *p, const char *id, const char *report)
{
    (void)submit(p, id, JOB(.report = report));
    take_and_pass(p, id);
}

static bool is_there(struct pool *p, const char *id)
{
    CLEANUP(mem) char *key = xasprintf("%%job:%s", id);

    return redis_num(p, "EXISTS", key);
}

static void test_age(void **state)
{
    struct pool *p = *state;

    end_one(p, "a", NULL);
    end_one(p, "b", NULL);
    make_old(p, "%done", "a", 6 * DAY);
    assert_int_equal(trim(p, "100"), 0);
    make_old(p, "%done", "a", 8 * DAY);
    assert_int_equal(trim(p, "100"), 1);
    assert_false(is_there(p, "a"));
    assert_true(is_there(p, "b"));
    configure(p, "keep_ms", "1000", NULL);
    make_old(p, "%done", "b", 2000);
    assert_int_equal(trim(p, "100"), 1);
    assert_int_equal(redis_num(p, "EXISTS", "%done"), 0);
    expect_sound(p);
}

static void test_count(void **state)
{
    struct pool *p = *state;
    char id[16];

    for (int i = 0; i < 10; i++) {
        (void)snprintf(id, sizeof(id), "j%d", i);
        end_one(p, id, NULL);
        make_old(p, "%done", id, 1000 - i);
    }
    assert_int_equal(trim(p, "4"), 6);
    assert_false(is_there(p, "j5"));
    assert_true(is_there(p, "j6"));
    assert_int_equal(trim(p, "4"), 0);
}

/* What is still to be reported stays, and lets the others go. */
static void test_outbox(void **state)
{
    struct pool *p = *state;
    char id[16];

    for (int i = 0; i < 130; i++) {
        (void)snprintf(id, sizeof(id), "r%d", i);
        end_one(p, id, "{\"forge\":\"x\"}");
        make_old(p, "%done", id, 20 * DAY);
    }
    assert_true(redis_num(p, "PTTL", "%job:r0") > 20 * DAY);
    end_one(p, "a", NULL);
    make_old(p, "%done", "a", 10 * DAY);
    assert_int_equal(trim(p, "1000") + trim(p, "1000"), 1);
    assert_false(is_there(p, "a"));
    assert_true(is_there(p, "r0"));
    /* Reported. */
    assert_int_equal(redis_num(p, "ZREM", "%outbox", "r0:1"), 1);
    make_old(p, "%done", "r0", 20 * DAY);
    assert_int_equal(trim(p, "1000"), 1);
    assert_false(is_there(p, "r0"));
    /* Not for ever. */
    make_old(p, "%outbox", "r1:1", 31 * DAY);
    (void)trim(p, "1000");
    assert_int_equal(redis_num(p, "ZCARD", "%outbox"), 128);
}

static void test_dead(void **state)
{
    struct pool *p = *state;
    struct given given;

    (void)submit(p, "a", NULL);
    (void)redis_num(p, "HSET", "%job:a", "infra_retries", "0");
    given = take(p);
    (void)end(p, &given, "failed", "model_failed", "1");
    make_old(p, "%done", "a", 8 * DAY);
    make_old(p, "%dead", "a", 8 * DAY);
    assert_int_equal(trim(p, "0"), 0);
    assert_true(is_there(p, "a"));
    assert_int_equal(redis_num(p, "EXISTS", "%done"), 0);
    assert_string_equal(word_of(p, SCRIPT_RETRY, "a"), "queued");
    given = take(p);
    (void)end(p, &given, "failed", "model_failed", "1");
    make_old(p, "%dead", "a", 31 * DAY);
    assert_int_equal(trim(p, "100"), 1);
    assert_false(is_there(p, "a"));
    expect_sound(p);
}

static void test_workers(void **state)
{
    struct pool *p = *state;

    (void)word_of(p, SCRIPT_RENEW, "w1", LEASE_MS, "0");
    (void)word_of(p, SCRIPT_RENEW, "w2", LEASE_MS, "0");
    (void)word_of(p, SCRIPT_RENEW, "w3", LEASE_MS, "0");
    (void)word_of(p, SCRIPT_DRAIN, "w2", "1");
    make_old(p, "%workers", "w1", 2 * DAY);
    make_old(p, "%workers", "w2", 2 * DAY);
    (void)trim(p, "100");
    assert_int_equal(redis_num(p, "EXISTS", "%worker:w1"), 0);
    assert_int_equal(redis_num(p, "EXISTS", "%worker:w2"), 1);
    assert_int_equal(redis_num(p, "ZCARD", "%workers"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_age),  POOL_TEST(test_count),   POOL_TEST(test_outbox),
        POOL_TEST(test_dead), POOL_TEST(test_workers),
    };

    return cmocka_run_group_tests(tests, server_setup, server_teardown);
}
