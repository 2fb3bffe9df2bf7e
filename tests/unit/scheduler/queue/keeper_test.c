/* tests/unit/scheduler/queue/keeper_test.c - what is done by the clock. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/keeper.h"

#include "tests/unit/scheduler/queue/pool.h"

/* ---- answers ---------------------------------------------------------------
 */

struct answer {
    unsigned calls;
    enum err_kind kind;
    struct keeper_report report;
    char text[64]; /* of a document */
    size_t len;
    bool flag;
    int64_t number;
};

static void note(struct answer *a, const struct err *err)
{
    a->calls++;
    a->kind = err ? err->kind : ERR_NONE;
}

static void on_kept(void *arg, const struct keeper_report *report,
                    const struct err *err)
{
    struct answer *a = arg;

    note(a, err);
    if (report)
        a->report = *report;
}

static void on_taken(void *arg, const void *text, size_t len,
                     const struct err *err)
{
    struct answer *a = arg;

    note(a, err);
    a->flag = text != NULL;
    a->len = len;
    (void)snprintf(a->text, sizeof(a->text), "%.*s", (int)len,
                   text ? (const char *)text : "");
}

static void on_done(void *arg, const struct err *err)
{
    note(arg, err);
}

static void on_woken(void *arg, bool woken, const struct err *err)
{
    note(arg, err);
    ((struct answer *)arg)->flag = woken;
}

static void on_last(void *arg, int64_t last_ms, const struct err *err)
{
    note(arg, err);
    ((struct answer *)arg)->number = last_ms;
}

static void await(struct pool *p, const struct answer *a)
{
    int64_t until = clock_mono_ms() + 30000;

    assert_int_equal(a->calls, 0); /* never from inside the call */
    while (!a->calls && clock_mono_ms() < until)
        assert_int_equal(loop_step(p->loop, 100, NULL), 0);
    assert_int_equal(a->calls, 1);
}

static struct keeper_report keep(struct pool *p)
{
    const struct keeper_options options = {.scheduler = "s",
                                           .tick_ms = 1000,
                                           .aging_ms = 0,
                                           .dead_ms = 1000,
                                           .keep_count = 1};
    struct answer a = {0};

    queue_keep(p->queue, &options, on_kept, &a);
    await(p, &a);
    assert_int_equal(a.kind, ERR_NONE);
    return a.report;
}

/* ---- tests -----------------------------------------------------------------
 */

static void test_round(void **state)
{
    struct pool *p = *state;
    int64_t now = now_ms(p);
    struct keeper_report report = keep(p);

    assert_int_equal(report.next_due_ms, 0);
    assert_true(report.now_ms >= now && report.now_ms < now + 20000);
    submit(p, "later", JOB(.not_before_ms = now + 3600000));
    submit(p, "soon", JOB(.not_before_ms = now_ms(p) + 1000));
    submit(p, "r", JOB(.run_jobs = 5));
    submit(p, "late", JOB(.expires_at_ms = now_ms(p) + 1));
    (void)redis_num(p, "LPUSH", "%inbox:dead", "x");
    (void)redis_num(p, "ZADD", "%schedulers", "1", "dead");
    pause_ms(1100);
    report = keep(p);
    assert_int_equal(report.begun, 1);
    assert_int_equal(report.expired, 1);
    assert_int_equal(report.given_back, 1);
    assert_int_equal(report.next_due_ms, now + 3600000);
    assert_int_equal(report.run_count, 1);
    assert_string_equal(report.runs[0], "r");
    expect(p, "soon", "state", "ready");
    take_and_pass(p, "soon");
    report = keep(p); /* one ended job is kept, the one that ended last */
    expect(p, "late", "state", "");
    expect(p, "soon", "state", "passed");
    expect_sound(p);
}

static void test_reaps(void **state)
{
    struct pool *p = *state;
    struct keeper_report report;
    int64_t until = clock_mono_ms() + 20000;
    CLEANUP(mem) char *slot = NULL;

    submit(p, "x", NULL);
    (void)take(p);
    slot = xstrdup(redis_word(p, "ZRANGE", "%slots", "0", "0"));
    assert_int_equal(redis_num(p, "ZADD", "%slots", "CH", "1", slot), 1);
    do { /* the first call gives all leases time to come back */
        report = keep(p);
        pause_ms(50);
    } while (!report.retried && clock_mono_ms() < until);
    assert_int_equal(report.retried, 1);
    expect(p, "x", "state", "delayed");
}

/* Who waits must not hold up the others. */
static void test_waits_apart(void **state)
{
    struct pool *p = *state;
    struct answer document = {0}, run = {0};
    int64_t start = clock_mono_ms();

    queue_take(p->queue, "s", 60000, on_taken, &document);
    queue_wait_run(p->queue, 60000, on_woken, &run);
    (void)keep(p);
    assert_true(clock_mono_ms() - start < 20000);
    assert_int_equal(document.calls + run.calls, 0);
    submit(p, "r", JOB(.run_jobs = 5));
    await(p, &run);
    assert_true(run.flag);
    assert_int_equal(document.calls, 0);
    (void)redis_num(p, "LPUSH", "%inbox", "first");
    await(p, &document);
    assert_string_equal(document.text, "first");
    assert_int_equal(redis_num(p, "LLEN", "%inbox:s"), 1);
}

