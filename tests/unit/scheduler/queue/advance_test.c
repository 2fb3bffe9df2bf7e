/* tests/unit/scheduler/queue/advance_test.c - decisions change runs. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/job_args.h"
#include "tests/unit/scheduler/queue/pool.h"

/* What is decided of a run: indices as text, each list ends with NULL. */
struct decision {
    const char *skip[4], *cancel[4], *begin[4];
    const char *state; /* NULL: it goes on */
    bool more;         /* something is left to be decided */
};

static void add_list(struct queue_args *args, const char *const *list)
{
    size_t count = 0;

    while (list[count])
        count++;
    queue_args_num(args, (int64_t)count);
    for (size_t i = 0; i < count; i++)
        queue_args_str(args, list[i]);
}

static const char *advance(struct pool *p, const char *id, const char *rev,
                           const struct decision *d)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    char ids[4][32];

    queue_args_str(&args, id);
    queue_args_str(&args, rev);
    queue_args_num(&args, !d->more);
    add_list(&args, d->skip);
    add_list(&args, d->cancel);
    queue_args_opt(&args, d->state);
    queue_args_str(&args, "");
    queue_args_str(&args, d->state ? "{}" : "");
    for (size_t i = 0; i < 4 && d->begin[i]; i++) {
        (void)snprintf(ids[i], sizeof(ids[i]), "%s-%d", id,
                       atoi(d->begin[i]) + 1);
        queue_args_str(&args, d->begin[i]);
        job_args_add(&args, JOB(.id = ids[i], .payload = "{}"));
    }
    return first_word(run(p, SCRIPT_ADVANCE, &args));
}
#define DECIDE(p, id, rev, ...)                                                \
    advance(p, id, rev, &(struct decision){__VA_ARGS__})

static const char *rev_of(struct pool *p, const char *id)
{
    static char rev[32];
    CLEANUP(mem) char *key = xasprintf("%%run:%s", id);
    const char *word = redis_word(p, "HGET", key, "rev");

    (void)snprintf(rev, sizeof(rev), "%s", *word ? word : "0");
    return rev;
}

static void expect_child(struct pool *p, const char *index, const char *state)
{
    assert_string_equal(redis_word(p, "HGET", "%run:r", index), state);
}

static void start(struct pool *p)
{
    (void)submit(p, "r", JOB(.run_jobs = 5));
    expect(p, "r", "state", "running");
    assert_string_equal(redis_word(p, "ZRANGE", "%dirty", "0", "-1"), "r");
    assert_string_equal(redis_word(p, "LPOP", "%wake"), "run");
}

static void test_life(void **state)
{
    struct pool *p = *state;

    start(p);
    expect_take(p, ""); /* it is no worker's */
    assert_string_equal(DECIDE(p, "r", "0", .begin = {"0", "1"}), "ok");
    assert_int_equal(redis_num(p, "EXISTS", "%dirty"), 0);
    expect_sound(p);
    expect(p, "r-1", "parent", "r");
    take_and_pass(p, "r-1");
    expect_child(p, "0", "passed");
    expect_child(p, "1", "active");
    assert_string_equal(redis_word(p, "ZRANGE", "%dirty", "0", "-1"), "r");
    assert_string_equal(DECIDE(p, "r", rev_of(p, "r"), .skip = {"2"},
                               .begin = {"3"}, .more = true),
                        "ok");
    assert_int_equal(redis_num(p, "EXISTS", "%dirty"), 1);
    expect_child(p, "2", "skipped");
    take_and_pass(p, "r-2");
    take_and_pass(p, "r-4");
    assert_string_equal(DECIDE(p, "r", rev_of(p, "r"), .state = "passed"),
                        "ok");
    expect(p, "r", "state", "passed");
    assert_int_equal(redis_num(p, "EXISTS", "%dirty", "%runs"), 0);
    assert_true(redis_num(p, "PTTL", "%run:r") > 0);
    assert_string_equal(DECIDE(p, "r", rev_of(p, "r"), .begin = {"4"}), "lost");
    assert_int_equal(redis_num(p, "EXISTS", "%job:r-5"), 0);
    expect_sound(p);
}

static void test_stale(void **state)
{
    struct pool *p = *state;

    start(p);
    assert_string_equal(DECIDE(p, "r", "3", .begin = {"0"}), "stale");
    assert_string_equal(DECIDE(p, "r", "0", .begin = {"0"}), "ok");
    /* Its answer was lost, or two decided the same. */
    assert_string_equal(DECIDE(p, "r", "0", .begin = {"0"}), "stale");
    assert_int_equal(redis_num(p, "ZCARD", "%ready:2:none:"), 1);
    take_and_pass(p, "r-1");
    assert_string_equal(DECIDE(p, "r", "1", .begin = {"1"}), "stale");
}

