/* tests/unit/scheduler/intake/cron_test.c - schedules that fire, on Redis. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/intake/cron.h"

#include "pipelines/diag.h"
#include "tests/unit/scheduler/queue/pool.h"

#define MINUTE INT64_C(60000)

static int64_t offset_ms;

static void on_error(void *arg UNUSED, struct yaml_pos pos, const char *message,
                     const char *hint UNUSED)
{
    fail_msg("%u:%u: %s", pos.line, pos.column, message);
}

static struct schedule_list *load(const char *text)
{
    CLEANUP(yaml_tree)
    struct yaml_tree *tree =
        yaml_tree_parse(text, strlen(text), on_error, NULL);
    struct schedule_list *list = NULL;

    assert_int_equal(
        schedule_load(tree, yaml_tree_root(tree), on_error, NULL, &list), 0);
    return list;
}

#define JOB_KEY "job: {pipeline: {steps: [{run: ls}]}}"

/* ---- schedulers ------------------------------------------------------------
 */

struct clock {
    struct queue *queue;
    struct intake_cron *cron;
    struct schedule_list *list;
};

static struct clock clock_new(struct pool *p, const char *text)
{
    const struct queue_options options = {
        .url = server.url, .pool = p->name, .max_instances = 1};
    struct clock c = {.list = load(text)};

    assert_int_equal(queue_open(p->loop, &options, &c.queue, NULL), 0);
    c.cron = intake_cron_new(p->loop, c.queue, &offset_ms);
    intake_cron_set(c.cron, c.list);
    return c;
}

static void clock_free(struct clock *c)
{
    queue_free(c->queue);
    intake_cron_free(c->cron);
    schedule_list_free(c->list);
}

static void turn(struct pool *p, int ms)
{
    int64_t until = clock_mono_ms() + ms;

    do
        assert_int_equal(loop_step(p->loop, 10, NULL), 0);
    while (clock_mono_ms() < until);
}

static int64_t last_of(struct pool *p, const char *name)
{
    return redis_num(p, "HGET", "%crons", name);
}

static void set_last(struct pool *p, const char *name, int64_t last_ms)
{
    CLEANUP(mem) char *text = xasprintf("%" PRId64, last_ms);

    (void)redis_num(p, "HSET", "%crons", name, text);
}

static void wait_for_last(struct pool *p, const char *name, int64_t above_ms)
{
    int64_t until = clock_mono_ms() + 30000;

    while (last_of(p, name) <= above_ms && clock_mono_ms() < until)
        turn(p, 10);
    assert_true(last_of(p, name) > above_ms);
}

static int64_t this_minute(void)
{
    return clock_wall_ms() / MINUTE * MINUTE;
}

/* Away from the full minute, so that none begins in the middle of a test. */
static void keep_clear(void)
{
    int64_t left = MINUTE - clock_wall_ms() % MINUTE;

    if (left < 15000)
        pause_ms((int)left + 100);
}

/* ---- tests -----------------------------------------------------------------
 */

/* The first time that anybody sees it: from now on. */
static void test_begins_now(void **state)
{
    struct pool *p = *state;
    struct clock c;

    keep_clear();
    c = clock_new(p, "- {name: n, cron: '* * * * *', catch_up: all, " JOB_KEY
                     "}\n");
    wait_for_last(p, "n", this_minute());
    turn(p, 50);
    assert_int_equal(redis_num(p, "LLEN", "%inbox"), 0);
    clock_free(&c);
}

static void test_fires_once(void **state)
{
    struct pool *p = *state;
    struct clock c[3];
    CLEANUP(mem) char *id = NULL;
    redisReply *reply;
    int64_t due;

    keep_clear();
    due = this_minute();
    set_last(p, "n", due - 1);
    for (size_t i = 0; i < ARRAY_LEN(c); i++)
        c[i] = clock_new(p, "- {name: n, cron: '* * * * *', " JOB_KEY "}\n");
    wait_for_last(p, "n", due - 1);
    turn(p, 200);
    assert_int_equal(last_of(p, "n"), due);
    assert_int_equal(redis_num(p, "LLEN", "%inbox"), 1);
    id = xasprintf("{\"id\":\"cron-n-%" PRId64 "\"", due / MINUTE);
    reply = redis(p, "LINDEX", "%inbox", "0", NULL);
    if (!strstr(reply->str, id + 1))
        fail_msg("%s", reply->str);
    freeReplyObject(reply);
    for (size_t i = 0; i < ARRAY_LEN(c); i++)
        clock_free(&c[i]);
}

