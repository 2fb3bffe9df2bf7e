/* tests/unit/scheduler/queue/complete_test.c - several ends in one call. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/scheduler/queue/pool.h"

static const struct lease_wish wish = {.worker = "w1", .labels = ""};
static const struct lease_result passed = {"passed", REASON_NONE, "{}"};

#define MANY 40

struct ends {
    struct pool *pool;
    struct lease *next[MANY]; /* owned */
    enum err_kind kinds[MANY];
    size_t count;
    struct lease *last; /* borrowed; freed with the queue by who hears */
};

static void on_lease(void *arg, struct lease *lease, const struct err *err)
{
    struct ends *ends = arg;

    assert_in_range(ends->count, 0, MANY - 1);
    ends->next[ends->count] = lease;
    ends->kinds[ends->count++] = err ? err->kind : ERR_NONE;
    if (ends->last) {
        lease_free(ends->last);
        queue_free(ends->pool->queue);
        ends->pool->queue = NULL;
    }
}

static void wait_for(struct pool *p, const struct ends *ends, size_t count)
{
    int64_t until = clock_mono_ms() + 15000;

    while (ends->count < count && clock_mono_ms() < until)
        assert_int_equal(loop_step(p->loop, 100, NULL), 0);
    assert_int_equal(ends->count, count);
}

static void submit_many(struct pool *p, char name, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char id[24];

        (void)snprintf(id, sizeof(id), "%c%zu", name, i);
        (void)submit(p, id, NULL);
    }
}

static void lease_many(struct pool *p, struct ends *ends, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        queue_lease(p->queue, &wish, on_lease, ends);
        wait_for(p, ends, i + 1);
        assert_non_null(ends->next[i]);
    }
}

static void free_many(struct ends *ends)
{
    for (size_t i = 0; i < ends->count; i++)
        lease_free(ends->next[i]);
}

static long long calls(struct pool *p)
{
    redisReply *reply = redis(p, "INFO", "commandstats", NULL);
    const char *at = strstr(reply->str, "cmdstat_evalsha:calls=");
    long long count = at ? strtoll(strchr(at, '=') + 1, NULL, 10) : 0;

    freeReplyObject(reply);
    return count;
}

/* Each gets its own answer, and a job of its own next. */
static void test_each_its_own(void **state)
{
    struct pool *p = *state;
    struct ends held = {.pool = p}, ended = {.pool = p};
    long long before;

    submit_many(p, 'a', MANY);
    lease_many(p, &held, MANY);
    submit_many(p, 'b', MANY - 1);
    before = calls(p);
    for (size_t i = 0; i < MANY; i++)
        lease_complete(held.next[i], "w1", &passed, &wish, on_lease, &ended);
    assert_int_equal(ended.count, 0); /* never from inside the call */
    wait_for(p, &ended, MANY);
    assert_int_equal(calls(p) - before, 3); /* 16, 16, and 8 */
    for (size_t i = 0; i < MANY; i++) {
        char id[24];

        (void)snprintf(id, sizeof(id), "b%zu", i);
        assert_int_equal(ended.kinds[i], ERR_NONE);
        if (i == MANY - 1)
            assert_null(ended.next[i]); /* there were no more */
        else
            assert_string_equal(lease_job_id(ended.next[i]), id);
        (void)snprintf(id, sizeof(id), "a%zu", i);
        expect(p, id, "state", "passed");
    }
    assert_int_equal(redis_num(p, "ZCARD", "%slots"), MANY - 1);
    assert_int_equal(redis_num(p, "SCARD", "%held:w1"), MANY - 1);
    assert_int_equal(redis_num(p, "ZCARD", "%done"), MANY);
    free_many(&held);
    free_many(&ended);
}

