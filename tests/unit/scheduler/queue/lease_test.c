/* tests/unit/scheduler/queue/lease_test.c - leases, as a worker has them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/scheduler/queue/pool.h"

#include "scheduler/queue/inspect.h"

static const struct lease_wish wish = {.worker = "w1", .labels = ""};
static const struct lease_result passed = {"passed", REASON_NONE, "{}"};

struct answer {
    bool done, drain;
    struct lease *lease;
    struct lease_news news[4];
    size_t count;
    enum err_kind kind;
    enum queue_bell bell;
};

static void wait_for(struct pool *p, const struct answer *a)
{
    int64_t until = clock_mono_ms() + 15000;

    assert_false(a->done); /* never from inside the call */
    while (!a->done && clock_mono_ms() < until)
        assert_int_equal(loop_step(p->loop, 100, NULL), 0);
    assert_true(a->done);
}

static void on_lease(void *arg, struct lease *lease, const struct err *err)
{
    struct answer *a = arg;

    assert_false(a->done);
    a->done = true;
    a->lease = lease;
    a->kind = err ? err->kind : ERR_NONE;
}

static void on_renewed(void *arg, bool drain, const struct lease_news *news,
                       size_t count, const struct err *err)
{
    struct answer *a = arg;

    a->done = true;
    a->drain = drain;
    a->count = count;
    for (size_t i = 0; i < count; i++)
        a->news[i] = news[i];
    a->kind = err ? err->kind : ERR_NONE;
}

static struct lease *get(struct pool *p)
{
    struct answer a = {.done = false};

    queue_lease(p->queue, &wish, on_lease, &a);
    wait_for(p, &a);
    assert_int_equal(a.kind, ERR_NONE);
    return a.lease;
}

static struct answer renew(struct pool *p, struct lease *lease)
{
    struct answer a = {.done = false};

    queue_renew(p->queue, "w1", NULL, 0, &lease, 1, on_renewed, &a);
    wait_for(p, &a);
    return a;
}

static bool is_lost(struct pool *p, struct lease *lease)
{
    struct answer a = renew(p, lease);

    assert_int_equal(a.kind, ERR_NONE);
    assert_int_equal(a.count, 1);
    return a.news[0].lost;
}

/* `next` NULL: none is wished for. */
static enum err_kind complete(struct pool *p, struct lease *lease,
                              struct lease **next)
{
    struct answer a = {.done = false};

    lease_complete(lease, "w1", &passed, next ? &wish : NULL, on_lease, &a);
    wait_for(p, &a);
    if (next)
        *next = a.lease;
    else
        assert_null(a.lease);
    return a.kind;
}

static void test_options(void **state)
{
    struct pool *p = *state;
    const struct queue_options good = p->queue->options;
    struct queue *queue = NULL;
    struct queue_options bad;
    struct err err;

#define REFUSED(field, value)                                                  \
    bad = good;                                                                \
    bad.field = (value);                                                       \
    assert_int_equal(queue_open(NULL, &bad, &queue, &err), -1);                \
    assert_int_equal(err.kind, ERR_USER)
    REFUSED(pool, "");
    REFUSED(pool, "a}b");
    REFUSED(pool, "a:b");
    REFUSED(max_instances, 0);
    REFUSED(url, "http://h");
#undef REFUSED
}

static void test_life(void **state)
{
    struct pool *p = *state;
    CLEANUP(lease) struct lease *lease = NULL;
    CLEANUP(queue_status) struct queue_status *s = NULL;
    int64_t before = clock_mono_ms();

    assert_null(get(p));
    (void)submit(p, "a", NULL);
    lease = get(p);
    assert_non_null(lease);
    assert_string_equal(lease_job_id(lease), "a");
    assert_string_equal(lease_payload(lease), "{\"n\":1}");
    assert_int_equal(lease_epoch(lease), 1);
    assert_int_equal(strlen(lease_nonce(lease)), 32);
    assert_true(lease_sent_mono_ms(lease) >= before);
    assert_null(get(p));
    assert_false(is_lost(p, lease));
    assert_int_equal(complete(p, lease, NULL), ERR_NONE);
    assert_int_equal(queue_status(p->queue, "a", &s, NULL), 0);
    assert_string_equal(s->state, "passed");
    assert_string_equal(s->result, "{}");
    assert_string_equal(s->worker, "w1");
    assert_null(s->payload);
    assert_true(s->submitted_at_ms > 0 &&
                s->started_at_ms >= s->submitted_at_ms &&
                s->ended_at_ms >= s->started_at_ms);
}

