/* tests/unit/scheduler/queue/queue_test.c - every transition, on Redis. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/impl.h"
#include "tests/lib/redis_server.h"
#include "tests/lib/unit.h"

static struct redis_server server;
static unsigned pool_number;

/* ---- one pool a test, and calls that wait for their answer -------------- */

struct fixture {
    struct loop *loop;
    struct queue *queue;
    char pool[32];
};

static struct queue_options pool_options(const struct fixture *f,
                                         unsigned max_instances)
{
    return (struct queue_options){.url = server.url,
                                  .pool = f->pool,
                                  .max_instances = max_instances,
                                  .lease_ms = 400,
                                  .kill_grace_ms = 600,
                                  .keep_ms = 60000};
}

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    struct queue_options options;

    (void)snprintf(f->pool, sizeof(f->pool), "p%u", pool_number++);
    options = pool_options(f, 2);
    assert_int_equal(loop_new(&f->loop, NULL), 0);
    assert_int_equal(queue_open(f->loop, &options, &f->queue, NULL), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    queue_free(f->queue);
    loop_free(f->loop);
    free(f);
    return 0;
}

struct answer {
    bool done;
    struct lease *lease;
    char cancel[32];
    enum err_kind kind;
};

static void wait_for(struct fixture *f, const struct answer *a)
{
    int64_t until = clock_mono_ms() + 15000;

    while (!a->done && clock_mono_ms() < until)
        assert_int_equal(loop_step(f->loop, 100, NULL), 0);
    assert_true(a->done);
}

static void on_lease(void *arg, struct lease *lease, const struct err *err)
{
    struct answer *a = arg;

    a->done = true;
    a->lease = lease;
    a->kind = err ? err->kind : ERR_NONE;
}

static void on_done(void *arg, const struct err *err)
{
    struct answer *a = arg;

    a->done = true;
    a->kind = err ? err->kind : ERR_NONE;
}

static void on_renewed(void *arg, const char *cancel, const struct err *err)
{
    struct answer *a = arg;

    on_done(arg, err);
    (void)snprintf(a->cancel, sizeof(a->cancel), "%s", cancel ? cancel : "");
}

static struct lease *take(struct fixture *f)
{
    struct answer a = {.done = false};

    queue_lease(f->queue, "w1", on_lease, &a);
    assert_false(a.done);
    wait_for(f, &a);
    assert_int_equal(a.kind, ERR_NONE);
    return a.lease;
}

static enum err_kind renew(struct fixture *f, struct lease *lease,
                           const char *cancel)
{
    struct answer a = {.done = false};

    lease_renew(lease, on_renewed, &a);
    wait_for(f, &a);
    assert_string_equal(a.cancel, cancel);
    return a.kind;
}

static enum err_kind complete(struct fixture *f, struct lease *lease,
                              const char *state, const char *reason)
{
    struct answer a = {.done = false};
    const struct lease_result result = {state, reason, "{\"schema\":1}"};

    lease_complete(lease, &result, on_done, &a);
    wait_for(f, &a);
    return a.kind;
}

static void submit(struct fixture *f, const char *id)
{
    CLEANUP(mem) char *payload = xasprintf("{\"n\":\"%s\"}", id);

    assert_int_equal(queue_submit(f->queue, id, payload, NULL), 0);
}

static void expect_status(struct fixture *f, const char *id, const char *state,
                          const char *reason)
{
    CLEANUP(queue_status) struct queue_status *s = NULL;

    assert_int_equal(queue_status(f->queue, id, &s, NULL), 0);
    assert_string_equal(s->state, state);
    assert_string_equal(s->reason ? s->reason : "", reason);
}

/* The raw answer of one command. */
static redisReply *redis(struct fixture *f, const char *command,
                         const char *key, const char *arg)
{
    CLEANUP(mem) char *full = xasprintf("%s%s", f->queue->prefix, key);
    const char *const list[] = {command, full, arg};
    struct redis_words words = {list, NULL, arg ? 3 : 2};
    struct redis_sync *sync;
    redisReply *reply = NULL;

    assert_int_equal(queue_sync(f->queue, &sync, NULL), 0);
    assert_int_equal(redis_sync_command(sync, &words, &reply, NULL), 0);
    return reply;
}

