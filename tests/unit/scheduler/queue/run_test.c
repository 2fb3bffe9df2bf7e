/* tests/unit/scheduler/queue/run_test.c - runs from end to end, on Redis. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/run.h"

#include "pipelines/diag.h"
#include "scheduler/queue/inspect.h"
#include "tests/unit/scheduler/queue/pool.h"

#define STEPS "steps: [{run: ls}]"

static const struct plan_facts facts = {.repo = "acme/app", .branch = "main"};

/* ---- a run, and the scheduler of it ----------------------------------------
 */

static char *payload_of(const char *text)
{
    CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
    CLEANUP(document) struct document *document = NULL;
    json_t *common =
        json_pack("{s:s, s:{s:s}}", "repo", "/srv/app", "env", "LEVEL", "3");
    char *payload;

    if (document_load("ci.yml", text, strlen(text), diags, &document) < 0)
        fail_msg("%s", diag_list_at(diags, 0)->message);
    payload = run_payload(document, &facts, common);
    json_decref(common);
    return payload;
}

static void submit_run(struct pool *p, const char *id, const char *text)
{
    CLEANUP(mem) char *payload = payload_of(text);

    assert_int_equal(
        submit(p, id,
               JOB(.payload = payload, .run_jobs = 5, .tenant = "acme/app",
                   .pipeline = "ci", .job_retries = 1,
                   .about = "{\"repo\":\"acme/app\"}")),
        QUEUE_QUEUED);
}

struct advanced {
    struct loop *loop;
    bool done, ended;
    enum err_kind kind;
};

static void on_advanced(void *arg, bool ended, const struct err *err)
{
    struct advanced *a = arg;

    a->done = true;
    a->ended = ended;
    a->kind = err ? err->kind : ERR_NONE;
}

static bool advance(struct pool *p, const char *id)
{
    struct advanced a = {.loop = p->loop};
    int64_t until = clock_mono_ms() + 30000;

    run_advance(p->queue, id, on_advanced, &a);
    assert_false(a.done);
    while (!a.done && clock_mono_ms() < until)
        assert_int_equal(loop_step(p->loop, 100, NULL), 0);
    assert_true(a.done);
    assert_int_equal(a.kind, ERR_NONE);
    return a.ended;
}

/* Take a job, which must be that one, and end it. */
static void work(struct pool *p, const char *id, const char *state,
                 const char *reason)
{
    struct given given = take(p);

    assert_string_equal(given.id, id);
    assert_string_equal(end(p, &given, state, reason, "0"), "ok");
}

static json_t *result_of(struct pool *p, const char *id)
{
    json_t *result =
        json_loads(field_of(p, id, "state"), JSON_DECODE_ANY, NULL);
    CLEANUP(queue_status) struct queue_status *status = NULL;

    json_decref(result);
    assert_int_equal(queue_status(p->queue, id, &status, NULL), 0);
    assert_non_null(status->result);
    result = json_loads(status->result, 0, NULL);
    assert_non_null(result);
    return result;
}

static const char *job_text(const json_t *result, size_t i, const char *key)
{
    const char *text = json_string_value(json_object_get(
        json_array_get(json_object_get(result, "jobs"), i), key));

    return text ? text : "";
}

/* ---- tests -----------------------------------------------------------------
 */

static void test_matrix_and_needs(void **state)
{
    struct pool *p = *state;
    json_t *result;

    submit_run(p, "r",
               "name: ci\n"
               "jobs:\n"
               "  build: {" STEPS "}\n"
               "  test:\n"
               "    needs: build\n"
               "    matrix: {node: [20, 22]}\n"
               "    " STEPS "\n"
               "  deploy: {needs: test, if: \"branch == 'x'\", " STEPS "}\n"
               "  notify: {needs: deploy, if: always(), " STEPS "}\n");
    expect(p, "r", "state", "running");
    assert_false(advance(p, "r"));
    assert_int_equal(redis_num(p, "ZCARD", "%dirty"), 0);
    work(p, "r-1", "passed", "");
    expect_take(p, "");
    assert_int_equal(redis_num(p, "ZCARD", "%dirty"), 1);
    assert_false(advance(p, "r"));
    work(p, "r-2", "passed", "");
    assert_false(advance(p, "r"));
    work(p, "r-3", "passed", "");
    assert_false(advance(p, "r"));
    work(p, "r-5", "passed", "");
    assert_true(advance(p, "r"));
    expect(p, "r", "state", "passed");
    expect(p, "r", "reason", "");
    result = result_of(p, "r");
    assert_int_equal(json_array_size(json_object_get(result, "jobs")), 5);
    assert_string_equal(job_text(result, 1, "name"), "test (node: 20)");
    assert_string_equal(job_text(result, 1, "id"), "r-2");
    assert_string_equal(job_text(result, 1, "state"), "passed");
    assert_string_equal(job_text(result, 3, "state"), "skipped");
    assert_true(json_is_null(json_object_get(result, "message")));
    json_decref(result);
    expect_sound(p);
    /* It is over: nothing is done any more. */
    assert_true(advance(p, "r"));
}

