/* tests/unit/scheduler/queue/delivery_test.c - what hosts sent, in Redis. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/delivery.h"
#include "tests/unit/scheduler/queue/pool.h"

#define KEEP_MS 1000000

struct answer {
    bool over;
    enum queue_delivered what;
    struct err err;
};

static void on_delivered(void *arg, enum queue_delivered what,
                         const struct err *err)
{
    struct answer *answer = arg;

    answer->over = true;
    answer->what = what;
    if (err)
        answer->err = *err;
}

static void on_settled(void *arg, const struct err *err)
{
    struct answer *answer = arg;

    answer->over = true;
    if (err)
        answer->err = *err;
}

static void await(struct pool *p, const struct answer *answer)
{
    while (!answer->over)
        assert_int_equal(loop_step(p->loop, 30000, NULL), 0);
}

static struct queue_delivery delivery_of(const char *key, const void *body,
                                         size_t len)
{
    return (struct queue_delivery){.key = key,
                                   .forge = "github",
                                   .event = "push",
                                   .host_id = "1",
                                   .repo = "a/b",
                                   .source = "192.0.2.1",
                                   .body = body,
                                   .len = len};
}

static struct answer deliver(struct pool *p, const struct queue_delivery *d,
                             uint64_t budget)
{
    const struct queue_delivery_limits limits = {KEEP_MS, budget};
    struct answer answer = {.over = false};
    const struct queue_deliver_done done = {on_delivered, &answer};

    assert_int_equal(queue_deliver(p->queue, d, &limits, &done, NULL), 0);
    await(p, &answer);
    return answer;
}

/* One of a kilobyte and a bit, to count with. */
static enum queue_delivered put(struct pool *p, const char *key,
                                const char *ignored, uint64_t budget)
{
    struct queue_delivery d = delivery_of(key, "{}", 2);

    d.ignored = ignored;
    return deliver(p, &d, budget).what;
}

static struct answer settle(struct pool *p, const char *key, const char *state)
{
    struct answer answer = {.over = false};

    queue_settle(p->queue,
                 &(struct queue_settlement){.key = key,
                                            .state = state,
                                            .reason = "because",
                                            .keep_ms = KEEP_MS},
                 on_settled, &answer);
    await(p, &answer);
    return answer;
}

static void check_body(struct pool *p, const char *key, const char *want)
{
    CLEANUP(mem) char *body = NULL;
    size_t len = 0;

    assert_int_equal(queue_delivery_body(p->queue, key, &body, &len, NULL), 0);
    assert_int_equal(len, strlen(want));
    assert_string_equal(body, want);
}

