/* tests/unit/scheduler/queue/audit_test.c - what does not fit is found. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/scheduler/queue/pool.h"

/* One of the complaints has these words. */
static void expect_complaint(struct pool *p, const char *words)
{
    redisReply *reply = script(p, SCRIPT_AUDIT, "20", NULL);
    bool found = false;

    for (size_t i = 0; i < reply->elements; i++)
        found = found || strstr(queue_reply_str(reply, i), words);
    freeReplyObject(reply);
    if (!found)
        fail_msg("nobody complains: %s", words);
}

/* A pool with one job in each state; all fits. */
static struct given fill(struct pool *p)
{
    char name[] = "g";
    const struct concurrency group = {.group = name};
    struct given given;

    (void)submit(p, "run", JOB(.run_jobs = 5));
    (void)submit(p, "running", JOB(.concurrency = &group));
    given = take(p);
    (void)submit(p, "blocked", JOB(.concurrency = &group));
    (void)submit(p, "ready", NULL);
    (void)submit(p, "delayed", JOB(.not_before_ms = 9999999999999));
    (void)submit(p, "ended", NULL);
    (void)word_of(p, SCRIPT_CANCEL, "ended", "cancelled");
    expect_sound(p);
    return given;
}

static void test_states(void **state)
{
    struct pool *p = *state;

    (void)fill(p);
    (void)redis_num(p, "SREM", "%held:w", "running");
    expect_complaint(p, "job running is not among those that w holds");
    (void)redis_num(p, "SADD", "%held:w", "running", "ready");
    expect_complaint(p, "worker w holds ready, which has no slot");
    (void)redis_num(p, "HSET", "%job:running", "state", "ready");
    expect_complaint(p, "job running is in slots and its state is ready");
    (void)redis_num(p, "HSET", "%job:ready", "state", "passed");
    expect_complaint(p, "job ready is in ready and its state is passed");
    (void)redis_num(p, "HSET", "%job:blocked", "state", "ready");
    expect_complaint(p, "job blocked is in group and its state is ready");
    (void)redis_num(p, "DEL", "%job:delayed");
    expect_complaint(p, "job delayed is in delayed and its state is none");
    (void)redis_num(p, "HSET", "%job:run", "state", "passed");
    expect_complaint(p, "job run is in runs and its state is passed");
    (void)redis_num(p, "HDEL", "%job:ended", "ended_at_ms");
    expect_complaint(p, "job ended is in done and cancelled");
}

static void test_places(void **state)
{
    struct pool *p = *state;

    (void)fill(p);
    (void)redis_num(p, "ZADD", "%delayed", "1", "ready");
    expect_complaint(p, "job ready is in ready and in delayed");
    (void)redis_num(p, "ZADD", "%done", "1", "running");
    expect_complaint(p, "job running is in done and in slots");
    (void)redis_num(p, "HSET", "%job:ready", "class", "1");
    expect_complaint(p, "job ready is in a wrong lane");
}

static void test_slots(void **state)
{
    struct pool *p = *state;

    (void)fill(p);
    configure(p, "max_instances", "1", NULL);
    expect_sound(p);
    (void)redis_num(p, "ZADD", "%slots", "1", "running:9:none:");
    expect_complaint(p, "slot running:9:none: is of another epoch");
    expect_complaint(p, "there are 2 slots, over 1");
    expect_complaint(p, "job running is in slots and in slots");
}

static void test_counts(void **state)
{
    struct pool *p = *state;

    configure(p, "capped", "1", "tcap:*", "5", NULL);
    (void)submit(p, "a", JOB(.tenant = "t", .pipeline = "x:y"));
    expect_take(p, "a");
    expect_sound(p);
    (void)redis_num(p, "HSET", "%running", "tt", "2", "tu", "1");
    expect_complaint(p, "tt has 1 slots, counted as 2");
    expect_complaint(p, "tu has 0 slots, counted as 1");
    (void)redis_num(p, "HDEL", "%running", "px:y");
    expect_complaint(p, "px:y has 1 slots, which are not counted");
}

static void test_groups(void **state)
{
    struct pool *p = *state;

    (void)fill(p);
    (void)redis_num(p, "HSET", "%groups", "h", "ready");
    expect_complaint(p, "group h is held by ready");
    (void)redis_num(p, "HSET", "%groups", "g", "blocked");
    expect_complaint(p, "group g is held by blocked, which is blocked");
}

static void test_runs(void **state)
{
    struct pool *p = *state;

    (void)fill(p);
    (void)redis_num(p, "HSET", "%run:run", "0", "active");
    expect_complaint(p, "run run waits for run-1, which is none");
}

