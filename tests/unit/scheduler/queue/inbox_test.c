/* tests/unit/scheduler/queue/inbox_test.c - documents, and who holds them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/scheduler/queue/pool.h"

/* Take the next document as `scheduler` does (BLMOVE). */
static const char *take_document(struct pool *p, const char *scheduler)
{
    CLEANUP(mem) char *held = xasprintf("%%inbox:%s", scheduler);

    return redis_word(p, "LMOVE", "%inbox", held, "RIGHT", "LEFT");
}

/* One round; how many documents came back. */
static long watch(struct pool *p, const char *scheduler)
{
    return strtol(word_of(p, SCRIPT_WATCH, scheduler, "10000"), NULL, 10);
}

/* Not seen for `ms`. */
static void make_dead(struct pool *p, const char *scheduler, int64_t ms)
{
    CLEANUP(mem) char *moment = xasprintf("%" PRId64, now_ms(p) - ms);

    (void)redis_num(p, "ZADD", "%schedulers", moment, scheduler);
}

static void test_fire(void **state)
{
    struct pool *p = *state;

    assert_string_equal(word_of(p, SCRIPT_FIRE, "c", "", "100", "d1", "d2"),
                        "1");
    assert_string_equal(word_of(p, SCRIPT_FIRE, "c", "", "100", "d1", "d2"),
                        "0");
    assert_string_equal(word_of(p, SCRIPT_FIRE, "c", "90", "200", "d3"), "0");
    assert_string_equal(word_of(p, SCRIPT_FIRE, "c", "100", "200", "d3"), "1");
    assert_string_equal(word_of(p, SCRIPT_FIRE, "c", "200", "300"), "1");
    assert_string_equal(take_document(p, "s"), "d1");
    assert_string_equal(take_document(p, "s"), "d2");
    assert_string_equal(take_document(p, "s"), "d3");
    assert_string_equal(take_document(p, "s"), "");
    assert_string_equal(redis_word(p, "HGET", "%crons", "c"), "300");
}

static void test_reject(void **state)
{
    struct pool *p = *state;

    (void)redis_num(p, "LPUSH", "%inbox:s", "bad");
    assert_string_equal(word_of(p, SCRIPT_REJECT, "s", "bad", "r1", "no name"),
                        "1");
    assert_string_equal(word_of(p, SCRIPT_REJECT, "s", "bad", "r1", "no name"),
                        "0");
    assert_string_equal(redis_word(p, "HGET", "%rejected:r1", "reason"),
                        "no name");
    assert_string_equal(redis_word(p, "HGET", "%rejected:r1", "document"),
                        "bad");
    assert_true(redis_num(p, "PTTL", "%rejected:r1") > 0);
    assert_true(redis_num(p, "PTTL", "%rejected") > 0);
    assert_int_equal(redis_num(p, "EXISTS", "%inbox:s"), 0);
}

static void test_reject_flood(void **state)
{
    struct pool *p = *state;
    char id[16];

    for (int i = 0; i < 1005; i++) {
        (void)snprintf(id, sizeof(id), "r%d", i);
        (void)redis_num(p, "LPUSH", "%inbox:s", "bad");
        (void)word_of(p, SCRIPT_REJECT, "s", "bad", id, "no name");
    }
    assert_int_equal(redis_num(p, "ZCARD", "%rejected"), 1000);
    assert_int_equal(redis_num(p, "EXISTS", "%rejected:r1004"), 1);
}

static void test_order_kept(void **state)
{
    struct pool *p = *state;
    char document[16];
    long back = 0;

    for (int i = 0; i < 100; i++) {
        (void)snprintf(document, sizeof(document), "d%d", i);
        (void)redis_num(p, "LPUSH", "%inbox", document);
    }
    assert_int_equal(watch(p, "s1"), 0);
    for (int i = 0; i < 90; i++)
        (void)take_document(p, "s1");
    assert_int_equal(watch(p, "s2"), 0); /* it lives */
    make_dead(p, "s1", 20000);
    for (int i = 0; i < 3; i++)
        back += watch(p, "s2");
    assert_int_equal(back, 90);
    for (int i = 0; i < 100; i++) {
        (void)snprintf(document, sizeof(document), "d%d", i);
        assert_string_equal(take_document(p, "s2"), document);
    }
}

/* A document may reach a scheduler that is dead: what it asked for before may
 * be answered still. */
static void test_late_document(void **state)
{
    struct pool *p = *state;

    assert_int_equal(watch(p, "s1"), 0);
    make_dead(p, "s1", 20000);
    assert_int_equal(watch(p, "s2"), 0);
    (void)redis_num(p, "LPUSH", "%inbox", "d");
    assert_string_equal(take_document(p, "s1"), "d");
    assert_int_equal(watch(p, "s2"), 1);
    assert_string_equal(take_document(p, "s2"), "d");
    /* Once nothing can come any more, it is forgotten. */
    make_dead(p, "s1", 700000);
    assert_int_equal(watch(p, "s2"), 0);
    assert_int_equal(redis_num(p, "ZCARD", "%schedulers"), 1);
}

/* Runs that nobody can decide do not hide the others. */
static void test_dirty_runs(void **state)
{
    struct pool *p = *state;
    bool seen = false;
    char id[16];

    for (int i = 0; i < 16; i++) {
        (void)snprintf(id, sizeof(id), "bad%d", i);
        (void)redis_num(p, "ZADD", "%dirty", "1", id);
    }
    (void)redis_num(p, "ZADD", "%dirty", "2", "good");
    for (int round = 0; round < 2; round++) {
        redisReply *reply = script(p, SCRIPT_WATCH, "s", "10000", NULL);

        assert_int_equal(reply->elements, 17);
        for (size_t i = 1; i < reply->elements; i++)
            seen = seen || strcmp(queue_reply_str(reply, i), "good") == 0;
        freeReplyObject(reply);
        pause_ms(2); /* another millisecond */
    }
    assert_true(seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_fire),          POOL_TEST(test_reject),
        POOL_TEST(test_reject_flood),  POOL_TEST(test_order_kept),
        POOL_TEST(test_late_document), POOL_TEST(test_dirty_runs),
    };

    return cmocka_run_group_tests(tests, server_setup, server_teardown);
}