static void test_stored(void **state)
{
    struct pool *p = *state;
    CLEANUP(mem) char *body = xcalloc(1 << 20, 1);
    struct queue_delivery d = delivery_of("k", body, (1 << 20) - 1);
    struct err err = {ERR_NONE, 0, ""};
    char *none = NULL;
    size_t len = 0;

    memset(body, 'x', (1 << 20) - 1);
    assert_int_equal(deliver(p, &d, 1 << 20).what, QUEUE_DELIVERY_STORED);
    check_body(p, "k", body);
    assert_true(redis_num(p, "HSTRLEN", "%delivery:k", "body") < 10000);
    assert_string_equal(redis_word(p, "HGET", "%delivery:k", "state"),
                        "waiting");
    assert_string_equal(redis_word(p, "HGET", "%delivery:k", "repo"), "a/b");
    assert_string_equal(redis_word(p, "HGET", "%delivery:k", "bytes"),
                        "1048575");
    assert_int_equal(redis_num(p, "PTTL", "%delivery:k"), -1);
    assert_int_equal(redis_num(p, "ZCARD", "%deliveries:waiting"), 1);
    assert_int_equal(queue_delivery_body(p->queue, "x", &none, &len, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    (void)redis_num(p, "HSET", "%delivery:k", "body", "damaged");
    assert_int_equal(queue_delivery_body(p->queue, "k", &none, &len, &err), -1);
}

static void test_repeats(void **state)
{
    struct pool *p = *state;

    assert_int_equal(put(p, "k", NULL, 100000), QUEUE_DELIVERY_STORED);
    assert_int_equal(put(p, "k", NULL, 100000), QUEUE_DELIVERY_KNOWN);
    assert_int_equal(settle(p, "k", "done").err.kind, ERR_NONE);
    assert_int_equal(settle(p, "k", "done").err.kind, ERR_LOST);
    assert_int_equal(put(p, "k", NULL, 100000), QUEUE_DELIVERY_KNOWN);
    assert_int_equal(redis_num(p, "ZCARD", "%deliveries:waiting"), 0);
    assert_true(redis_num(p, "PTTL", "%delivery:k") > 0);

    assert_int_equal(put(p, "f", NULL, 100000), QUEUE_DELIVERY_STORED);
    assert_int_equal(settle(p, "f", "failed").err.kind, ERR_NONE);
    assert_string_equal(redis_word(p, "HGET", "%delivery:f", "reason"),
                        "because");
    assert_int_equal(put(p, "f", NULL, 100000), QUEUE_DELIVERY_AGAIN);
    assert_int_equal(redis_num(p, "PTTL", "%delivery:f"), -1);
    assert_string_equal(redis_word(p, "HGET", "%delivery:f", "state"),
                        "waiting");
    assert_int_equal(put(p, "f", NULL, 100000), QUEUE_DELIVERY_KNOWN);
    assert_int_equal(put(p, "i", "no", 100000), QUEUE_DELIVERY_STORED);
    assert_int_equal(put(p, "i", "no", 100000), QUEUE_DELIVERY_KNOWN);
    assert_int_equal(settle(p, "i", "done").err.kind, ERR_LOST);
}

static void test_budget(void **state)
{
    struct pool *p = *state;
    const uint64_t budget = 3300; /* three of them */

    assert_int_equal(put(p, "a", "no", budget), QUEUE_DELIVERY_STORED);
    assert_int_equal(put(p, "b", NULL, budget), QUEUE_DELIVERY_STORED);
    assert_int_equal(put(p, "c", NULL, budget), QUEUE_DELIVERY_STORED);
    /* What is settled gives way. */
    assert_int_equal(put(p, "d", NULL, budget), QUEUE_DELIVERY_STORED);
    assert_int_equal(redis_num(p, "EXISTS", "%delivery:a"), 0);
    assert_int_equal(redis_num(p, "HLEN", "%delivery_sizes"), 4);
    /* What waits does not. */
    assert_int_equal(put(p, "e", NULL, budget), QUEUE_DELIVERY_FULL);
    assert_int_equal(put(p, "e", "no", budget), QUEUE_DELIVERY_FULL);
    assert_int_equal(redis_num(p, "EXISTS", "%delivery:e"), 0);
    assert_int_equal(put(p, "b", NULL, budget), QUEUE_DELIVERY_KNOWN);
    assert_int_equal(settle(p, "c", "done").err.kind, ERR_NONE);
    assert_int_equal(put(p, "e", NULL, budget), QUEUE_DELIVERY_STORED);
    assert_int_equal(redis_num(p, "EXISTS", "%delivery:c"), 0);
    assert_int_equal(redis_num(p, "EXISTS", "%delivery:b"), 1);
}

/* Its own lifetime ended, or that of the list did: the count is right. */
static void test_old(void **state)
{
    struct pool *p = *state;
    long long size;

    assert_int_equal(put(p, "a", "no", 100000), QUEUE_DELIVERY_STORED);
    size = redis_num(p, "HGET", "%delivery_sizes", "a");
    (void)redis_num(p, "ZADD", "%deliveries", "1", "a");
    (void)redis_num(p, "DEL", "%delivery:a");
    assert_int_equal(put(p, "b", "no", 100000), QUEUE_DELIVERY_STORED);
    assert_int_equal(redis_num(p, "ZCARD", "%deliveries"), 1);
    assert_int_equal(redis_num(p, "HGET", "%delivery_sizes", "total"), size);
    (void)redis_num(p, "DEL", "%delivery:b");
    assert_int_equal(put(p, "b", NULL, 100000), QUEUE_DELIVERY_STORED);
    assert_int_equal(redis_num(p, "HGET", "%delivery_sizes", "total"), size);
    assert_int_equal(redis_num(p, "ZCARD", "%deliveries"), 0);
}

static void test_too_large(void **state)
{
    struct pool *p = *state;
    const struct queue_delivery_limits limits = {KEEP_MS, 1U << 30};
    const struct queue_deliver_done done = {on_delivered, NULL};
    size_t len = QUEUE_MAX_DELIVERY + 1;
    CLEANUP(mem) unsigned char *body = xmalloc(len);
    struct queue_delivery d = delivery_of("k", body, len);
    struct err err = {ERR_NONE, 0, ""};
    uint32_t random = 1;

    for (size_t i = 0; i < len; i++) {
        random = random * 1664525U + 1013904223U;
        body[i] = (unsigned char)(random >> 24);
    }
    assert_int_equal(queue_deliver(p->queue, &d, &limits, &done, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    d.len = QUEUE_MAX_DELIVERY; /* noise: as large when compressed */
    assert_int_equal(queue_deliver(p->queue, &d, &limits, &done, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_stored),    POOL_TEST(test_repeats),
        POOL_TEST(test_budget),    POOL_TEST(test_old),
        POOL_TEST(test_too_large),
    };

    return cmocka_run_group_tests_name("scheduler/queue/delivery", tests,
                                       server_setup, server_teardown);
}
