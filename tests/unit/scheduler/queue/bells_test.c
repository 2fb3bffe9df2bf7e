/* tests/unit/scheduler/queue/bells_test.c - who is woken, and who is not. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/scheduler/queue/pool.h"

/* A worker that has something to tell about itself. */
static void renew(struct pool *p, const char *worker, const char *labels)
{
    assert_string_equal(
        word_of(p, SCRIPT_RENEW, worker, LEASE_MS, "1", "labels", labels), "0");
}

/* It asks in vain, and listens. */
static void idle(struct pool *p, const char *worker, const char *labels)
{
    assert_string_equal(take_as(p, worker, labels, "60000").id, "");
}

static int bells(struct pool *p, const char *worker)
{
    CLEANUP(mem) char *key = xasprintf("%%ctl:%s", worker);
    int count = (int)redis_num(p, "LLEN", key);

    if (count) {
        assert_string_equal(redis_word(p, "LINDEX", key, "0"), "job");
        assert_in_range(redis_num(p, "PTTL", key), 1, 60000);
    }
    (void)redis_num(p, "DEL", key);
    return count;
}

static void test_one(void **state)
{
    struct pool *p = *state;

    idle(p, "w1", "");
    idle(p, "w2", "");
    idle(p, "w3", "");
    (void)submit(p, "a", NULL);
    assert_int_equal(bells(p, "w1") + bells(p, "w2") + bells(p, "w3"), 1);
    (void)submit(p, "b", NULL);
    (void)submit(p, "c", NULL);
    (void)submit(p, "d", NULL); /* nobody is left to be rung */
    assert_int_equal(bells(p, "w1") + bells(p, "w2") + bells(p, "w3"), 2);
    assert_int_equal(redis_num(p, "EXISTS", "%idle"), 0);
    /* Who does not listen is not rung. */
    expect_take(p, "a");
    expect_take(p, "b");
    expect_take(p, "c");
    expect_take(p, "d");
    expect_take(p, "");
    (void)submit(p, "e", NULL);
    assert_int_equal(bells(p, "w"), 0);
}

static void test_labels(void **state)
{
    struct pool *p = *state;
    struct strv labels = {NULL, 0};
    char worker[32];

    strv_add(&labels, "gpu");
    for (int i = 0; i < 100; i++) { /* many before it that have not */
        (void)snprintf(worker, sizeof(worker), "plain%d", i);
        idle(p, worker, "");
    }
    renew(p, "fast", ",fast,gpu,");
    idle(p, "fast", ",fast,gpu,");
    (void)submit(p, "a", JOB(.labels = &labels));
    assert_int_equal(bells(p, "fast"), 1);
    assert_int_equal(redis_num(p, "ZCARD", "%idle"), 100);
    (void)submit(p, "b", JOB(.labels = &labels)); /* for none of these */
    assert_int_equal(redis_num(p, "ZCARD", "%idle"), 100);
    strv_clear(&labels);
}

/* Nobody is rung who does not listen any more. */
static void test_idle_no_more(void **state)
{
    struct pool *p = *state;

    idle(p, "w1", "");
    (void)redis_num(p, "ZADD", "%idle", "1", "w1");
    (void)submit(p, "a", NULL);
    assert_int_equal(bells(p, "w1"), 0);
}

/* A slot that is free again is for one of those who found none. */
static void test_slot(void **state)
{
    struct pool *p = *state;
    struct given given;

    configure(p, "max_instances", "1", NULL);
    (void)submit(p, "a", NULL);
    (void)submit(p, "b", NULL);
    given = take(p);
    assert_string_equal(take_as(p, "w1", "", "60000").word, "full");
    pass(p, &given);
    assert_int_equal(bells(p, "w1"), 1);
    /* Taken with the answer: nobody has use for it. */
    given = take(p);
    (void)submit(p, "c", NULL);
    assert_string_equal(take_as(p, "w1", "", "60000").word, "full");
    assert_string_equal(word_of(p, SCRIPT_COMPLETE, WISH("", "0"), given.id,
                                given.epoch, given.nonce, "passed", "", "{}",
                                "0", "0.5", "n", "0"),
                        "ok");
    assert_int_equal(bells(p, "w1"), 0);
    expect(p, "c", "state", "running");
    assert_int_equal(redis_num(p, "ZCARD", "%idle"), 1);
}

