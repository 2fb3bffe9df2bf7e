/* tests/unit/scheduler/queue/spend_test.c - what jobs spend, pool-wide. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/spend.h"
#include "tests/unit/scheduler/queue/pool.h"

#include <time.h>

struct answer {
    bool over;
    char date[SPEND_DATE_SIZE];
    char refused[256];
};

static void on_reserved(void *arg, const char *date, const char *refused,
                        const struct err *err)
{
    struct answer *answer = arg;

    assert_null(err);
    answer->over = true;
    if (date)
        (void)snprintf(answer->date, sizeof(answer->date), "%s", date);
    if (refused)
        (void)snprintf(answer->refused, sizeof(answer->refused), "%s", refused);
}

static struct answer reserve(struct pool *p, const struct spend_wish *wish)
{
    struct answer answer = {.over = false};

    spend_reserve(p->queue, wish, on_reserved, &answer);
    while (!answer.over)
        assert_int_equal(loop_step(p->loop, 30000, NULL), 0);
    return answer;
}

static struct spend_wish wish_of(const char *job)
{
    return (struct spend_wish){.job_id = job,
                               .epoch = 1,
                               .model = "default",
                               .repository = "h/a/b",
                               .most = {10, 1000, 500000},
                               .repository_limit = {25, 0, 0},
                               .day_limit = {0, 0, 1200000}};
}

static long long spent(struct pool *p, const char *date, const char *field)
{
    CLEANUP(mem) char *key = xasprintf("%%spend:%s", date);
    const char *text = redis_word(p, "HGET", key, field);

    return text ? atoll(text) : -1;
}

static void test_repository(void **state)
{
    struct pool *p = *state;
    struct spend_wish wish = wish_of("j1");
    const struct spend_amount little = {2, 300, 40000};
    const struct answer first = reserve(p, &wish);

    assert_string_equal(first.refused, "");
    assert_int_equal(strlen(first.date), 10);
    assert_int_equal(first.date[4], '-');
    /* A lost answer is asked for again. */
    assert_string_equal(reserve(p, &wish).date, first.date);
    assert_int_equal(spent(p, first.date, "day:default:requests"), 10);

    wish = wish_of("j2");
    assert_string_equal(reserve(p, &wish).refused, "");
    wish = wish_of("j3");
    assert_string_equal(
        reserve(p, &wish).refused,
        "20 of 25 requests of the repository's jobs of today are spent or "
        "reserved, and this one may need 10");
    /* Another repository has its own; the first did not need all. */
    wish.repository = "h/c/d";
    assert_string_equal(
        reserve(p, &wish).refused,
        "1.00 of 1.20 USD of all jobs of today are spent or reserved, and this "
        "one may need 0.50");
    wish = wish_of("j1");
    spend_settle(p->queue, &wish, first.date, &little);
    spend_settle(p->queue, &wish, first.date, &little); /* of no effect */
    wish = wish_of("j3");
    assert_string_equal(reserve(p, &wish).refused, "");
    assert_int_equal(spent(p, first.date, "day:default:requests"), 22);
    assert_int_equal(spent(p, first.date, "repository:default:h/a/b:tokens"),
                     2300);
    assert_int_equal(spent(p, first.date, "day:default:micro_usd"), 1040000);
}

/* The date is what a calendar says. */
static void test_date(void **state)
{
    struct pool *p = *state;
    const struct spend_wish wish = wish_of("j");
    const struct answer answer = reserve(p, &wish);
    time_t now = time(NULL);
    struct tm tm;
    char today[SPEND_DATE_SIZE];

    (void)gmtime_r(&now, &tm);
    (void)strftime(today, sizeof(today), "%Y-%m-%d", &tm);
    assert_string_equal(answer.date, today);
}

/* What attempts spent goes on to the next one, and no further. */
static void test_charge(void **state)
{
    struct pool *p = *state;
    struct given old, given;

    (void)submit(p, "a", NULL);
    old = take(p);
    assert_string_equal(
        word_of(p, SCRIPT_CHARGE, "a", old.epoch, old.nonce, ""), "");
    assert_string_equal(
        word_of(p, SCRIPT_CHARGE, "a", old.epoch, old.nonce, "{1}"), "{1}");
    assert_string_equal(
        word_of(p, SCRIPT_CHARGE, "a", old.epoch, "another", "{9}"), "");
    (void)end(p, &old, "failed", "model_failed", "1");
    assert_int_equal(redis_num(p, "ZADD", "%delayed", "XX", "CH", "1", "a"), 1);
    promote(p, "0");
    given = take(p);
    assert_string_equal(
        word_of(p, SCRIPT_CHARGE, "a", old.epoch, old.nonce, "{9}"), "");
    assert_string_equal(
        word_of(p, SCRIPT_CHARGE, "a", given.epoch, given.nonce, ""), "{1}");
    (void)redis_num(p, "HSET", "%job:a", "infra_retries", "0");
    (void)end(p, &given, "failed", "model_failed", "1");
    /* Somebody wants it anew. */
    assert_string_equal(word_of(p, SCRIPT_RETRY, "a"), "queued");
    expect(p, "a", "model_spent", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_repository),
        POOL_TEST(test_date),
        POOL_TEST(test_charge),
    };

    return cmocka_run_group_tests_name("scheduler/queue/spend", tests,
                                       server_setup, server_teardown);
}