static void test_fences(void **state)
{
    struct pool *p = *state;
    CLEANUP(lease) struct lease *lease = NULL;
    CLEANUP(lease) struct lease *other = NULL;

    (void)submit(p, "a", NULL);
    lease = get(p);
    other = lease_adopt(p->queue, "a", 2, lease_nonce(lease));
    assert_true(is_lost(p, other));
    assert_int_equal(complete(p, other, NULL), ERR_LOST);
    lease_free(STEAL(other));
    other = lease_adopt(p->queue, "a", 1, "00000000000000000000000000000000");
    assert_true(is_lost(p, other));
    assert_int_equal(complete(p, other, NULL), ERR_LOST);
    lease_free(STEAL(other));
    expect(p, "a", "state", "running");
    /* Its successor has both. */
    other = lease_adopt(p->queue, "a", 1, lease_nonce(lease));
    assert_false(is_lost(p, other));
    assert_int_equal(complete(p, other, NULL), ERR_NONE);
}

/* Each call may be repeated when its answer was lost. */
static void test_lease_again(void **state)
{
    struct pool *p = *state;
    char nonce[QUEUE_NONCE_SIZE];
    struct lease *lease, *again;
    long long first;

    (void)submit(p, "a", NULL);
    (void)submit(p, "b", NULL);
    memcpy(nonce, p->queue->nonce, sizeof(nonce));
    lease = get(p);
    assert_string_not_equal(p->queue->nonce, nonce);
    first = redis_num(p, "ZSCORE", "%slots", "a:1:none:");
    memcpy(p->queue->nonce, nonce, sizeof(nonce));
    p->queue->again = true;
    pause_ms(20);
    again = get(p);
    assert_string_equal(lease_job_id(again), "a");
    assert_int_equal(lease_epoch(again), 1);
    assert_string_equal(lease_payload(again), lease_payload(lease));
    assert_int_equal(redis_num(p, "ZCARD", "%slots"), 1);
    /* Its end is counted from the second request on: there as here. */
    assert_true(redis_num(p, "ZSCORE", "%slots", "a:1:none:") >= first + 20);
    assert_int_equal(complete(p, again, NULL), ERR_NONE);
    lease_free(again);
    /* Once it ended, the old request gets what is next. */
    memcpy(p->queue->nonce, nonce, sizeof(nonce));
    p->queue->again = true;
    again = get(p);
    assert_string_equal(lease_job_id(again), "b");
    lease_free(lease);
    lease_free(again);
}

static unsigned calls_of(struct pool *p, const char *command)
{
    redisReply *reply = redis(p, "INFO", "commandstats", NULL);
    CLEANUP(mem) char *line = xasprintf("cmdstat_%s:calls=", command);
    const char *found = strstr(reply->str, line);
    unsigned count =
        found ? (unsigned)strtoul(found + strlen(line), NULL, 10) : 0;

    freeReplyObject(reply);
    return count;
}

/* All workers ask again when Redis was away: what others have costs nothing. */
static void test_again_is_cheap(void **state)
{
    struct pool *p = *state;
    struct lease *lease;
    unsigned count;

    for (int i = 0; i < 90; i++) {
        CLEANUP(mem) char *id = xasprintf("j%d", i);

        (void)submit(p, id, NULL);
        assert_string_equal(take_as(p, "other", "", "0").id, id);
    }
    (void)submit(p, "a", NULL);
    p->queue->again = true;
    count = calls_of(p, "hmget");
    lease = get(p);
    assert_string_equal(lease_job_id(lease), "a");
    assert_in_range(calls_of(p, "hmget") - count, 1, 20);
    lease_free(lease);
    expect_sound(p);
}

/* Whoever can write to Redis must not name files on a worker. */
static void test_hostile_id(void **state)
{
    struct pool *p = *state;

    freeReplyObject(redis(p, "HSET", "%job:../../x", "state", "ready",
                          "pipeline", "", "payload", "{}", NULL));
    freeReplyObject(redis(p, "ZADD", "%ready:2::", "1", "../../x", NULL));
    freeReplyObject(redis(p, "ZADD", "%act:", "1", "2:", NULL));
    assert_null(get(p));
    expect(p, "../../x", "state", "running"); /* it was given out */
}

