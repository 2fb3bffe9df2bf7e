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
    assert_int_equal(redis_num(p, "ZCARD", "%deliveries:waiting:github"), 1);
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
    assert_int_equal(redis_num(p, "ZCARD", "%deliveries:waiting:github"), 0);
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

/* ---- those that wait -------------------------------------------------------
 */

struct attended {
    bool over, taken;
    char key[QUEUE_DELIVERY_KEY + 1], body[16], repo[16];
    unsigned attempts, replays;
    int64_t in_ms;
};

static void on_attended(void *arg, const struct queue_taken *taken,
                        int64_t in_ms, const struct err *err)
{
    struct attended *a = arg;

    assert_null(err);
    a->over = true;
    a->in_ms = in_ms;
    if (!taken)
        return;
    a->taken = true;
    a->attempts = taken->attempts;
    a->replays = taken->replays;
    assert_true(taken->started_at_ms <= taken->now_ms);
    (void)snprintf(a->key, sizeof(a->key), "%s", taken->key);
    (void)snprintf(a->repo, sizeof(a->repo), "%s", taken->repo);
    (void)snprintf(a->body, sizeof(a->body), "%s",
                   taken->body ? taken->body : "damaged");
}

static struct attended attend(struct pool *p, const char *claim,
                              int64_t lifetime_ms, const char *forges)
{
    const struct queue_attendant who = {"s", claim, lifetime_ms, forges};
    struct attended a = {.over = false};

    queue_attend(p->queue, &who, on_attended, &a);
    while (!a.over)
        assert_int_equal(loop_step(p->loop, 30000, NULL), 0);
    return a;
}

static enum err_kind postpone(struct pool *p, const char *claim,
                              int64_t delay_ms, const char *reason)
{
    struct answer answer = {.over = false};

    queue_postpone(p->queue, "a", claim, delay_ms, reason, on_settled, &answer);
    await(p, &answer);
    return answer.err.kind;
}

static void test_taken(void **state)
{
    struct pool *p = *state;
    struct attended a;

    assert_int_equal(put(p, "a", NULL, 100000), QUEUE_DELIVERY_STORED);
    a = attend(p, "c0", 60000, " gitlab gitea ");
    assert_false(a.taken);
    assert_int_equal(a.in_ms, -1);
    a = attend(p, "c1", 60000, " github ");
    assert_true(a.taken);
    assert_string_equal(a.key, "a");
    assert_string_equal(a.body, "{}");
    assert_string_equal(a.repo, "a/b");
    assert_int_equal(a.attempts, 1);
    assert_int_equal(redis_num(p, "ZCARD", "%repos"), 1);
    a = attend(p, "c2", 60000, " github ");
    assert_false(a.taken);
    assert_true(a.in_ms > 50000);
    assert_int_equal(postpone(p, "c2", 1, NULL), ERR_LOST);
    assert_int_equal(postpone(p, "c1", 0, NULL), ERR_NONE);
    /* Its claim is over: another has it, and the first can say nothing. */
    a = attend(p, "c2", 60000, " github ");
    assert_true(a.taken);
    assert_int_equal(a.attempts, 2);
    assert_int_equal(postpone(p, "c1", 0, "away"), ERR_LOST);
    assert_int_equal(postpone(p, "c2", 0, "away"), ERR_NONE);
    assert_string_equal(redis_word(p, "HGET", "%delivery:a", "reason"), "away");
    assert_int_equal(postpone(p, "c2", 0, "away"), ERR_LOST);
}

