/* tests/unit/scheduler/queue/order_test.c - whose turn it is. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/scheduler/queue/pool.h"

#include <ctype.h>

/* Many jobs of a tenant: <tenant>-0 and so on. */
static void flood(struct pool *p, const char *tenant, unsigned first,
                  unsigned count, const struct queue_job *like)
{
    enum { MOST = 1000 };
    static struct queue_job jobs[MOST];
    static struct queue_answer answers[MOST];
    static char ids[MOST][32];

    assert_true(count <= MOST);
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(ids[i], sizeof(ids[i]), "%s-%u", tenant, first + i);
        jobs[i] = *like;
        jobs[i].id = ids[i];
        jobs[i].payload = "{}";
        jobs[i].tenant = tenant;
    }
    assert_int_equal(queue_submit(p->queue, jobs, count, answers, NULL), 0);
}

/* Take and pass `count` jobs; how many of each tenant a, b, c… */
static void serve(struct pool *p, const char *labels, unsigned count,
                  unsigned seen[26])
{
    memset(seen, 0, 26 * sizeof(*seen));
    for (unsigned i = 0; i < count; i++) {
        struct given given = take_as(p, "w", labels, "0");

        if (!islower((unsigned char)given.id[0]))
            fail_msg("only %u of %u jobs came", i, count);
        seen[given.id[0] - 'a']++;
        pass(p, &given);
    }
}

static void test_priorities(void **state)
{
    struct pool *p = *state;

    (void)submit(p, "low", JOB_OF(JOB_LOW, 0));
    (void)submit(p, "normal", JOB_OF(JOB_NORMAL, 0));
    (void)submit(p, "normal2", JOB_OF(JOB_NORMAL, 0));
    (void)submit(p, "high", JOB_OF(JOB_HIGH, 0));
    (void)submit(p, "urgent", JOB_OF(JOB_URGENT, 0));
    take_and_pass(p, "urgent");
    take_and_pass(p, "high");
    take_and_pass(p, "normal");
    take_and_pass(p, "normal2");
    take_and_pass(p, "low");
    expect_take(p, "");
    expect_sound(p);
}

/* Make a job as old as that. */
static void make_old(struct pool *p, const char *id, int64_t ms)
{
    CLEANUP(mem) char *key = xasprintf("%%job:%s", id);
    CLEANUP(mem) char *seq = xasprintf("%" PRId64, (now_ms(p) - ms) * 1000);

    (void)redis_num(p, "HSET", key, "seq", seq);
}

static void test_aging(void **state)
{
    struct pool *p = *state;

    (void)submit(p, "old", JOB_OF(JOB_LOW, .tenant = "t"));
    (void)submit(p, "young", JOB_OF(JOB_NORMAL, .tenant = "t"));
    promote(p, "60000");
    expect(p, "old", "class", "3");
    make_old(p, "old", 61000);
    promote(p, "0"); /* never */
    expect(p, "old", "class", "3");
    promote(p, "60000");
    expect(p, "old", "class", "2");
    expect(p, "young", "class", "2");
    expect_sound(p);
    promote(p, "60000"); /* another class takes as long again */
    expect(p, "old", "class", "2");
    take_and_pass(p, "old");
    expect(p, "old", "priority", "3");
    (void)submit(p, "older", JOB_OF(JOB_LOW, 0));
    make_old(p, "older", 200000);
    for (int i = 0; i < 5; i++)
        promote(p, "60000");
    expect(p, "older", "class", "0");
    expect_sound(p);
    take_and_pass(p, "older");
    take_and_pass(p, "young");
}

static void test_weights(void **state)
{
    struct pool *p = *state;
    unsigned seen[26];

    configure(p, "weighted", "1", "weight:b", "2", "weight:c", "3", NULL);
    flood(p, "a", 0, 300, JOB(0));
    flood(p, "b", 0, 400, JOB(0));
    flood(p, "c", 0, 500, JOB(0));
    serve(p, "", 600, seen);
    assert_in_range(seen[0], 99, 101);
    assert_in_range(seen[1], 199, 201);
    assert_in_range(seen[2], 299, 301);
    expect_sound(p);
}

/* An absurd weight still moves on: others get their turns. */
static void test_huge_weight(void **state)
{
    struct pool *p = *state;
    unsigned seen[26];

    configure(p, "weighted", "1", "weight:a", "1000000000", NULL);
    flood(p, "b", 0, 10, JOB_OF(JOB_LOW, 0));
    for (unsigned i = 0; i < 3; i++)
        flood(p, "a", 1000 * i, 1000, JOB_OF(JOB_LOW, 0));
    serve(p, "", 2500, seen);
    assert_in_range(seen[1], 2, 4);
}