/* One of several is lost, one meets a broken key; the others end. */
static void test_one_is_wrong(void **state)
{
    static char name[] = "g";
    static const struct concurrency group = {.group = name};
    static const enum err_kind kinds[] = {ERR_NONE, ERR_LOST, ERR_BUG,
                                          ERR_NONE};
    struct pool *p = *state;
    struct ends held = {.pool = p}, ended = {.pool = p};

    (void)submit(p, "a", NULL);
    (void)submit(p, "b", NULL);
    (void)submit(p, "c", JOB(.concurrency = &group));
    (void)submit(p, "d", NULL);
    lease_many(p, &held, 4);
    (void)redis_num(p, "HSET", "%job:b", "epoch", "7");
    freeReplyObject(redis(p, "SET", "%group:g", "no line", NULL));
    for (size_t i = 0; i < 4; i++)
        lease_complete(held.next[i], "w1", &passed, NULL, on_lease, &ended);
    wait_for(p, &ended, 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(ended.kinds[i], kinds[i]);
    expect(p, "a", "state", "passed");
    expect(p, "b", "state", "running");
    expect(p, "c", "state", "passed");
    expect(p, "d", "state", "passed");
    assert_int_equal(redis_num(p, "ZCARD", "%slots"), 1); /* b's */
    free_many(&held);
}

/* Out of memory is a matter of time, and nothing was changed by half. */
static void test_out_of_memory(void **state)
{
    struct pool *p = *state;
    struct ends held = {.pool = p}, ended = {.pool = p};

    submit_many(p, 'a', 2);
    lease_many(p, &held, 2);
    freeReplyObject(redis(p, "CONFIG", "SET", "maxmemory", "1", NULL));
    for (size_t i = 0; i < 2; i++)
        lease_complete(held.next[i], "w1", &passed, NULL, on_lease, &ended);
    wait_for(p, &ended, 2);
    freeReplyObject(redis(p, "CONFIG", "SET", "maxmemory", "0", NULL));
    assert_int_equal(ended.kinds[0], ERR_TRANSIENT);
    assert_int_equal(ended.kinds[1], ERR_TRANSIENT);
    expect(p, "a0", "state", "running");
    for (size_t i = 0; i < 2; i++)
        lease_complete(held.next[i], "w1", &passed, NULL, on_lease, &ended);
    wait_for(p, &ended, 4);
    assert_int_equal(ended.kinds[2], ERR_NONE);
    assert_int_equal(ended.kinds[3], ERR_NONE);
    assert_int_equal(redis_num(p, "ZCARD", "%slots"), 0);
    free_many(&held);
}

/* Workers of other names, or labels, ask for themselves. */
static void test_other_wishes(void **state)
{
    char *words[] = {(char[]){"gpu"}, NULL};
    const struct strv labels = {.items = words, .count = 1};
    const struct lease_wish gpu = {.worker = "w1", .labels = ",gpu,"};
    struct pool *p = *state;
    struct ends held = {.pool = p}, ended = {.pool = p};

    submit_many(p, 'a', 2);
    lease_many(p, &held, 2);
    (void)submit(p, "g", JOB(.labels = &labels));
    lease_complete(held.next[0], "w1", &passed, &wish, on_lease, &ended);
    lease_complete(held.next[1], "w1", &passed, &gpu, on_lease, &ended);
    wait_for(p, &ended, 2);
    assert_null(ended.next[0]);
    assert_string_equal(lease_job_id(ended.next[1]), "g");
    free_many(&held);
    free_many(&ended);
}

/* Who hears the first of several may be done with the queue. */
static void test_freed_inside(void **state)
{
    struct pool *p = *state;
    struct ends held = {.pool = p}, ended = {.pool = p};
    struct lease *leases[2];

    submit_many(p, 'a', 2);
    lease_many(p, &held, 2);
    for (size_t i = 0; i < 2; i++) {
        leases[i] = lease_adopt(p->queue, lease_job_id(held.next[i]), 1,
                                lease_nonce(held.next[i]));
        lease_complete(leases[i], "w1", &passed, NULL, on_lease, &ended);
    }
    free_many(&held);
    lease_free(leases[1]); /* nobody is told of it */
    ended.last = leases[0];
    lease_complete(leases[0], "w1", &passed, NULL, on_lease, &ended);
    while (!ended.count)
        assert_int_equal(loop_step(p->loop, 100, NULL), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(loop_step(p->loop, 10, NULL), 0);
    assert_int_equal(ended.count, 1);
}

/* What was not sent goes with the queue. */
static void test_freed_before(void **state)
{
    struct pool *p = *state;
    struct ends held = {.pool = p}, ended = {.pool = p};

    (void)submit(p, "a", NULL);
    lease_many(p, &held, 1);
    lease_complete(held.next[0], "w1", &passed, NULL, on_lease, &ended);
    free_many(&held);
    queue_free(STEAL(p->queue));
    assert_int_equal(loop_step(p->loop, 10, NULL), 0);
    assert_int_equal(ended.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_each_its_own),  POOL_TEST(test_one_is_wrong),
        POOL_TEST(test_out_of_memory), POOL_TEST(test_other_wishes),
        POOL_TEST(test_freed_inside),  POOL_TEST(test_freed_before),
    };

    return cmocka_run_group_tests_name("complete", tests, server_setup,
                                       server_teardown);
}