/* It must not end before its jobs have. */
static void test_ends_last(void **state)
{
    struct pool *p = *state;

    start(p);
    (void)DECIDE(p, "r", "0", .begin = {"0"});
    assert_string_equal(DECIDE(p, "r", rev_of(p, "r"), .state = "failed"),
                        "stale");
    expect(p, "r", "state", "running");
    take_and_pass(p, "r-1");
    assert_string_equal(DECIDE(p, "r", rev_of(p, "r"), .state = "passed"),
                        "ok");
}

static void test_cancel(void **state)
{
    struct pool *p = *state;
    struct given given;

    start(p);
    (void)DECIDE(p, "r", "0", .begin = {"0", "1"});
    given = take(p);
    assert_string_equal(word_of(p, SCRIPT_CANCEL, "r", "cancelled"), "asked");
    expect_child(p, "0", "active");
    expect(p, "r-1", "cancel", "cancelled");
    expect_child(p, "1", "cancelled");
    expect_sound(p);
    assert_string_equal(end(p, &given, "cancelled", "cancelled", "0"), "ok");
    assert_string_equal(
        DECIDE(p, "r", rev_of(p, "r"), .skip = {"2"}, .state = "cancelled"),
        "ok");
    expect(p, "r", "state", "cancelled");
    expect_sound(p);
}

/* What was decided: the other jobs of a matrix end. */
static void test_cancel_some(void **state)
{
    struct pool *p = *state;

    start(p);
    (void)DECIDE(p, "r", "0", .begin = {"0", "1", "2"});
    take_and_pass(p, "r-1");
    assert_string_equal(DECIDE(p, "r", rev_of(p, "r"), .cancel = {"1"}), "ok");
    expect(p, "r-2", "state", "cancelled");
    expect_child(p, "1", "cancelled");
    expect_child(p, "2", "active");
    take_and_pass(p, "r-3");
    expect_sound(p);
}

static void test_retry(void **state)
{
    struct pool *p = *state;
    struct given first, second;
    char rev[32];

    start(p);
    (void)DECIDE(p, "r", "0", .begin = {"0"});
    (void)redis_num(p, "HSET", "%job:r-1", "infra_retries", "0");
    first = take(p);
    (void)end(p, &first, "failed", "model_failed", "1"); /* dead */
    assert_string_equal(word_of(p, SCRIPT_RETRY, "r-1"), "child");
    (void)snprintf(rev, sizeof(rev), "%s", rev_of(p, "r"));
    (void)DECIDE(p, "r", rev, .state = "failed");
    assert_string_equal(word_of(p, SCRIPT_RETRY, "r"), "queued");
    expect(p, "r", "state", "running");
    assert_int_equal(redis_num(p, "HLEN", "%run:r"), 1);
    assert_int_equal(redis_num(p, "PTTL", "%run:r"), -1);
    /* A decision of the first time cannot fit by chance. */
    assert_true(strtol(rev_of(p, "r"), NULL, 10) > strtol(rev, NULL, 10));
    assert_string_equal(DECIDE(p, "r", rev_of(p, "r"), .begin = {"0"}), "ok");
    /* Nothing of its first life is left that could end it. */
    assert_int_equal(redis_num(p, "EXISTS", "%dead"), 0);
    expect_sound(p);
    second = take(p);
    assert_string_equal(second.id, "r-1");
    assert_string_equal(second.epoch, "2");
    assert_string_equal(end(p, &first, "passed", "", "0"), "lost");
    pass(p, &second);
    expect_sound(p);
}

/* Somebody else's job is called as a job of the run would be, though submit.lua
 * lets no such job in. */
static void test_taken_id(void **state)
{
    struct pool *p = *state;

    start(p);
    (void)redis_num(p, "HDEL", "%job:r", "jobs");
    (void)submit(p, "r-1", NULL);
    assert_string_equal(DECIDE(p, "r", "0", .begin = {"0", "1"}), "ok");
    expect_child(p, "0", "failed");
    expect_child(p, "1", "active");
    assert_int_equal(redis_num(p, "ZCARD", "%dirty"), 1); /* that is news */
    expect(p, "r-1", "parent", "");
    expect_sound(p);
    take_and_pass(p, "r-2");
    take_and_pass(p, "r-1");
    expect_child(p, "0", "failed");
}

/* A job that ends after its run did brings nothing back. */
static void test_late_child(void **state)
{
    struct pool *p = *state;
    struct given given;

    start(p);
    (void)DECIDE(p, "r", "0", .begin = {"0"});
    given = take(p);
    (void)redis_num(p, "DEL", "%run:r", "%job:r", "%dirty", "%wake", "%runs");
    pass(p, &given);
    assert_int_equal(redis_num(p, "EXISTS", "%run:r", "%dirty", "%wake"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_life),        POOL_TEST(test_stale),
        POOL_TEST(test_ends_last),   POOL_TEST(test_cancel),
        POOL_TEST(test_cancel_some), POOL_TEST(test_retry),
        POOL_TEST(test_taken_id),    POOL_TEST(test_late_child),
    };

    return cmocka_run_group_tests(tests, server_setup, server_teardown);
}