static void test_reaped_slot(void **state)
{
    struct pool *p = *state;

    configure(p, "max_instances", "1", NULL);
    (void)redis_num(p, "HSET", "%conf", "reaped_at_ms", "9999999999999");
    (void)submit(p, "a", NULL);
    (void)submit(p, "b", NULL);
    expect_take(p, "a");
    idle(p, "w1", "");
    (void)redis_num(p, "ZADD", "%slots", "1", "a:1:none:");
    freeReplyObject(script(p, SCRIPT_REAP, "400", "1000", "0.5", NULL));
    assert_int_equal(bells(p, "w1"), 1);
}

/* The worker that ended it took another tenant's: what waited behind the cap
 * is for somebody else. */
static void test_cap(void **state)
{
    struct pool *p = *state;
    struct given given;

    configure(p, "capped", "1", "tcap:a", "1", NULL);
    (void)submit(p, "a1", JOB(.tenant = "a"));
    (void)submit(p, "a2", JOB(.tenant = "a"));
    given = take(p);
    idle(p, "w3", ""); /* a2 is set aside */
    (void)redis_num(p, "DEL", "%idle");
    (void)submit(p, "b2", JOB_OF(JOB_URGENT, .tenant = "b"));
    (void)redis_num(p, "ZADD", "%idle", "9999999999999", "w3");
    assert_string_equal(word_of(p, SCRIPT_COMPLETE, WISH("", "0"), given.id,
                                given.epoch, given.nonce, "passed", "", "{}",
                                "0", "0.5", "n", "0"),
                        "ok");
    expect(p, "b2", "state", "running");
    assert_int_equal(bells(p, "w3"), 1);
    expect_take(p, "a2");
}

static void test_group(void **state)
{
    struct pool *p = *state;
    char name[] = "g";
    const struct concurrency group = {.group = name};
    struct given given;

    (void)submit(p, "a", JOB(.concurrency = &group));
    (void)submit(p, "b", JOB(.concurrency = &group));
    given = take(p);
    idle(p, "w1", "");
    pass(p, &given);
    assert_int_equal(bells(p, "w1"), 1);
    expect_take(p, "b");
}

/* It did not get to the end of what waits: it comes again at once. */
static void test_more(void **state)
{
    struct pool *p = *state;
    char id[16];

    for (int i = 0; i < 250; i++) {
        CLEANUP(mem) char *key = NULL;

        (void)snprintf(id, sizeof(id), "j%d", i);
        (void)submit(p, id, NULL);
        key = xasprintf("%%job:%s", id);
        (void)redis_num(p, "DEL", key);
    }
    (void)submit(p, "a", NULL);
    assert_string_equal(take_as(p, "w1", "", "60000").word, "more");
    assert_int_equal(bells(p, "w1"), 1);
    expect_take(p, "a");
}

static void test_drain(void **state)
{
    struct pool *p = *state;
    struct err err;

    assert_int_equal(queue_drain(p->queue, "w1", true, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    renew(p, "w1", "");
    idle(p, "w1", "");
    assert_int_equal(queue_drain(p->queue, "w1", true, &err), 0);
    assert_string_equal(redis_word(p, "LPOP", "%ctl:w1"), "renew");
    (void)submit(p, "a", NULL);
    assert_int_equal(bells(p, "w1"), 0);
    assert_string_equal(word_of(p, SCRIPT_RENEW, "w1", LEASE_MS, "0"), "1");
    assert_int_equal(queue_drain(p->queue, "w1", false, &err), 0);
    assert_string_equal(word_of(p, SCRIPT_RENEW, "w1", LEASE_MS, "0"), "0");
    assert_true(redis_num(p, "PTTL", "%worker:w1") > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_one),          POOL_TEST(test_labels),
        POOL_TEST(test_idle_no_more), POOL_TEST(test_slot),
        POOL_TEST(test_reaped_slot),  POOL_TEST(test_cap),
        POOL_TEST(test_group),        POOL_TEST(test_more),
        POOL_TEST(test_drain),
    };

    return cmocka_run_group_tests(tests, server_setup, server_teardown);
}