static void test_complete_again(void **state)
{
    struct pool *p = *state;
    struct lease *lease, *next, *again;

    (void)submit(p, "a", NULL);
    (void)submit(p, "b", NULL);
    (void)submit(p, "c", NULL);
    lease = get(p);
    assert_int_equal(complete(p, lease, &next), ERR_NONE);
    assert_string_equal(lease_job_id(next), "b");
    assert_string_equal(lease_nonce(next), lease->next_nonce);
    /* The first word stands, and the same job comes with it. */
    assert_int_equal(complete(p, lease, &again), ERR_NONE);
    assert_string_equal(lease_job_id(again), "b");
    assert_int_equal(lease_epoch(again), 1);
    assert_int_equal(redis_num(p, "ZCARD", "%slots"), 1);
    assert_int_equal(redis_num(p, "ZCARD", "%done"), 1);
    assert_true(is_lost(p, lease));
    assert_false(is_lost(p, again));
    lease_free(again);
    lease_free(lease);
    assert_int_equal(complete(p, next, &again), ERR_NONE);
    assert_string_equal(lease_job_id(again), "c");
    lease_free(next);
    assert_int_equal(complete(p, again, &next), ERR_NONE);
    assert_null(next);
    lease_free(again);
    expect_sound(p);
}

/* A repeat after the attempt failed and waits for another. */
static void test_failed_again(void **state)
{
    struct pool *p = *state;
    CLEANUP(lease) struct lease *lease = NULL;
    const struct lease_result failed = {"failed", REASON_MODEL_FAILED, "{}"};

    (void)submit(p, "a", NULL);
    lease = get(p);
    for (int i = 0; i < 2; i++) {
        struct answer a = {.done = false};

        lease_complete(lease, "w1", &failed, NULL, on_lease, &a);
        wait_for(p, &a);
        assert_int_equal(a.kind, ERR_NONE);
    }
    expect(p, "a", "infra_failures", "1");
    expect(p, "a", "reason", "model_failed");
    assert_int_equal(redis_num(p, "ZCARD", "%delayed"), 1);
    expect_sound(p);
}

/* A lost lease gets the next job all the same. */
static void test_lost_and_next(void **state)
{
    struct pool *p = *state;
    CLEANUP(lease) struct lease *lease = NULL;
    struct lease *next;

    (void)submit(p, "a", NULL);
    lease = lease_adopt(p->queue, "z", 1, "00");
    assert_int_equal(complete(p, lease, &next), ERR_LOST);
    assert_string_equal(lease_job_id(next), "a");
    lease_free(next);
}

static void test_renew_many(void **state)
{
    struct pool *p = *state;
    const struct worker_fact facts[] = {{"labels", ",a,"}, {"cpus", "4"}};
    struct answer a = {.done = false};
    struct lease *leases[3];
    struct err err;

    (void)submit(p, "a", NULL);
    (void)submit(p, "b", NULL);
    (void)submit(p, "c", NULL);
    for (size_t i = 0; i < 3; i++)
        leases[i] = get(p);
    (void)word_of(p, SCRIPT_CANCEL, "b", "superseded");
    (void)redis_num(p, "HSET", "%job:c", "epoch", "2");
    queue_renew(p->queue, "w1", facts, 2, leases, 3, on_renewed, &a);
    lease_free(leases[0]); /* while it is under way */
    wait_for(p, &a);
    assert_false(a.drain);
    assert_int_equal(a.count, 2);
    assert_ptr_equal(a.news[0].lease, leases[1]);
    assert_int_equal(a.news[0].cancel, REASON_SUPERSEDED);
    assert_false(a.news[0].lost);
    assert_true(a.news[1].lost);
    assert_string_equal(redis_word(p, "HGET", "%worker:w1", "cpus"), "4");
    assert_int_equal(queue_drain(p->queue, "w1", true, &err), 0);
    assert_true(renew(p, leases[1]).drain);
    assert_true(redis_num(p, "ZSCORE", "%slots", "a:1:none:") > now_ms(p));
    lease_free(leases[1]);
    lease_free(leases[2]);
}

static void on_bell(void *arg, enum queue_bell bell, const struct err *err)
{
    struct answer *a = arg;

    assert_null(err);
    a->done = true;
    a->bell = bell;
}

static enum queue_bell listen_for(struct pool *p, uint32_t ms)
{
    struct answer a = {.done = false};