static long long number(struct fixture *f, const char *command, const char *key)
{
    redisReply *reply = redis(f, command, key, NULL);
    long long n = reply->integer;

    freeReplyObject(reply);
    return n;
}

/* ---- tests -------------------------------------------------------------- */

static void test_options(void **state)
{
    struct fixture *f = *state;
    const struct queue_options good = pool_options(f, 1);
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
    struct fixture *f = *state;
    CLEANUP(lease) struct lease *lease = NULL;
    CLEANUP(queue_status) struct queue_status *s = NULL;
    int64_t before;

    assert_null(take(f));
    submit(f, "a");
    expect_status(f, "a", "ready", "");
    before = clock_mono_ms();
    lease = take(f);
    assert_non_null(lease);
    assert_string_equal(lease_job_id(lease), "a");
    assert_string_equal(lease_payload(lease), "{\"n\":\"a\"}");
    assert_int_equal(lease_epoch(lease), 1);
    assert_true(lease_sent_mono_ms(lease) >= before);
    expect_status(f, "a", "running", "");
    assert_null(take(f));
    assert_int_equal(renew(f, lease, ""), ERR_NONE);
    assert_int_equal(complete(f, lease, "failed", "step_failed"), ERR_NONE);
    assert_int_equal(queue_status(f->queue, "a", &s, NULL), 0);
    assert_string_equal(s->state, "failed");
    assert_string_equal(s->reason, "step_failed");
    assert_string_equal(s->result, "{\"schema\":1}");
    assert_string_equal(s->worker, "w1");
    assert_true(s->submitted_at_ms > 0 &&
                s->started_at_ms >= s->submitted_at_ms &&
                s->ended_at_ms >= s->started_at_ms);
    assert_int_equal(number(f, "ZCARD", "slots"), 0);
    assert_int_equal(number(f, "ZCARD", "leases"), 0);
    assert_int_equal(number(f, "ZCARD", "done"), 1);
    assert_in_range(number(f, "PTTL", "job:a"), 1, 60000);
}