static void test_child_payload(void **state)
{
    struct pool *p = *state;
    CLEANUP(queue_status) struct queue_status *status = NULL;
    json_t *payload, *about;

    submit_run(p, "r", "name: ci\nmatrix: {node: [20, 22]}\n" STEPS "\n");
    assert_false(advance(p, "r"));
    assert_int_equal(queue_status(p->queue, "r-2", &status, NULL), 0);
    payload = json_loads(status->payload, 0, NULL);
    about = json_loads(status->about, 0, NULL);
    assert_string_equal(status->parent, "r");
    assert_string_equal(json_string_value(json_object_get(payload, "repo")),
                        "/srv/app");
    assert_string_equal(json_string_value(json_object_get(
                            json_object_get(payload, "matrix"), "node")),
                        "22");
    assert_non_null(
        json_object_get(json_object_get(payload, "pipeline"), "steps"));
    assert_string_equal(json_string_value(json_object_get(about, "name")),
                        "ci (node: 22)");
    assert_string_equal(json_string_value(json_object_get(about, "repo")),
                        "acme/app");
    json_decref(payload);
    json_decref(about);
    expect(p, "r-2", "tenant", "acme/app");
    expect(p, "r-2", "job_retries", "1");
}

static void test_fail_fast(void **state)
{
    struct pool *p = *state;
    struct given second, first;
    json_t *result;

    configure(p, "backoff_ms", "1", "backoff_max_ms", "1", NULL);
    submit_run(p, "r",
               "name: ci\n"
               "jobs:\n"
               "  m: {matrix: {n: [1, 2, 3, 4], max-parallel: 3}, " STEPS "}\n"
               "  after: {needs: m, if: failure(), " STEPS "}\n");
    assert_false(advance(p, "r"));
    first = take(p);
    second = take(p);
    assert_string_equal(second.id, "r-2");
    /* One more try, as the run says; then it is over. */
    assert_string_equal(end(p, &first, "failed", "step_failed", "0"), "ok");
    pause_ms(20);
    promote(p, "0");
    first = take(p);
    assert_string_equal(first.id, "r-1");
    assert_string_equal(end(p, &first, "failed", "timed_out", "0"), "ok");
    assert_false(advance(p, "r"));
    expect(p, "r-2", "cancel", "cancelled");
    expect(p, "r-3", "state", "cancelled");
    expect(p, "r-4", "state", "");
    assert_string_equal(redis_word(p, "HGET", "%run:r", "3"), "skipped");
    assert_string_equal(end(p, &second, "cancelled", "cancelled", "0"), "ok");
    assert_false(advance(p, "r"));
    work(p, "r-5", "passed", "");
    assert_true(advance(p, "r"));
    expect(p, "r", "state", "failed");
    expect(p, "r", "reason", "timed_out");
    result = result_of(p, "r");
    assert_string_equal(job_text(result, 0, "reason"), "timed_out");
    assert_string_equal(job_text(result, 1, "state"), "cancelled");
    assert_string_equal(json_string_value(json_object_get(result, "message")),
                        "1 of 5 jobs have failed: m (n: 1)");
    json_decref(result);
    expect_sound(p);
}

/* All that fail-fast cancels had not begun: nobody else will wake us. */
static void test_fail_fast_at_once(void **state)
{
    struct pool *p = *state;

    submit_run(p, "r",
               "jobs:\n"
               "  m: {matrix: {n: [1, 2, 3]}, " STEPS "}\n"
               "  after: {needs: m, if: failure(), " STEPS "}\n");
    assert_false(advance(p, "r"));
    for (int i = 0; i < 2; i++) {
        struct given given = take(p);

        assert_string_equal(given.id, "r-1");
        assert_string_equal(end(p, &given, "failed", "step_failed", "0"), "ok");
        if (i)
            break;
        assert_int_equal(redis_num(p, "ZADD", "%delayed", "XX", "1", "r-1"), 0);
        promote(p, "0");
    }
    assert_false(advance(p, "r"));
    expect(p, "r-4", "state", "ready");
    assert_int_equal(redis_num(p, "ZCARD", "%dirty"), 0);
}

static void test_cancel(void **state)
{
    struct pool *p = *state;
    enum queue_cancelled what;
    struct given given;

    submit_run(p, "r",
               "jobs:\n"
               "  a: {" STEPS "}\n"
               "  b: {needs: a, " STEPS "}\n"
               "  c: {needs: a, if: always(), " STEPS "}\n");
    assert_false(advance(p, "r"));
    given = take(p);
    assert_int_equal(queue_cancel(p->queue, "r", "superseded", &what, NULL), 0);
    assert_int_equal(what, QUEUE_CANCEL_ASKED);
    expect(p, "r-1", "cancel", "superseded");
    assert_false(advance(p, "r"));
    assert_string_equal(end(p, &given, "cancelled", "superseded", "0"), "ok");
    assert_false(advance(p, "r"));
    work(p, "r-3", "passed", "");
    assert_true(advance(p, "r"));
    expect(p, "r", "state", "cancelled");
    expect(p, "r", "reason", "superseded");
    expect_sound(p);
}