static void test_catch_up(void **state)
{
    static const struct {
        const char *word;
        int64_t missed_minutes;
        int count;
    } cases[] = {{"all", 40, 40}, {"one", 40, 1}, {"skip", 40, 1}};
    struct pool *p = *state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(mem)
        char *text = xasprintf("- {name: n%zu, cron: '* * * * *', "
                               "catch_up: %s, " JOB_KEY "}\n",
                               i, cases[i].word);
        CLEANUP(mem) char *name = xasprintf("n%zu", i);
        struct clock c;
        int64_t due;

        keep_clear();
        due = this_minute();
        set_last(p, name, due - cases[i].missed_minutes * MINUTE);
        c = clock_new(p, text);
        wait_for_last(p, name, due - 1);
        turn(p, 50);
        assert_int_equal(redis_num(p, "LLEN", "%inbox"), cases[i].count);
        assert_int_equal(redis_num(p, "DEL", "%inbox"), 1);
        clock_free(&c);
    }
}

/* Nothing fires that is too late, and the time that passed is dealt with. */
static void test_skips(void **state)
{
    struct pool *p = *state;
    int64_t now = clock_wall_ms();
    struct clock c;

    set_last(p, "n", now - 3 * 366 * 24 * 60 * MINUTE);
    c = clock_new(p, "- {name: n, cron: '0 0 1 1 *', catch_up: skip, " JOB_KEY
                     "}\n");
    wait_for_last(p, "n", now - 2 * 366 * 24 * 60 * MINUTE);
    turn(p, 50);
    assert_int_equal(redis_num(p, "LLEN", "%inbox"), 0);
    clock_free(&c);
}

/* Another clock is ahead of ours, or ours was set back. */
static void test_from_the_future(void **state)
{
    struct pool *p = *state;
    int64_t future = clock_wall_ms() + 10 * MINUTE;
    struct clock c;

    set_last(p, "n", future);
    c = clock_new(p, "- {name: n, cron: '* * * * *', " JOB_KEY "}\n");
    turn(p, 200);
    assert_int_equal(last_of(p, "n"), future);
    assert_int_equal(redis_num(p, "LLEN", "%inbox"), 0);
    clock_free(&c);
}

/* What was replaced does not fire, and answers that are due do no harm. */
static void test_replaced(void **state)
{
    struct pool *p = *state;
    struct schedule_list *other =
        load("- {name: m, cron: '* * * * *', " JOB_KEY "}\n");
    struct clock c;
    int64_t due;

    keep_clear();
    due = this_minute();
    set_last(p, "n", due - 1);
    set_last(p, "m", due - 1);
    c = clock_new(p, "- {name: n, cron: '* * * * *', " JOB_KEY "}\n");
    intake_cron_set(c.cron, other);
    schedule_list_free(c.list);
    c.list = other;
    wait_for_last(p, "m", due - 1);
    turn(p, 50);
    assert_int_equal(last_of(p, "n"), due - 1);
    assert_int_equal(redis_num(p, "LLEN", "%inbox"), 1);
    clock_free(&c);
}

static void test_document(void **state)
{
    static const struct {
        const char *name, *id;
    } cases[] = {
        {"nightly", "cron-nightly-29000000"},
        {"exactly-eighteen-b", "cron-exactly-eighteen-b-29000000"},
        {"exactly-nineteen-by", NULL},
        {"a-name-of-forty-bytes-as-the-longest-is-", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(mem)
        char *text = xasprintf("- {name: %s, cron: '@daily', " JOB_KEY "}\n",
                               cases[i].name);
        CLEANUP(schedule_list) struct schedule_list *list = load(text);
        CLEANUP(mem)
        char *document =
            intake_cron_document(&list->items[0], 29000000 * MINUTE);
        CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
        CLEANUP(job_batch) struct job_batch *batch = NULL;

        assert_int_equal(
            job_load("x", document, strlen(document), diags, &batch), 0);
        assert_true(strlen(batch->items->id) <= JOB_MAX_ID);
        if (cases[i].id)
            assert_string_equal(batch->items->id, cases[i].id);
        else
            assert_memory_not_equal(batch->items->id, "cron-exactly-eighteen",
                                    21);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_begins_now),      POOL_TEST(test_fires_once),
        POOL_TEST(test_catch_up),        POOL_TEST(test_skips),
        POOL_TEST(test_from_the_future), POOL_TEST(test_replaced),
        cmocka_unit_test(test_document),
    };

    return cmocka_run_group_tests(tests, server_setup, server_teardown);
}