static void test_submit(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[] = {
        "",
        "A",
        "a b",
        "a:b",
        "-a",
        "a}",
        "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddx"};
    CLEANUP(mem) char *large = xcalloc(1, QUEUE_MAX_PAYLOAD + 2);
    CLEANUP(lease) struct lease *lease = NULL;
    struct err err;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(queue_submit(f->queue, bad[i], "{}", &err), -1);
        assert_int_equal(err.kind, ERR_USER);
    }
    memset(large, 'x', QUEUE_MAX_PAYLOAD + 1);
    assert_int_equal(queue_submit(f->queue, "a", large, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    large[QUEUE_MAX_PAYLOAD] = '\0';
    assert_int_equal(queue_submit(f->queue, "a", large, &err), 0);
    /* A repeat is a no-op, in every state. */
    submit(f, "a");
    assert_int_equal(number(f, "ZCARD", "ready:default"), 1);
    lease = take(f);
    assert_int_equal(strlen(lease_payload(lease)), QUEUE_MAX_PAYLOAD);
    submit(f, "a");
    assert_int_equal(number(f, "ZCARD", "ready:default"), 0);
    assert_int_equal(complete(f, lease, "passed", NULL), ERR_NONE);
    submit(f, "a");
    expect_status(f, "a", "passed", "");
    assert_null(take(f));
}

static void test_order_and_slots(void **state)
{
    struct fixture *f = *state;
    struct lease *first, *second, *third;
    char id[16];

    for (int i = 0; i < 12; i++) {
        (void)snprintf(id, sizeof(id), "j%d", i);
        submit(f, id);
    }
    first = take(f);
    second = take(f);
    assert_string_equal(lease_job_id(first), "j0");
    assert_string_equal(lease_job_id(second), "j1");
    assert_null(take(f)); /* max_instances is 2 */
    assert_int_equal(complete(f, first, "passed", NULL), ERR_NONE);
    third = take(f);
    assert_string_equal(lease_job_id(third), "j2");
    assert_null(take(f));
    lease_free(first);
    lease_free(second);
    lease_free(third);
}

static void test_fencing(void **state)
{
    struct fixture *f = *state;
    CLEANUP(lease) struct lease *lease = NULL;

    submit(f, "a");
    lease = take(f);
    lease->epoch++;
    assert_int_equal(renew(f, lease, ""), ERR_LOST);
    assert_int_equal(complete(f, lease, "passed", NULL), ERR_LOST);
    lease->epoch--;
    lease->nonce[0] = lease->nonce[0] == '0' ? '1' : '0';
    assert_int_equal(renew(f, lease, ""), ERR_LOST);
    assert_int_equal(complete(f, lease, "passed", NULL), ERR_LOST);
    expect_status(f, "a", "running", "");
}

static void test_complete_repeated(void **state)
{
    struct fixture *f = *state;
    CLEANUP(lease) struct lease *lease = NULL;

    submit(f, "a");
    lease = take(f);
    assert_int_equal(complete(f, lease, "passed", NULL), ERR_NONE);
    /* Its answer was lost: the first word stands. */
    assert_int_equal(complete(f, lease, "failed", "timed_out"), ERR_NONE);
    expect_status(f, "a", "passed", "");
    assert_int_equal(number(f, "ZCARD", "done"), 1);
    assert_int_equal(renew(f, lease, ""), ERR_LOST);
}

static void test_lease_answer_lost(void **state)
{
    struct fixture *f = *state;
    char nonce[QUEUE_NONCE_SIZE];
    struct lease *lease, *again;

    submit(f, "a");
    submit(f, "b");
    memcpy(nonce, f->queue->nonce, sizeof(nonce));
    lease = take(f);
    assert_string_not_equal(f->queue->nonce, nonce);
    /* As if it had not been answered: the next call asks for the same. */
    memcpy(f->queue->nonce, nonce, sizeof(nonce));
    again = take(f);
    assert_string_equal(lease_job_id(again), lease_job_id(lease));
    assert_int_equal(lease_epoch(again), 1);
    assert_int_equal(renew(f, again, ""), ERR_NONE);
    assert_int_equal(number(f, "ZCARD", "slots"), 1);
    assert_int_equal(complete(f, again, "passed", NULL), ERR_NONE);
    /* Once it ended, the old request gets what is next. */
    lease_free(again);
    memcpy(f->queue->nonce, nonce, sizeof(nonce));
    again = take(f);
    assert_string_equal(lease_job_id(again), "b");
    lease_free(lease);
    lease_free(again);
}

static void test_expiry(void **state)
{
    struct fixture *f = *state;
    CLEANUP(lease) struct lease *lease = NULL;
    CLEANUP(queue_status) struct queue_status *s = NULL;

    submit(f, "a");
    lease = take(f);
    (void)poll(NULL, 0, 500);
    /* The lease expired, its kill grace did not: it may still be renewed. */
    assert_null(take(f));
    expect_status(f, "a", "running", "");
    assert_int_equal(renew(f, lease, ""), ERR_NONE);
    (void)poll(NULL, 0, 1100);
    assert_null(take(f));
    assert_int_equal(queue_status(f->queue, "a", &s, NULL), 0);
    assert_string_equal(s->state, "failed");
    assert_string_equal(s->reason, "worker_lost");
    assert_null(s->result);
    assert_true(s->ended_at_ms > 0);
    assert_int_equal(renew(f, lease, ""), ERR_LOST);
    assert_int_equal(complete(f, lease, "passed", NULL), ERR_LOST);
    assert_int_equal(number(f, "ZCARD", "slots"), 0);
    assert_int_equal(number(f, "ZCARD", "leases"), 0);
    assert_in_range(number(f, "PTTL", "job:a"), 1, 60000);
}

/* A late result that nobody reaped yet is still the job's. */
static void test_late_complete(void **state)
{
    struct fixture *f = *state;
    CLEANUP(lease) struct lease *lease = NULL;

    submit(f, "a");
    lease = take(f);
    (void)poll(NULL, 0, 1100);
    assert_int_equal(complete(f, lease, "passed", NULL), ERR_NONE);
    assert_null(take(f));
    expect_status(f, "a", "passed", "");
}

static void test_cancel(void **state)
{
    struct fixture *f = *state;
    CLEANUP(lease) struct lease *lease = NULL;
    struct err err;

    assert_int_equal(queue_cancel(f->queue, "a", "cancelled", &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    submit(f, "a");
    submit(f, "b");
    assert_int_equal(queue_cancel(f->queue, "a", "superseded", &err), 0);
    expect_status(f, "a", "cancelled", "superseded");
    assert_in_range(number(f, "PTTL", "job:a"), 1, 60000);
    lease = take(f);
    assert_string_equal(lease_job_id(lease), "b");
    assert_int_equal(renew(f, lease, ""), ERR_NONE);
    assert_int_equal(queue_cancel(f->queue, "b", "cancelled", &err), 0);
    assert_int_equal(queue_cancel(f->queue, "b", "superseded", &err), 0);
    assert_int_equal(renew(f, lease, "cancelled"), ERR_NONE);
    assert_int_equal(complete(f, lease, "cancelled", "cancelled"), ERR_NONE);
    assert_int_equal(queue_cancel(f->queue, "b", "cancelled", &err), 0);
    expect_status(f, "b", "cancelled", "cancelled");
}

static void test_kept_for_a_while(void **state)
{
    struct fixture *f = *state;
    struct queue_options options = pool_options(f, 2);
    CLEANUP(queue) struct queue *queue = NULL;
    struct queue_status *s = NULL;
    struct err err;

    options.keep_ms = 100;
    assert_int_equal(queue_open(f->loop, &options, &queue, NULL), 0);
    assert_int_equal(queue_submit(queue, "a", "{}", NULL), 0);
    assert_int_equal(queue_cancel(queue, "a", "cancelled", NULL), 0);
    (void)poll(NULL, 0, 250);
    assert_int_equal(queue_status(queue, "a", &s, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    assert_int_equal(number(f, "EXISTS", "done"), 0);
    assert_int_equal(number(f, "EXISTS", "seq"), 0);
}

/* A job whose hash is gone must not stop the line. */
static void test_dangling(void **state)
{
    struct fixture *f = *state;
    CLEANUP(lease) struct lease *lease = NULL;

    submit(f, "a");
    submit(f, "b");
    assert_int_equal(number(f, "DEL", "job:a"), 1);
    lease = take(f);
    assert_string_equal(lease_job_id(lease), "b");
}

static void test_forget(void **state)
{
    struct fixture *f = *state;
    struct answer a = {.done = false};
    struct lease *lease;

    submit(f, "a");
    queue_lease(f->queue, "w1", on_lease, &a);
    queue_lease_forget(f->queue);
    while (number(f, "ZCARD", "slots") == 0)
        assert_int_equal(loop_step(f->loop, 20, NULL), 0);
    assert_int_equal(loop_step(f->loop, 20, NULL), 0);
    assert_false(a.done);
    /* A lease may go while its calls are under way, and the queue too. */
    submit(f, "b");
    lease = take(f);
    lease_renew(lease, on_renewed, &a);
    lease_free(lease);
    for (int i = 0; i < 5; i++)
        assert_int_equal(loop_step(f->loop, 20, NULL), 0);
    queue_lease(f->queue, "w1", on_lease, &a);
    queue_free(STEAL(f->queue));
    assert_false(a.done);
}

static void test_redis_away(void **state)
{
    struct fixture *f = *state;
    CLEANUP(lease) struct lease *lease = NULL;
    struct queue_status *s = NULL;
    struct answer a = {.done = false};
    struct err err;

    submit(f, "a");
    lease = take(f);
    redis_server_kill(&server);
    assert_int_equal(queue_submit(f->queue, "b", "{}", &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    assert_int_equal(queue_status(f->queue, "a", &s, &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    lease_renew(lease, on_renewed, &a);
    redis_server_start(&server);
    wait_for(f, &a);
    if (a.kind == ERR_TRANSIENT) /* it was sent into the closing one */
        assert_int_equal(renew(f, lease, ""), ERR_NONE);
    assert_int_equal(complete(f, lease, "passed", NULL), ERR_NONE);
    expect_status(f, "a", "passed", "");
}

static int start(void **state UNUSED)
{
    redis_server_init(&server, "");
    return 0;
}

static int stop(void **state UNUSED)
{
    redis_server_clear(&server);
    return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_options),
        TEST(test_life),
        TEST(test_submit),
        TEST(test_order_and_slots),
        TEST(test_fencing),
        TEST(test_complete_repeated),
        TEST(test_lease_answer_lost),
        TEST(test_expiry),
        TEST(test_late_complete),
        TEST(test_cancel),
        TEST(test_kept_for_a_while),
        TEST(test_dangling),
        TEST(test_forget),
        TEST(test_redis_away),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