    queue_listen(p->queue, "w1", ms, on_bell, &a);
    wait_for(p, &a);
    return a.bell;
}

static void test_bell(void **state)
{
    struct pool *p = *state;
    const struct lease_wish idle = {"w1", "", 60000};
    struct answer a = {.done = false};
    CLEANUP(lease) struct lease *lease = NULL;

    assert_int_equal(listen_for(p, 10), QUEUE_BELL_NONE);
    queue_lease(p->queue, &idle, on_lease, &a);
    wait_for(p, &a);
    assert_null(a.lease);
    (void)submit(p, "a", NULL);
    assert_int_equal(listen_for(p, 10000), QUEUE_BELL_JOB);
    lease = get(p);
    (void)word_of(p, SCRIPT_CANCEL, "a", "cancelled");
    assert_int_equal(listen_for(p, 10000), QUEUE_BELL_RENEW);
}

static void test_forget(void **state)
{
    struct pool *p = *state;
    struct answer a = {.done = false};
    struct lease *lease;

    (void)submit(p, "a", NULL);
    queue_lease(p->queue, &wish, on_lease, &a);
    queue_forget_calls(p->queue, &a);
    while (redis_num(p, "ZCARD", "%slots") == 0)
        assert_int_equal(loop_step(p->loop, 20, NULL), 0);
    assert_int_equal(loop_step(p->loop, 20, NULL), 0);
    assert_false(a.done);
    /* The next request is another: it must not be given the same nonce. */
    (void)submit(p, "b", NULL);
    lease = get(p);
    assert_string_equal(lease_job_id(lease), "b");
    assert_string_not_equal(lease_nonce(lease), field_of(p, "a", "nonce"));
    /* A lease may go while its calls are under way, and the queue too. */
    lease_complete(lease, "w1", &passed, NULL, on_lease, &a);
    lease_free(lease);
    for (int i = 0; i < 5; i++)
        assert_int_equal(loop_step(p->loop, 20, NULL), 0);
    queue_lease(p->queue, &wish, on_lease, &a);
    queue_free(STEAL(p->queue));
    assert_false(a.done);
}

static void test_redis_away(void **state)
{
    struct pool *p = *state;
    CLEANUP(lease) struct lease *lease = NULL;
    struct queue_status *s = NULL;
    const struct queue_job job = {.id = "b", .payload = "{}"};
    struct queue_answer answer;
    struct answer a = {.done = false};
    struct lease *one = NULL;
    struct err err;

    (void)submit(p, "a", NULL);
    lease = get(p);
    redis_server_kill(&server);
    assert_int_equal(queue_submit(p->queue, &job, 1, &answer, &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    assert_int_equal(queue_status(p->queue, "a", &s, &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    one = lease;
    queue_renew(p->queue, "w1", NULL, 0, &one, 1, on_renewed, &a);
    redis_server_start(&server);
    wait_for(p, &a);
    if (a.kind == ERR_TRANSIENT) /* it was sent into the closing one */
        assert_false(is_lost(p, lease));
    /* It came back without the scripts: they are sent again. */
    assert_int_equal(complete(p, lease, NULL), ERR_NONE);
    expect(p, "a", "state", "passed");
}

static void test_scripts_forgotten(void **state)
{
    struct pool *p = *state;
    CLEANUP(lease) struct lease *lease = NULL;

    (void)submit(p, "a", NULL);
    freeReplyObject(redis(p, "SCRIPT", "FLUSH", NULL));
    lease = get(p);
    freeReplyObject(redis(p, "SCRIPT", "FLUSH", NULL));
    assert_int_equal(complete(p, lease, NULL), ERR_NONE);
    freeReplyObject(redis(p, "SCRIPT", "FLUSH", NULL));
    (void)submit(p, "b", NULL);
    expect_sound(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_options),
        POOL_TEST(test_life),
        POOL_TEST(test_fences),
        POOL_TEST(test_lease_again),
        POOL_TEST(test_again_is_cheap),
        POOL_TEST(test_hostile_id),
        POOL_TEST(test_complete_again),
        POOL_TEST(test_failed_again),
        POOL_TEST(test_lost_and_next),
        POOL_TEST(test_renew_many),
        POOL_TEST(test_bell),
        POOL_TEST(test_forget),
        POOL_TEST(test_scripts_forgotten),
        POOL_TEST(test_redis_away),
    };

    return cmocka_run_group_tests(tests, server_setup, server_teardown);
}
