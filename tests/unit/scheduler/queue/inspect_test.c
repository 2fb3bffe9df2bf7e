/* tests/unit/scheduler/queue/inspect_test.c - what people are shown. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/inspect.h"

#include "scheduler/queue/control.h"
#include "scheduler/queue/submit.h"
#include "tests/lib/redis_server.h"
#include "tests/lib/unit.h"

struct fixture {
    struct redis_server server;
    struct queue *queue;
};

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    struct queue_options options = {.pool = "p", .max_instances = 1};

    redis_server_init(&f->server, "");
    options.url = f->server.url;
    assert_int_equal(queue_open(NULL, &options, &f->queue, NULL), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    queue_free(f->queue);
    redis_server_clear(&f->server);
    free(f);
    return 0;
}

static void redis(struct fixture *f, const struct redis_words *words)
{
    const struct redis_options options = {.url = f->server.url};
    CLEANUP(redis_sync) struct redis_sync *redis = NULL;
    struct redisReply *reply = NULL;
    struct err err;

    if (redis_sync_open(&options, &redis, &err) < 0 ||
        redis_sync_command(redis, words, &reply, &err) < 0)
        fail_msg("%s", err.msg);
    freeReplyObject(reply);
}
#define REDIS(f, ...)                                                          \
    do {                                                                       \
        const char *const list_[] = {__VA_ARGS__};                             \
        const struct redis_words words_ = {list_, NULL, ARRAY_LEN(list_)};     \
        redis(f, &words_);                                                     \
    } while (0)

static void submit(struct fixture *f, const struct queue_job *job)
{
    struct queue_answer answer;
    struct err err;

    if (queue_submit(f->queue, job, 1, &answer, &err) < 0)
        fail_msg("%s", err.msg);
    assert_int_equal(answer.what, QUEUE_QUEUED);
}

/* Takes `json`, which has to look like `wanted`. */
static void is(json_t *json, const char *wanted)
{
    CLEANUP(mem) char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);

    json_decref(json);
    assert_string_equal(text, wanted);
}

