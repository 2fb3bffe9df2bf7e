/* tests/unit/scheduler/queue/report_calls_test.c - reports, by their calls. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/report.h"

#include "tests/unit/scheduler/queue/pool.h"

#define COMMIT "0123456789012345678901234567890123456789"
#define CHANGE                                                                 \
    "{\"forge\":\"github\",\"repo\":\"a/b\",\"commit\":\"" COMMIT              \
    "\",\"change\":\"7\"}"

struct call {
    unsigned calls;
    enum err_kind kind;
    struct queue_report *report;
    json_t *result;
};

static void on_taken(void *arg, struct queue_report *report,
                     const struct err *err)
{
    struct call *call = arg;

    assert_null(err);
    call->calls++;
    call->report = report;
}

static void on_done(void *arg, const struct err *err)
{
    struct call *call = arg;

    call->calls++;
    call->kind = err ? err->kind : ERR_NONE;
}

static void wait_for(struct pool *p, const struct call *call)
{
    while (!call->calls)
        assert_int_equal(loop_step(p->loop, 1000, NULL), 0);
}

static struct queue_report *take_async(struct pool *p)
{
    const struct queue_report_hold hold = {"s", "abc", 60000};
    struct call call = {0};

    queue_report_take(p->queue, &hold, queue_report_hosts, QUEUE_REPORT_HOSTS,
                      on_taken, &call);
    wait_for(p, &call);
    return call.report;
}

/* More than a command's arguments hold at once, and than is kept. */
static json_t *many_posted(void)
{
    json_t *posted = json_object();
    char name[16];

    for (int i = 0; i < QUEUE_MAX_POSTED + 100; i++) {
        (void)snprintf(name, sizeof(name), "f%d", i);
        json_object_set_new(posted, name,
                            json_string(i < 200 ? "gone" : "open"));
    }
    return posted;
}

static void test_calls(void **state)
{
    struct pool *p = *state;
    struct queue_report *report;
    json_t *posted = many_posted();
    struct queue_report_outcome outcome = {
        .end = QUEUE_REPORT_DONE, .posted = posted, .notes = "a\nb"};
    struct call call = {0};

    assert_null(take_async(p));
    (void)submit(p, "a", JOB(.report = CHANGE, .pipeline = "test"));
    report = take_async(p);
    assert_string_equal(report->id, "a");
    assert_string_equal(report->host, "github");
    assert_string_equal(report->state, "ready");
    assert_string_equal(report->pipeline, "test");
    assert_true(report->latest);
    assert_null(report->result);
    assert_string_equal(
        json_string_value(json_object_get(report->report, "commit")), COMMIT);
    queue_report_free(report);
    queue_report_renew(p->queue, "github", "abc", 1000, on_done, &call);
    wait_for(p, &call);
    assert_int_equal(call.kind, ERR_NONE);
    call.calls = 0;
    queue_report_done(p->queue, "github", "abc", &outcome, on_done, &call);
    wait_for(p, &call);
    assert_int_equal(call.kind, ERR_NONE);
    call.calls = 0;
    queue_report_done(p->queue, "github", "abc", &outcome, on_done, &call);
    wait_for(p, &call);
    assert_int_equal(call.kind, ERR_LOST);
    json_decref(posted);
    expect(p, "a", "report_notes", "a\nb");
    (void)word_of(p, SCRIPT_REPORT_AGAIN, "a");
    report = take_async(p);
    assert_int_equal(json_object_size(report->posted), QUEUE_MAX_POSTED);
    assert_non_null(json_object_get(report->posted, "f5099"));
    queue_report_free(report);
}

static void on_result(void *arg, const json_t *result, const struct err *err)
{
    struct call *call = arg;

    assert_null(err);
    call->calls++;
    call->result = json_incref((json_t *)(uintptr_t)result);
}

static bool has_result(struct pool *p, size_t index)
{
    struct call call = {0};
    bool has;

    queue_run_result(p->queue, "run", index, on_result, &call);
    wait_for(p, &call);
    has = json_is_object(call.result);
    json_decref(call.result);
    return has;
}

static void test_run_result(void **state)
{
    struct pool *p = *state;

    (void)redis_num(p, "HSET", "%job:run-1", "parent", "run", "result", "{}");
    (void)redis_num(p, "HSET", "%job:run-2", "parent", "run", "result", "[");
    (void)redis_num(p, "HSET", "%job:run-3", "parent", "r", "result", "{}");
    assert_true(has_result(p, 0));
    for (size_t i = 1; i < 5; i++)
        assert_false(has_result(p, i));
}

int main(void)
{
    const struct CMUnitTest tests[] = {POOL_TEST(test_calls),
                                       POOL_TEST(test_run_result)};

    return cmocka_run_group_tests(tests, server_setup, server_teardown);
}
