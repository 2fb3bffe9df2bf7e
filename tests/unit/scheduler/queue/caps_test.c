/* tests/unit/scheduler/queue/caps_test.c - how many of each may run at once. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/scheduler/queue/pool.h"

static void submit_of(struct pool *p, const char *id, const char *tenant,
                      const char *pipeline)
{
    (void)submit(p, id, JOB(.tenant = tenant, .pipeline = pipeline));
}

static void test_tenant(void **state)
{
    struct pool *p = *state;
    struct given a1;

    configure(p, "capped", "1", "tcap:a", "2", NULL);
    submit_of(p, "a1", "a", "x");
    submit_of(p, "a2", "a", "x");
    submit_of(p, "a3", "a", "x");
    submit_of(p, "b1", "b", "x");
    submit_of(p, "b2", "b", "x");
    submit_of(p, "b3", "b", "x");
    a1 = take(p);
    assert_string_equal(a1.id, "a1");
    expect_take(p, "b1");
    expect_take(p, "a2");
    expect_take(p, "b2");
    expect_take(p, "b3");
    expect_take(p, "");
    expect_sound(p);
    pass(p, &a1);
    expect_take(p, "a3");
    expect_sound(p);
}

static void test_pipeline(void **state)
{
    struct pool *p = *state;
    struct given first;

    configure(p, "capped", "1", "pcap:deploy", "1", NULL);
    submit_of(p, "a1", "a", "deploy");
    submit_of(p, "a2", "a", "deploy");
    submit_of(p, "a3", "a", "test");
    submit_of(p, "b1", "b", "deploy");
    first = take(p);
    assert_string_equal(first.id, "a1");
    /* Past the one of a that must wait, and past b's. */
    expect_take(p, "a3");
    expect_take(p, "");
    expect_sound(p);
    pass(p, &first);
    first = take(p);
    assert_string_equal(first.id, "b1");
    expect_take(p, "");
    pass(p, &first);
    expect_take(p, "a2");
    expect_sound(p);
}

static void test_everybody(void **state)
{
    struct pool *p = *state;

    configure(p, "capped", "1", "tcap:*", "1", "tcap:b", "2", NULL);
    submit_of(p, "a1", "a", "x");
    submit_of(p, "a2", "a", "x");
    submit_of(p, "b1", "b", "x");
    submit_of(p, "b2", "b", "x");
    submit_of(p, "b3", "b", "x");
    expect_take(p, "a1");
    expect_take(p, "b1");
    expect_take(p, "b2");
    expect_take(p, "");
    expect_sound(p);
    configure(p, "max_instances", "50", NULL); /* and no caps */
    expect_take(p, "a2");
    expect_take(p, "b3");
}

/* One answer finds the only one that is free behind a hundred; and each that
 * is free again is found, be it the first or the last that was set aside. */
static void test_many(void **state)
{
    struct pool *p = *state;
    enum { TENANTS = 100 };
    static struct given running[TENANTS];
    char tenant[16], id[32];

    configure(p, "capped", "1", "tcap:*", "1", NULL);
    for (int i = 0; i < TENANTS; i++)
        for (int k = 0; k < 3; k++) {
            (void)snprintf(tenant, sizeof(tenant), "t%d", i);
            (void)snprintf(id, sizeof(id), "j%d-%d", i, k);
            submit_of(p, id, tenant, "x");
        }
    for (int i = 0; i < TENANTS; i++) {
        running[i] = take(p);
        assert_string_not_equal(running[i].id, "");
    }
    submit_of(p, "free", "z", "x");
    configure(p, "capped", "1", "tcap:*", "1", "max_instances", "200", NULL);
    expect_take(p, "free");
    expect_take(p, "");
    expect_sound(p);
    for (int i = TENANTS - 1; i >= 0; i -= 11) {
        struct given next;

        pass(p, &running[i]);
        next = take(p);
        /* The same tenant's. */
        assert_int_equal(
            strncmp(next.id, running[i].id, strcspn(running[i].id, "-")), 0);
        expect_take(p, "");
    }
    expect_sound(p);
}

/* What was set aside for long does not go before all others for as long. */
static void test_no_credit(void **state)
{
    struct pool *p = *state;
    struct given held;
    char id[16];
    int of_a = 0;

    configure(p, "capped", "1", "tcap:a", "1", NULL);
    for (int i = 0; i < 200; i++) {
        (void)snprintf(id, sizeof(id), "a%d", i);
        submit_of(p, id, "a", "x");
        (void)snprintf(id, sizeof(id), "b%d", i);
        submit_of(p, id, "b", "x");
    }
    held = take(p);
    assert_string_equal(held.id, "a0");
    for (int i = 0; i < 100; i++) {
        struct given given = take(p);

        assert_int_equal(given.id[0], 'b');
        pass(p, &given);
    }
    configure(p, "max_instances", "100", NULL); /* no cap any more */
    for (int i = 0; i < 40; i++) {
        struct given given = take(p);

        of_a += given.id[0] == 'a';
        pass(p, &given);
    }
    assert_in_range(of_a, 19, 21);
    pass(p, &held);
}