static void test_lanes(void **state)
{
    struct pool *p = *state;

    (void)fill(p);
    (void)redis_num(p, "ZADD", "%deadlines", "1", "ended");
    expect_complaint(p, "job ended has a deadline and is cancelled");
}

static void test_logs(void **state)
{
    struct pool *p = *state;

    (void)redis_num(p, "HSET", "%log_sizes", "a:1", "10", "total", "12");
    expect_complaint(p, "logs have 10 bytes, counted as 12");
    expect_complaint(p, "log a:1 is counted, and in no order");
}

static void test_limit(void **state)
{
    struct pool *p = *state;
    redisReply *reply;

    (void)fill(p);
    (void)redis_num(p, "ZADD", "%delayed", "1", "x", "1", "y", "1", "z");
    reply = script(p, SCRIPT_AUDIT, "2", NULL);
    assert_int_equal(reply->elements, 2);
    freeReplyObject(reply);
}

/* What stands behind a name in a list of names and values. */
static const char *value_of(const redisReply *list, const char *name)
{
    for (size_t i = 0; i + 1 < list->elements; i += 2)
        if (strcmp(queue_reply_str(list, i), name) == 0)
            return queue_reply_str(list, i + 1);
    fail_msg("there is no '%s'", name);
    return NULL;
}

/* What people are shown agrees with it. */
static void test_views(void **state)
{
    struct pool *p = *state;
    static const struct {
        const char *which, *id;
        size_t rows;
    } lists[] = {
        {"running", "run", 2},     {"ready", "ready", 1},
        {"delayed", "delayed", 1}, {"blocked", "blocked", 1},
        {"done", "ended", 1},
    };
    redisReply *reply;

    (void)fill(p);
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        reply =
            script(p, SCRIPT_LIST, lists[i].which, "10", "1", "state", NULL);
        assert_int_equal(reply->elements, 1 + lists[i].rows);
        assert_string_equal(queue_reply_str(reply->element[1], 0), lists[i].id);
        freeReplyObject(reply);
    }
    reply = script(p, SCRIPT_LIST, "id", "10", "1", "state", "ready", "none",
                   "ended", NULL);
    assert_int_equal(reply->elements, 1 + 2);
    freeReplyObject(reply);
    assert_string_equal(word_of(p, SCRIPT_WHY, "none", "1000"), "none");
    reply = script(p, SCRIPT_WHY, "blocked", "1000", NULL);
    assert_string_equal(queue_reply_str(reply, 2), "g");
    assert_string_equal(queue_reply_str(reply, 3), "running");
    freeReplyObject(reply);
    reply = script(p, SCRIPT_WHY, "delayed", "1000", NULL);
    assert_string_equal(queue_reply_str(reply, 2), "9999999999999");
    freeReplyObject(reply);
    reply = script(p, SCRIPT_DEPTHS, NULL);
    assert_string_equal(value_of(reply->element[0], "delayed"), "1");
    freeReplyObject(reply);
}

/* A lane that is set aside is one of the ready ones, and only once. */
static void test_views_of_parked(void **state)
{
    struct pool *p = *state;
    redisReply *reply;

    configure(p, "capped", "1", "tcap:a", "1", "max_instances", "9", NULL);
    (void)submit(p, "a1", JOB(.tenant = "a"));
    (void)submit(p, "a2", JOB(.tenant = "a"));
    (void)take(p);
    assert_string_equal(take(p).word, "none");
    reply = script(p, SCRIPT_WHY, "a2", "1000", NULL);
    assert_int_equal(reply->elements, 13);
    assert_string_equal(queue_reply_str(reply, 6), "tenant");
    assert_string_equal(queue_reply_str(reply, 9), "1");
    freeReplyObject(reply);
    for (int i = 0; i < 2; i++) {
        reply = script(p, SCRIPT_LIST, "ready", "10", "1", "state", NULL);
        assert_int_equal(reply->elements, 2 + i);
        freeReplyObject(reply);
        (void)submit(p, "a3", JOB(.tenant = "a")); /* in line as well */
    }
    expect_sound(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_states),
        POOL_TEST(test_places),
        POOL_TEST(test_slots),
        POOL_TEST(test_groups),
        POOL_TEST(test_runs),
        POOL_TEST(test_lanes),
        POOL_TEST(test_counts),
        POOL_TEST(test_logs),
        POOL_TEST(test_limit),
        POOL_TEST(test_views),
        POOL_TEST(test_views_of_parked),
    };

    return cmocka_run_group_tests(tests, server_setup, server_teardown);
}