static void test_row(void **state)
{
    struct fixture *f = *state;
    struct queue_job job = {.id = "a",
                            .payload = "{}",
                            .tenant = "t",
                            .pipeline = "test",
                            .priority = JOB_HIGH,
                            .about = "{\"repo\":\"r\"}"};
    json_t *row = NULL;
    struct err err;

    submit(f, &job);
    REDIS(f, "HSET", "berth:{p}:job:a", "submitted_at_ms", "7", "worker",
          "\xff\xc3\xa9", "result", "{\"state\":\"failed\"}");
    assert_int_equal(queue_job(f->queue, "a", &row, &err), 0);
    assert_true(json_integer_value(json_object_get(row, "now_ms")) > 1000);
    json_object_del(row, "now_ms");
    is(row, "{\"id\":\"a\",\"state\":\"ready\",\"kind\":\"job\","
            "\"priority\":\"high\",\"tenant\":\"t\",\"pipeline\":\"test\","
            "\"worker\":\"\xEF\xBF\xBD\xc3\xa9\",\"about\":{\"repo\":\"r\"},"
            "\"submitted_at_ms\":7,\"result\":{\"state\":\"failed\"}}");
    /* What is malformed is left out. */
    REDIS(f, "HSET", "berth:{p}:job:a", "about", "{", "priority", "9", "result",
          "");
    assert_int_equal(queue_job(f->queue, "a", &row, &err), 0);
    assert_null(json_object_get(row, "about"));
    assert_null(json_object_get(row, "priority"));
    json_decref(row);
    assert_int_equal(queue_job(f->queue, "b", &row, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    assert_int_equal(queue_job(f->queue, "B", &row, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
}

/* The ids of rows, which are freed. */
static json_t *ids_of(json_t *rows)
{
    json_t *ids = json_array();
    const json_t *row;
    size_t i;

    json_array_foreach(json_object_get(rows, "jobs"), i, row)
        json_array_append(ids, json_object_get(row, "id"));
    json_decref(rows);
    return ids;
}

static void test_ready_order(void **state)
{
    static const char *const labels[] = {"gpu"};
    struct fixture *f = *state;
    const struct strv gpu = {.items = (char **)labels, .count = 1};
    const struct queue_job jobs[] = {
        {.id = "low", .payload = "{}", .priority = JOB_LOW, .labels = &gpu},
        {.id = "one", .payload = "{}", .priority = JOB_NORMAL},
        {.id = "two", .payload = "{}", .priority = JOB_NORMAL, .tenant = "t"},
        {.id = "now", .payload = "{}", .priority = JOB_URGENT, .labels = &gpu},
    };
    json_t *rows = NULL;

    for (size_t i = 0; i < ARRAY_LEN(jobs); i++)
        submit(f, &jobs[i]);
    assert_int_equal(queue_list(f->queue, "ready", 100, &rows, NULL), 0);
    is(ids_of(rows), "[\"now\",\"one\",\"two\",\"low\"]");
    assert_int_equal(queue_list(f->queue, "ready", 2, &rows, NULL), 0);
    is(ids_of(rows), "[\"now\",\"one\"]");
    assert_int_equal(queue_list(f->queue, "delayed", 2, &rows, NULL), 0);
    is(ids_of(rows), "[]");
}

static void test_children(void **state)
{
    struct fixture *f = *state;
    json_t *rows = NULL;

    /* In the order of numbers, not of text; what it has besides is passed
     * over. */
    REDIS(f, "HSET", "berth:{p}:run:r", "10", "skipped", "2", "active", "rev",
          "3", "0", "passed", "4", "failed");
    REDIS(f, "HSET", "berth:{p}:job:r-3", "state", "running", "parent", "r");
    REDIS(f, "HSET", "berth:{p}:job:r-5", "state", "ready"); /* another's */
    assert_int_equal(queue_children(f->queue, "r", &rows, NULL), 0);
    is(json_incref(json_object_get(rows, "jobs")),
       "[{\"id\":\"r-1\",\"state\":\"passed\"},"
       "{\"id\":\"r-3\",\"state\":\"running\",\"parent\":\"r\"},"
       "{\"id\":\"r-5\",\"state\":\"failed\"},"
       "{\"id\":\"r-11\",\"state\":\"skipped\"}]");
    json_decref(rows);
    assert_int_equal(queue_children(f->queue, "none", &rows, NULL), 0);
    is(ids_of(rows), "[]");
}

static void test_workers(void **state)
{
    struct fixture *f = *state;
    json_t *worker = NULL;
    json_t *depths = NULL;
    struct err err;

    REDIS(f, "HSET", "berth:{p}:worker:w", "seen_at_ms", "5", "running", "2",
          "labels", "007");
    REDIS(f, "ZADD", "berth:{p}:workers", "5", "w");
    REDIS(f, "ZADD", "berth:{p}:schedulers", "7", "s", "6", "t");
    REDIS(f, "ZADD", "berth:{p}:slots", "9", "a:1:t:p", "9", "b:1:t:p");
    REDIS(f, "SADD", "berth:{p}:held:w", "a");
    REDIS(f, "SADD", "berth:{p}:held:w2", "b");
    assert_int_equal(queue_worker(f->queue, "w", &worker, &err), 0);
    json_object_del(worker, "now_ms");
    is(worker, "{\"seen_at_ms\":5,\"running\":2,\"labels\":\"007\","
               "\"name\":\"w\",\"leases\":1}");
    assert_int_equal(queue_worker(f->queue, "v", &worker, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    assert_int_equal(queue_depths(f->queue, &depths, &err), 0);
    assert_int_equal(json_integer_value(json_object_get(depths, "running")), 2);
    assert_int_equal(
        json_integer_value(json_object_get(depths, "scheduler_seen_at_ms")), 7);
    is(json_incref(json_object_get(depths, "workers")),
       "[{\"seen_at_ms\":5,\"running\":2,\"labels\":\"007\",\"name\":\"w\"}]");
    json_decref(depths);
}

static void test_audit(void **state)
{
    struct fixture *f = *state;
    const struct queue_job job = {.id = "a", .payload = "{}"};
    json_t *complaints = NULL;

    submit(f, &job);
    assert_int_equal(queue_audit(f->queue, &complaints, NULL), 0);
    is(complaints, "[]");
    REDIS(f, "HSET", "berth:{p}:job:a", "state", "delayed");
    assert_int_equal(queue_audit(f->queue, &complaints, NULL), 0);
    is(complaints, "[\"job a is in ready and its state is delayed\"]");
}

static void test_rejected(void **state)
{
    struct fixture *f = *state;
    json_t *rows = NULL;
    struct err err;

    REDIS(f, "ZADD", "berth:{p}:rejected", "1", "old", "2", "new", "3",
          "expired");
    REDIS(f, "HSET", "berth:{p}:rejected:old", "reason", "wrong", "document",
          "a\xff", "rejected_at_ms", "1");
    REDIS(f, "HSET", "berth:{p}:rejected:new", "reason", "wrong, too");
    assert_int_equal(queue_rejected(f->queue, NULL, 10, &rows, NULL), 0);
    is(rows, "[{\"id\":\"new\",\"reason\":\"wrong, too\","
             "\"rejected_at_ms\":0,\"scheduler\":\"\",\"bytes\":0},"
             "{\"id\":\"old\",\"reason\":\"wrong\",\"rejected_at_ms\":1,"
             "\"scheduler\":\"\",\"bytes\":2}]");
    assert_int_equal(queue_rejected(f->queue, "old", 0, &rows, NULL), 0);
    assert_string_equal(
        json_string_value(json_object_get(json_array_get(rows, 0), "document")),
        "a\xEF\xBF\xBD");
    json_decref(rows);
    assert_int_equal(queue_rejected(f->queue, "expired", 0, &rows, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    assert_int_equal(queue_forget_rejected(f->queue, "old", &err), 0);
    assert_int_equal(queue_forget_rejected(f->queue, "old", &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    assert_int_equal(queue_rejected(f->queue, NULL, 10, &rows, NULL), 0);
    assert_int_equal(json_array_size(rows), 1);
    json_decref(rows);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_row),     TEST(test_ready_order), TEST(test_children),
        TEST(test_workers), TEST(test_audit),       TEST(test_rejected),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