static void test_nothing_comes(void **state)
{
    struct pool *p = *state;
    struct answer document = {0}, run = {0};

    queue_take(p->queue, "s", 50, on_taken, &document);
    queue_wait_run(p->queue, 50, on_woken, &run);
    await(p, &document);
    if (!run.calls)
        await(p, &run);
    assert_int_equal(document.kind, ERR_NONE);
    assert_int_equal(run.kind, ERR_NONE);
    assert_false(document.flag || run.flag);
}

static void test_oldest_first(void **state)
{
    struct pool *p = *state;
    struct answer a = {0}, back = {0}, again = {0};

    (void)redis_num(p, "LPUSH", "%inbox", "1", "2", "3");
    for (int i = 0; i < 2; i++) {
        a = (struct answer){0};
        queue_take(p->queue, "s", 1000, on_taken, &a);
        await(p, &a);
    }
    assert_string_equal(a.text, "2");
    queue_give_back(p->queue, "s", on_done, &back);
    await(p, &back);
    queue_take(p->queue, "s", 1000, on_taken, &again);
    await(p, &again);
    assert_string_equal(again.text, "1");
}

static void test_forgets_taking(void **state)
{
    struct pool *p = *state;
    struct answer a = {0}, b = {0};

    queue_take(p->queue, "s", 60000, on_taken, &a);
    (void)keep(p);
    queue_take_forget(p->queue);
    queue_take(p->queue, "s", 60000, on_taken, &b);
    (void)redis_num(p, "LPUSH", "%inbox", "x");
    await(p, &b);
    assert_string_equal(b.text, "x");
    assert_int_equal(a.calls, 0);
}

static void test_rejects(void **state)
{
    struct pool *p = *state;
    const struct queue_document document = {"s", "a\0b", 3};
    struct answer a = {0}, lost = {0};
    redisReply *reply;

    queue_reject(p->queue, &document, "d1", "why", on_done, &lost);
    await(p, &lost);
    assert_int_equal(lost.kind, ERR_LOST);
    /* Any bytes: the list holds them as the document does. */
    freeReplyObject(redis(p, "EVAL",
                          "return redis.call('LPUSH', KEYS[1], 'a\\0b')", "1",
                          "%inbox:s", NULL));
    queue_reject(p->queue, &document, "d1", "why", on_done, &a);
    await(p, &a);
    assert_int_equal(a.kind, ERR_NONE);
    reply = redis(p, "HGET", "%rejected:d1", "document", NULL);
    assert_int_equal(reply->len, 3);
    freeReplyObject(reply);
    assert_string_equal(redis_word(p, "HGET", "%rejected:d1", "reason"), "why");
}

static int64_t last(struct pool *p, const char *name)
{
    struct answer a = {0};

    queue_cron_last(p->queue, name, on_last, &a);
    await(p, &a);
    assert_int_equal(a.kind, ERR_NONE);
    return a.number;
}

static bool fire(struct pool *p, int64_t expected, int64_t last_ms,
                 size_t count)
{
    static const char *const documents[] = {"one", "two"};
    struct answer a = {0};

    queue_fire(p->queue, "n", expected, last_ms, documents, count, on_woken,
               &a);
    await(p, &a);
    assert_int_equal(a.kind, ERR_NONE);
    return a.flag;
}

static void test_fires_once(void **state)
{
    struct pool *p = *state;

    assert_int_equal(last(p, "n"), -1);
    assert_true(fire(p, -1, 1000, 0));
    assert_false(fire(p, -1, 1000, 2));
    assert_int_equal(last(p, "n"), 1000);
    assert_true(fire(p, 1000, INT64_C(1800000000000), 2));
    assert_false(fire(p, 1000, INT64_C(1800000000000), 2));
    assert_int_equal(last(p, "n"), INT64_C(1800000000000));
    assert_int_equal(redis_num(p, "LLEN", "%inbox"), 2);
    assert_string_equal(redis_word(p, "LINDEX", "%inbox", "-1"), "one");
}

static void test_freed_meanwhile(void **state)
{
    struct pool *p = *state;
    const struct keeper_options options = {.scheduler = "s", .tick_ms = 1000};
    struct answer a = {0};

    queue_keep(p->queue, &options, on_kept, &a);
    queue_take(p->queue, "s", 60000, on_taken, &a);
    queue_free(p->queue);
    p->queue = NULL;
    assert_int_equal(loop_step(p->loop, 50, NULL), 0);
    assert_int_equal(a.calls, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_round),           POOL_TEST(test_reaps),
        POOL_TEST(test_waits_apart),     POOL_TEST(test_nothing_comes),
        POOL_TEST(test_oldest_first),    POOL_TEST(test_forgets_taking),
        POOL_TEST(test_rejects),         POOL_TEST(test_fires_once),
        POOL_TEST(test_freed_meanwhile),
    };

    return cmocka_run_group_tests(tests, server_setup, server_teardown);
}
