/* tests/unit/scheduler/queue/trim_test.c - what is forgotten, and when. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/job_args.h"
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
    assert_int_equal(redis_num(p, "ZREM", "%outbox:other", "r0"), 1);
    make_old(p, "%done", "r0", 20 * DAY);
    assert_int_equal(trim(p, "1000"), 1);
    assert_false(is_there(p, "r0"));
    /* Not for ever. */
    make_old(p, "%outbox:other", "r1", 31 * DAY);
    (void)trim(p, "1000");
    assert_int_equal(redis_num(p, "ZCARD", "%outbox:other"), 128);
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

/* A run of which one job ended and one goes on. */
static struct given start_run(struct pool *p)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    static const char *const words[] = {"r", "0", "0", "0", "0", "", "", ""};

    (void)submit(p, "r", JOB(.run_jobs = 2));
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        queue_args_str(&args, words[i]);
    queue_args_str(&args, "0");
    job_args_add(&args, JOB(.id = "r-1", .payload = "{}"));
    queue_args_str(&args, "1");
    job_args_add(&args, JOB(.id = "r-2", .payload = "{}"));
    assert_string_equal(first_word(run(p, SCRIPT_ADVANCE, &args)), "ok");
    take_and_pass(p, "r-1");
    return take(p);
}

/* What a run has still to tell of stays, however old and however many. */
static void test_run(void **state)
{
    struct pool *p = *state;
    struct given second = start_run(p);

    assert_int_equal(redis_num(p, "PTTL", "%job:r-1"), -1);
    assert_int_equal(trim(p, "0"), 0);
    make_old(p, "%done", "r-1", 20 * DAY);
    end_one(p, "a", NULL);
    assert_int_equal(trim(p, "1"), 1);
    assert_true(is_there(p, "r-1"));
    assert_false(is_there(p, "a"));
    pass(p, &second);
    assert_int_equal(trim(p, "0"), 0);
    assert_string_equal(word_of(p, SCRIPT_ADVANCE, "r",
                                redis_word(p, "HGET", "%run:r", "rev"), "1",
                                "0", "0", "passed", "", "{}"),
                        "ok");
    assert_true(redis_num(p, "PTTL", "%job:r-1") > 20 * DAY);
    assert_true(redis_num(p, "PTTL", "%job:r-2") > 20 * DAY);
    assert_int_equal(trim(p, "0"), 3);
    assert_false(is_there(p, "r-1"));
    expect_sound(p);
}

/* The same of one whose retries the infrastructure used up. */
static void test_dead_of_run(void **state)
{
    struct pool *p = *state;
    struct given second = start_run(p);

    (void)redis_num(p, "HSET", "%job:r-2", "infra_retries", "0");
    (void)end(p, &second, "failed", "model_failed", "1");
    assert_int_equal(redis_num(p, "PTTL", "%job:r-2"), -1);
    make_old(p, "%dead", "r-2", 31 * DAY);
    assert_int_equal(trim(p, "0"), 0);
    assert_true(is_there(p, "r-2"));
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
        POOL_TEST(test_age),         POOL_TEST(test_count),
        POOL_TEST(test_outbox),      POOL_TEST(test_dead),
        POOL_TEST(test_workers),     POOL_TEST(test_run),
        POOL_TEST(test_dead_of_run),
    };

    return cmocka_run_group_tests(tests, server_setup, server_teardown);
}
