/* tests/unit/scheduler/queue/reap_test.c - what nobody renewed comes back. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/scheduler/queue/pool.h"

/* One round, of a pool that has one every second. */
static void reap(struct pool *p, int retried, int ended)
{
    redisReply *reply = script(p, SCRIPT_REAP, "400", "1000", "0.5", NULL);

    assert_int_equal(queue_reply_num(reply, 0), retried);
    assert_int_equal(queue_reply_num(reply, 1), ended);
    freeReplyObject(reply);
}

/* As if rounds had been made all the time. */
static void reap_always(struct pool *p)
{
    (void)redis_num(p, "HSET", "%conf", "reaped_at_ms", "9999999999999",
                    "reap_from_ms", "0");
}

static void expire_at(struct pool *p, const struct given *given, int64_t ms)
{
    CLEANUP(mem)
    char *slot = xasprintf("%s:%s:none:", given->id, given->epoch);
    CLEANUP(mem) char *moment = xasprintf("%" PRId64, ms);

    assert_int_equal(redis_num(p, "ZADD", "%slots", "XX", "CH", moment, slot),
                     1);
}

static void let_expire(struct pool *p, const struct given *given)
{
    expire_at(p, given, 1);
}

static void test_expiry(void **state)
{
    struct pool *p = *state;
    struct given given, other;

    reap_always(p);
    (void)submit(p, "a", NULL);
    (void)submit(p, "b", NULL);
    given = take(p);
    other = take(p);
    reap(p, 0, 0); /* neither is due */
    let_expire(p, &given);
    reap(p, 1, 0);
    expect(p, "a", "state", "delayed");
    expect(p, "a", "reason", "worker_lost");
    expect(p, "a", "nonce", "");
    expect(p, "b", "state", "running");
    expect_sound(p);
    /* Who lost it can write no more. */
    assert_string_equal(end(p, &given, "passed", "", "0"), "lost");
    reap(p, 0, 0);
    pass(p, &other);
    (void)redis_num(p, "ZADD", "%delayed", "1", "a");
    promote(p, "0");
    other = take(p);
    assert_string_equal(other.epoch, "2");
    assert_string_equal(end(p, &given, "passed", "", "0"), "lost");
    pass(p, &other);
    expect_sound(p);
}

static void test_last_attempt(void **state)
{
    struct pool *p = *state;
    struct given given;

    reap_always(p);
    (void)submit(p, "a", NULL);
    (void)redis_num(p, "HSET", "%job:a", "infra_retries", "0");
    given = take(p);
    let_expire(p, &given);
    reap(p, 0, 1);
    expect(p, "a", "state", "failed");
    expect(p, "a", "reason", "worker_lost");
    expect(p, "a", "result", "");
    assert_int_equal(redis_num(p, "ZCARD", "%dead"), 1);
}

/* Late, but before anybody took it back. */
static void test_late(void **state)
{
    struct pool *p = *state;
    struct given given;

    reap_always(p);
    (void)submit(p, "a", NULL);
    given = take(p);
    let_expire(p, &given);
    pass(p, &given);
    reap(p, 0, 0);
    expect(p, "a", "state", "passed");
}

/* A slot of a job that is gone, or of an epoch that is, is just freed. */
static void test_stray_slots(void **state)
{
    struct pool *p = *state;
    struct given given;

    reap_always(p);
    (void)submit(p, "a", NULL);
    given = take(p);
    (void)redis_num(p, "ZADD", "%slots", "1", "a:7:none:", "1", "z:1:none:");
    reap(p, 0, 0);
    assert_int_equal(redis_num(p, "ZCARD", "%slots"), 1);
    pass(p, &given);
    expect_sound(p);
}

static void test_many(void **state)
{
    struct pool *p = *state;
    char id[16];

    configure(p, "max_instances", "200", NULL);
    reap_always(p);
    for (int i = 0; i < 140; i++) {
        struct given given;

        (void)snprintf(id, sizeof(id), "j%d", i);
        (void)submit(p, id, NULL);
        given = take(p);
        let_expire(p, &given);
    }
    reap(p, 128, 0); /* a bounded time for each round */
    reap(p, 12, 0);
    expect_sound(p);
}

/* Nobody can renew while Redis is away: then all get one lease to come back,
 * and only then what was not renewed is taken. */
static void test_after_an_outage(void **state)
{
    struct pool *p = *state;
    struct given a, b;
    int64_t paused, until;
    redisReply *reply;

    (void)submit(p, "a", NULL);
    (void)submit(p, "b", NULL);
    reap(p, 0, 0); /* the first of all is like one after a pause */
    (void)redis_num(p, "HSET", "%conf", "reap_from_ms", "0");
    a = take(p);
    b = take(p);
    expire_at(p, &a, now_ms(p) + 1000);
    expire_at(p, &b, now_ms(p) + 1000);
    reap(p, 0, 0);
    redis_server_signal(&server, SIGSTOP);
    paused = clock_mono_ms();
    pause_ms(1500); /* more than lease and grace, not yet a pause of reaping */
    redis_server_signal(&server, SIGCONT);
    assert_true(clock_mono_ms() - paused > 1000);
    /* That long is a pause for who ticks every 100 ms. */
    reply = script(p, SCRIPT_REAP, "400", "20", "0.5", NULL);
    assert_int_equal(queue_reply_num(reply, 0), 0);
    freeReplyObject(reply);
    until = now_ms(p) + 400;
    reply = script(p, SCRIPT_RENEW, "w", "60000", "600", "0", a.id, a.epoch,
                   a.nonce, NULL);
    assert_string_equal(queue_reply_str(reply, 1), "ok");
    freeReplyObject(reply);
    if (now_ms(p) < until - 200) {
        reap(p, 0, 0); /* b has some time left */
        expect(p, "b", "state", "running");
    }
    while (now_ms(p) <= until)
        pause_ms(20);
    reap(p, 1, 0);
    expect(p, "a", "state", "running");
    expect(p, "b", "state", "delayed");
    assert_string_equal(end(p, &b, "passed", "", "0"), "lost");
    pass(p, &a);
    expect_sound(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_expiry), POOL_TEST(test_last_attempt),
        POOL_TEST(test_late),   POOL_TEST(test_stray_slots),
        POOL_TEST(test_many),   POOL_TEST(test_after_an_outage),
    };

    return cmocka_run_group_tests(tests, server_setup, server_teardown);
}