static void test_coming_back_gains_nothing(void **state)
{
    struct pool *p = *state;
    unsigned seen[26];

    flood(p, "a", 0, 500, JOB(0));
    flood(p, "b", 0, 100, JOB(0));
    serve(p, "", 200, seen);
    assert_in_range(seen[1], 99, 100);
    serve(p, "", 100, seen); /* b is away */
    flood(p, "b", 100, 100, JOB(0));
    serve(p, "", 100, seen);
    assert_in_range(seen[0], 49, 51);
    assert_in_range(seen[1], 49, 51);
    serve(p, "", 60, seen);
    /* One job at a time, put in when the last one was taken. */
    for (unsigned i = 0; i < 40; i++) {
        flood(p, "c", i, 1, JOB(0));
        serve(p, "", 2, seen);
        assert_in_range(seen[2], 0, 1);
    }
    expect_sound(p);
}

static void test_flood_delays_nobody(void **state)
{
    struct pool *p = *state;
    unsigned seen[26];

    flood(p, "a", 0, 1000, JOB(0));
    serve(p, "", 100, seen);
    flood(p, "b", 0, 1, JOB(0));
    serve(p, "", 2, seen);
    assert_int_equal(seen[1], 1);
}

/* New labels do not go before all who have waited for long: their lanes were
 * served already, and the time of the first lane does not start at zero. */
static void test_new_labels_start_now(void **state)
{
    struct pool *p = *state;
    struct strv labels = {NULL, 0};
    unsigned seen[26];

    strv_add(&labels, "gpu");
    flood(p, "a", 0, 1000, JOB(0));
    serve(p, ",gpu,", 300, seen);
    flood(p, "b", 0, 300, JOB(.labels = &labels));
    serve(p, ",gpu,", 100, seen);
    assert_in_range(seen[0], 49, 51);
    serve(p, "", 100, seen);
    assert_int_equal(seen[0], 100);
    strv_clear(&labels);
    expect_sound(p);
}

static void test_labels(void **state)
{
    struct pool *p = *state;
    struct strv one = {NULL, 0}, two = {NULL, 0};

    strv_add(&one, "gpu");
    strv_add(&two, "gpu");
    strv_add(&two, "arm");
    strv_add(&two, "gpu");
    (void)submit(p, "two", JOB(.labels = &two));
    (void)submit(p, "one", JOB(.labels = &one));
    (void)submit(p, "none", NULL);
    expect(p, "two", "labels", "arm,gpu");
    assert_string_equal(take_as(p, "w", ",gp,", "0").id, "none");
    expect_take(p, "");
    assert_string_equal(take_as(p, "w", ",arm,gpux,", "0").id, "");
    assert_string_equal(take_as(p, "w", ",fast,gpu,", "0").id, "one");
    assert_string_equal(take_as(p, "w", ",fast,gpu,", "0").id, "");
    assert_string_equal(take_as(p, "w", ",gpu,arm,", "0").id, "two");
    expect_sound(p);
    /* Sets of labels that nothing waits for are forgotten. */
    assert_string_equal(take_as(p, "w", ",gpu,arm,", "0").word, "none");
    assert_string_equal(take_as(p, "w", ",gpu,arm,", "0").word, "none");
    assert_int_equal(redis_num(p, "EXISTS", "%labels", "%act:gpu", "%act:"), 0);
    strv_clear(&one);
    strv_clear(&two);
}

/* A job whose hash is gone must not stop the line. */
static void test_dangling(void **state)
{
    struct pool *p = *state;

    (void)submit(p, "a", NULL);
    (void)submit(p, "b", NULL);
    assert_int_equal(redis_num(p, "DEL", "%job:a"), 1);
    take_and_pass(p, "b");
}

static void test_full(void **state)
{
    struct pool *p = *state;
    struct given a, b;

    configure(p, "max_instances", "2", NULL);
    flood(p, "a", 0, 4, JOB(0));
    a = take(p);
    b = take(p);
    assert_string_equal(take(p).word, "full");
    pass(p, &b);
    expect_take(p, "a-2");
    assert_string_equal(take(p).word, "full");
    pass(p, &a);
    expect_sound(p);
}

/* A pool where nobody asks for jobs any more keeps no line. */
static void test_nothing_stays(void **state)
{
    struct pool *p = *state;
    struct strv labels = {NULL, 0};
    struct given given;

    strv_add(&labels, "gpu");
    (void)submit(p, "a", NULL);
    given = take(p);
    pass(p, &given);
    assert_int_equal(redis_num(p, "EXISTS", "%act:"), 0);
    (void)submit(p, "b", JOB(.labels = &labels));
    assert_string_equal(word_of(p, SCRIPT_CANCEL, "b", "cancelled"),
                        "cancelled");
    assert_int_equal(redis_num(p, "EXISTS", "%act:gpu", "%labels"), 0);
    strv_clear(&labels);
    assert_true(redis_num(p, "PTTL", "%done") > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_priorities),
        POOL_TEST(test_aging),
        POOL_TEST(test_weights),
        POOL_TEST(test_huge_weight),
        POOL_TEST(test_coming_back_gains_nothing),
        POOL_TEST(test_flood_delays_nobody),
        POOL_TEST(test_new_labels_start_now),
        POOL_TEST(test_labels),
        POOL_TEST(test_dangling),
        POOL_TEST(test_full),
        POOL_TEST(test_nothing_stays),
    };

    return cmocka_run_group_tests(tests, server_setup, server_teardown);
}