/* A lane that was set aside while its jobs went away comes to nothing. */
static void test_cancelled_meanwhile(void **state)
{
    struct pool *p = *state;
    struct given first;

    configure(p, "capped", "1", "tcap:*", "1", NULL);
    submit_of(p, "a1", "a", "x");
    submit_of(p, "a2", "a", "x");
    first = take(p);
    expect_take(p, "");
    (void)word_of(p, SCRIPT_CANCEL, "a2", "cancelled");
    submit_of(p, "a3", "a", "x"); /* in line again, and aside */
    expect_sound(p);
    expect_take(p, "");
    pass(p, &first);
    expect_take(p, "a3");
    expect_sound(p);
    assert_int_equal(redis_num(p, "EXISTS", "%parked", "%parked:ta"), 0);
}

/* The clock brings back what nothing else did. */
static void test_promote(void **state)
{
    struct pool *p = *state;

    configure(p, "capped", "1", "tcap:a", "1", NULL);
    submit_of(p, "a1", "a", "x");
    submit_of(p, "a2", "a", "x");
    expect_take(p, "a1");
    expect_take(p, "");
    assert_int_equal(redis_num(p, "HDEL", "%conf", "tcap:a"), 1);
    expect_take(p, "");
    promote(p, "0");
    expect_take(p, "a2");
}

static void expect_running(struct pool *p, const char *field, const char *count)
{
    assert_string_equal(redis_word(p, "HGET", "%running", field), count);
}

/* Every way into a slot and out of it is counted; without caps none is. */
static void test_counts(void **state)
{
    struct pool *p = *state;
    struct given a, b;
    redisReply *reply;

    submit_of(p, "a", "t", "x");
    submit_of(p, "b", "t", "y");
    submit_of(p, "c", "u", "x");
    a = take(p);
    assert_int_equal(redis_num(p, "EXISTS", "%running"), 0);
    configure(p, "capped", "1", "tcap:*", "3", NULL);
    expect_running(p, "tt", "1"); /* it ran before */
    expect_take(p, "c");
    b = take(p);
    expect_running(p, "tt", "2");
    expect_running(p, "tu", "1");
    expect_running(p, "px", "2");
    expect_running(p, "py", "1");
    /* The same slots again. */
    reply = script(p, SCRIPT_LEASE, WISH("", "0"), a.nonce, "1", NULL);
    assert_string_equal(queue_reply_str(reply, 0), "a");
    freeReplyObject(reply);
    freeReplyObject(script(p, SCRIPT_RENEW, "w", LEASE_MS, "0", b.id, b.epoch,
                           b.nonce, NULL));
    expect_sound(p);
    pass(p, &b);
    expect_running(p, "tt", "1");
    expect_running(p, "py", "");
    (void)redis_num(p, "ZADD", "%slots", "XX", "1", "a:1:t:x");
    (void)redis_num(p, "HSET", "%conf", "reaped_at_ms", "9999999999999",
                    "reap_from_ms", "0");
    freeReplyObject(script(p, SCRIPT_REAP, "400", "1000", "0.5", NULL));
    expect_running(p, "tt", "");
    expect_running(p, "px", "1");
    expect_sound(p);
    configure(p, "max_instances", "50", NULL);
    assert_int_equal(redis_num(p, "EXISTS", "%running"), 0);
    expect_sound(p);
}

/* What a program counts that knows nothing of it is put right before long. */
static void test_miscount(void **state)
{
    struct pool *p = *state;

    configure(p, "capped", "1", "tcap:*", "2", NULL);
    submit_of(p, "a", "t", "x");
    submit_of(p, "b", "t", "x");
    expect_take(p, "a");
    (void)redis_num(p, "HSET", "%running", "tt", "7", "tz", "1");
    expect_take(p, "");
    (void)word_of(p, SCRIPT_TRIM, "100");
    expect_running(p, "tt", "7"); /* it was counted just now */
    (void)redis_num(p, "HSET", "%conf", "counted_at_ms", "1");
    (void)word_of(p, SCRIPT_TRIM, "100");
    expect_sound(p);
    promote(p, "0");
    expect_take(p, "b");
    expect_sound(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_tenant),    POOL_TEST(test_pipeline),
        POOL_TEST(test_everybody), POOL_TEST(test_many),
        POOL_TEST(test_no_credit), POOL_TEST(test_cancelled_meanwhile),
        POOL_TEST(test_promote),   POOL_TEST(test_counts),
        POOL_TEST(test_miscount),
    };

    return cmocka_run_group_tests(tests, server_setup, server_teardown);
}
