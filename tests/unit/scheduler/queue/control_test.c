/* tests/unit/scheduler/queue/control_test.c - what all of a pool go by. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/job_args.h"
#include "tests/unit/scheduler/queue/pool.h"

static void test_configure(void **state)
{
    struct pool *p = *state;

    configure(p, "max_instances", "3", "weighted", "1", "weight:a", "2", NULL);
    (void)redis_num(p, "HSET", "%conf", "reaped_at_ms", "1");
    configure(p, "max_instances", "4", NULL);
    assert_int_equal(redis_num(p, "HLEN", "%conf"), 2);
    assert_string_equal(redis_word(p, "HGET", "%conf", "max_instances"), "4");
    assert_string_equal(redis_word(p, "HGET", "%conf", "reaped_at_ms"), "1");
    assert_true(redis_num(p, "PTTL", "%conf") > 0);
}

/* More than Lua's unpack() can take. */
static void test_many_caps(void **state)
{
    struct pool *p = *state;
    enum { COUNT = 5000 };
    static struct queue_number caps[COUNT];
    static char names[COUNT][16];
    const struct pool_conf conf = {
        .max_instances = 1, .caps = caps, .cap_count = COUNT};
    struct err err = {ERR_NONE, 0, ""};

    for (size_t i = 0; i < COUNT; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "t%zu", i);
        caps[i] = (struct queue_number){names[i], 1 + (unsigned)i};
    }
    if (queue_configure(p->queue, &conf, &err) < 0)
        fail_msg("%s", err.msg);
    assert_string_equal(redis_word(p, "HGET", "%conf", "tcap:t4999"), "5000");
}

/* A thousand leases in one renewal. */
static void test_renew_many(void **state)
{
    struct pool *p = *state;
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    redisReply *reply;

    queue_args_str(&args, "w");
    queue_args_str(&args, "400");
    queue_args_str(&args, "600");
    queue_args_str(&args, "0");
    for (int i = 0; i < 1024; i++) {
        queue_args_str(&args, "gone");
        queue_args_str(&args, "1");
        queue_args_str(&args, "n");
    }
    reply = run(p, SCRIPT_RENEW, &args);
    assert_int_equal(reply->elements, 1025);
    freeReplyObject(reply);
}

/* A job of a run that has the group which its own run holds: it begins. */
static void test_group_of_its_run(void **state)
{
    struct pool *p = *state;
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    static const char *const words[] = {"r", "0", "1", "0", "0",
                                        "",  "",  "",  "0"};
    char name[] = "g";
    const struct concurrency group = {.group = name};
    struct given given;

    (void)submit(p, "r", JOB(.run_jobs = 5, .concurrency = &group));
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        queue_args_str(&args, words[i]);
    job_args_add(&args,
                 JOB(.id = "r-1", .payload = "{}", .concurrency = &group));
    assert_string_equal(first_word(run(p, SCRIPT_ADVANCE, &args)), "ok");
    given = take(p);
    assert_string_equal(given.id, "r-1");
    (void)submit(p, "b", JOB(.concurrency = &group));
    pass(p, &given);
    expect(p, "b", "state", "blocked"); /* behind the run, not its job */
    assert_string_equal(
        word_of(p, SCRIPT_ADVANCE, "r", "2", "1", "0", "0", "passed", "", "{}"),
        "ok");
    take_and_pass(p, "b");
    expect_sound(p);
    assert_int_equal(redis_num(p, "EXISTS", "%groups"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_configure),
        POOL_TEST(test_many_caps),
        POOL_TEST(test_renew_many),
        POOL_TEST(test_group_of_its_run),
    };

    return cmocka_run_group_tests(tests, server_setup, server_teardown);
}