static void test_all_skipped(void **state)
{
    struct pool *p = *state;

    submit_run(p, "r", "jobs: {a: {if: \"branch == 'x'\", " STEPS "}}\n");
    assert_true(advance(p, "r"));
    expect(p, "r", "state", "skipped");
    expect_take(p, "");
}

static void test_many(void **state)
{
    struct pool *p = *state;
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;

    strbuf_adds(&text, "matrix: {n: [");
    for (int i = 0; i < 130; i++)
        strbuf_addf(&text, "%s%d", i ? ", " : "", i);
    strbuf_adds(&text, "]}\n" STEPS "\n");
    submit_run(p, "r", text.data);
    assert_false(advance(p, "r"));
    expect(p, "r-130", "state", "ready");
    assert_int_equal(redis_num(p, "HLEN", "%run:r"), 131); /* and the rev */
    assert_int_equal(redis_num(p, "ZCARD", "%dirty"), 0);
}

/* Two at once: each child comes once. */
static void test_two_schedulers(void **state)
{
    struct pool *p = *state;
    struct advanced a[4];
    int64_t until = clock_mono_ms() + 30000;
    bool all = false;

    submit_run(p, "r", "matrix: {n: [1, 2, 3]}\n" STEPS "\n");
    for (size_t i = 0; i < ARRAY_LEN(a); i++) {
        a[i] = (struct advanced){.loop = p->loop};
        run_advance(p->queue, "r", on_advanced, &a[i]);
    }
    while (!all && clock_mono_ms() < until) {
        assert_int_equal(loop_step(p->loop, 100, NULL), 0);
        all = true;
        for (size_t i = 0; i < ARRAY_LEN(a); i++)
            all &= a[i].done;
    }
    assert_true(all);
    for (int i = 1; i <= 3; i++) {
        CLEANUP(mem) char *id = xasprintf("r-%d", i);

        work(p, id, "passed", "");
    }
    expect_take(p, "");
    assert_true(advance(p, "r"));
    expect(p, "r", "state", "passed");
}

static void test_nonsense(void **state)
{
    struct pool *p = *state;
    json_t *result;

    submit(p, "r", JOB(.payload = "{\"document\": 1}", .run_jobs = 5));
    assert_true(advance(p, "r"));
    expect(p, "r", "state", "failed");
    expect(p, "r", "reason", "pipeline_invalid");
    result = result_of(p, "r");
    assert_non_null(json_string_value(json_object_get(result, "message")));
    json_decref(result);
    assert_true(advance(p, "there-is-none"));
    assert_int_equal(redis_num(p, "ZCARD", "%dirty"), 0);
}

/* The run again, all of it; a child's id that somebody else has. */
static void test_retry_and_clash(void **state)
{
    struct pool *p = *state;
    json_t *result;

    submit_run(p, "r", "matrix: {n: [1, 2], fail-fast: false}\n" STEPS "\n");
    /* submit.lua lets no such job in. */
    (void)redis_num(p, "HDEL", "%job:r", "jobs");
    submit(p, "r-2", NULL);
    take_and_pass(p, "r-2");
    assert_false(advance(p, "r"));
    work(p, "r-1", "passed", "");
    assert_true(advance(p, "r"));
    expect(p, "r", "state", "failed");
    result = result_of(p, "r");
    assert_string_equal(json_string_value(json_object_get(result, "message")),
                        "1 of 2 jobs have failed: ci (n: 2); the id r-2 "
                        "is another job's");
    json_decref(result);
    assert_int_equal(redis_num(p, "DEL", "%job:r-2"), 1);
    assert_int_equal(queue_retry(p->queue, "r", NULL), 0);
    assert_false(advance(p, "r"));
    work(p, "r-1", "passed", "");
    work(p, "r-2", "passed", "");
    assert_true(advance(p, "r"));
    expect(p, "r", "state", "passed");
    expect(p, "r-1", "epoch", "2");
}

static void test_freed_meanwhile(void **state)
{
    struct pool *p = *state;
    struct advanced a = {.loop = p->loop};

    submit_run(p, "r", STEPS "\n");
    run_advance(p->queue, "r", on_advanced, &a);
    queue_free(p->queue);
    p->queue = NULL;
    assert_int_equal(loop_step(p->loop, 50, NULL), 0);
    assert_false(a.done);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_matrix_and_needs),
        POOL_TEST(test_child_payload),
        POOL_TEST(test_fail_fast),
        POOL_TEST(test_fail_fast_at_once),
        POOL_TEST(test_cancel),
        POOL_TEST(test_all_skipped),
        POOL_TEST(test_many),
        POOL_TEST(test_two_schedulers),
        POOL_TEST(test_nonsense),
        POOL_TEST(test_retry_and_clash),
        POOL_TEST(test_freed_meanwhile),
    };

    return cmocka_run_group_tests(tests, server_setup, server_teardown);
}