/* Whatever waits of a host that is not ours, or stuck, is in nobody's way. */
static void test_fair(void **state)
{
    struct pool *p = *state;
    struct attended a;

    assert_string_equal(
        redis_word(p, "EVAL",
                   "for i = 1, 3000 do "
                   "redis.call('HSET', KEYS[1] .. 'delivery:g' .. i, 'forge', "
                   "'gitlab', 'state', 'waiting') "
                   "redis.call('ZADD', KEYS[1] .. 'deliveries:waiting:gitlab', "
                   "1, 'g' .. i) end return 'ok'",
                   "1", "%"),
        "ok");
    assert_int_equal(put(p, "a", NULL, 100000), QUEUE_DELIVERY_STORED);
    a = attend(p, "c1", 60000, "github");
    assert_true(a.taken);
    assert_string_equal(a.key, "a");
    assert_int_equal(postpone(p, "c1", 0, "away"), ERR_NONE);
    assert_string_equal(attend(p, "c2", 60000, "github gitlab").key, "a");
    assert_int_equal(postpone(p, "c2", 0, "away"), ERR_NONE);
    a = attend(p, "c3", 60000, "gitlab github");
    assert_true(a.taken && a.key[0] == 'g');
}

static enum err_kind settle_as(struct pool *p, const char *claim)
{
    struct answer answer = {.over = false};

    queue_settle(p->queue,
                 &(struct queue_settlement){.key = "a",
                                            .claim = claim,
                                            .state = "done",
                                            .jobs = "j-1 j-2",
                                            .keep_ms = KEEP_MS},
                 on_settled, &answer);
    await(p, &answer);
    return answer.err.kind;
}

static void test_replayed(void **state)
{
    struct pool *p = *state;
    struct err err = {ERR_NONE, 0, ""};
    json_t *rows = NULL;

    assert_int_equal(put(p, "a", NULL, 100000), QUEUE_DELIVERY_STORED);
    assert_int_equal(put(p, "b", "why", 100000), QUEUE_DELIVERY_STORED);
    assert_true(attend(p, "c1", 60000, " github ").taken);
    assert_int_equal(settle_as(p, "c2"), ERR_LOST);
    assert_int_equal(queue_replay(p->queue, "a", &err), -1);
    assert_int_equal(settle_as(p, "c1"), ERR_NONE);
    assert_int_equal(queue_deliveries(p->queue, NULL, 10, &rows, NULL), 0);
    assert_int_equal(json_array_size(rows), 2);
    json_decref(rows);
    assert_int_equal(queue_deliveries(p->queue, "a", 10, &rows, NULL), 0);
    assert_int_equal(json_array_size(rows), 1);
    assert_string_equal(
        json_string_value(json_array_get(
            json_object_get(json_array_get(rows, 0), "jobs"), 1)),
        "j-2");
    json_decref(rows);
    assert_int_equal(queue_replay(p->queue, "a", NULL), 0);
    assert_int_equal(redis_num(p, "PTTL", "%delivery:a"), -1);
    assert_int_equal(attend(p, "c3", 1000, " github ").replays, 1);
    assert_int_equal(queue_replay(p->queue, "x", &err), -1);
    assert_int_equal(err.kind, ERR_USER);
}

/* A host that is told that we have it does not send it again. */
static void test_replicas(void **state)
{
    struct pool *p = *state;
    struct queue_options options = {.url = server.url,
                                    .pool = p->name,
                                    .max_instances = 1,
                                    .wait_replicas = 1,
                                    .wait_ms = 50};
    struct pool waits = {.loop = p->loop};
    struct queue_delivery d = delivery_of("a", "{}", 2);
    struct answer answer;

    assert_int_equal(queue_open(p->loop, &options, &waits.queue, NULL), 0);
    answer = deliver(&waits, &d, 100000);
    assert_int_equal(answer.err.kind, ERR_TRANSIENT);
    assert_non_null(strstr(answer.err.msg, "replicas"));
    queue_free(waits.queue);
    assert_int_equal(deliver(p, &d, 100000).what, QUEUE_DELIVERY_KNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_taken),    POOL_TEST(test_fair),
        POOL_TEST(test_replayed), POOL_TEST(test_stored),
        POOL_TEST(test_repeats),  POOL_TEST(test_budget),
        POOL_TEST(test_old),      POOL_TEST(test_too_large),
        POOL_TEST(test_replicas),
    };

    return cmocka_run_group_tests_name("scheduler/queue/delivery", tests,
                                       server_setup, server_teardown);
}
