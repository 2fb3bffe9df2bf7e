/* tests/unit/worker/supervisor/supervisor_test.c - with a fake run-job. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/supervisor/supervisor.h"

#include "tests/lib/redis_server.h"
#include "tests/lib/unit.h"
#include "worker/job/events.h"

#include <jansson.h>
#include <limits.h>
#include <sys/stat.h>

static struct redis_server server;
static char libexec[64];
static unsigned pool_number;

/* ---- one pool and one supervisor a test --------------------------------- */

struct seen {
    unsigned started, ended, failed;
    unsigned frames[256];
    char state[16];
    char *result; /* owned */
    struct err err;
    struct supervisor *cancel_at_output; /* borrowed; NULL: no */
};

struct fixture {
    struct loop *loop;
    struct queue *queue;
    struct supervisor *supervisor;
    json_t *secrets; /* owned */
    struct seen seen;
    char pool[32];
    char dir[64];
};

static void on_started(void *arg, const char *job_id UNUSED)
{
    ((struct seen *)arg)->started++;
}

static void on_frame(void *arg, const char *job_id UNUSED,
                     const struct frame *frame)
{
    struct seen *seen = arg;

    seen->frames[frame->type]++;
    if (frame->type == JOB_FRAME_STDOUT && seen->cancel_at_output)
        supervisor_cancel(seen->cancel_at_output, "cancelled");
}

static void on_ended(void *arg, const char *job_id UNUSED, const char *state,
                     const char *result_json)
{
    struct seen *seen = arg;

    seen->ended++;
    (void)snprintf(seen->state, sizeof(seen->state), "%s", state);
    free(seen->result);
    seen->result = xstrdup(result_json);
}

static void on_failed(void *arg, const char *job_id UNUSED,
                      const struct err *err)
{
    struct seen *seen = arg;

    seen->failed++;
    seen->err = *err;
}

static void start_supervisor(struct fixture *f, unsigned capacity,
                             uint32_t kill_ms)
{
    const struct supervisor_options options = {.worker = "w1",
                                               .state_dir = f->dir,
                                               .capacity = capacity,
                                               .renew_ms = 200,
                                               .kill_ms = kill_ms,
                                               .poll_ms = 20,
                                               .secrets = f->secrets};
    const struct supervisor_events events = {on_started, on_frame, on_ended,
                                             on_failed, &f->seen};

    assert_int_equal(supervisor_new(f->loop, f->queue, &options, &events,
                                    &f->supervisor, NULL),
                     0);
    assert_int_equal(supervisor_start(f->supervisor, NULL), 0);
}

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    struct queue_options options = {.url = server.url,
                                    .pool = f->pool,
                                    .max_instances = 8,
                                    .lease_ms = 5000,
                                    .kill_grace_ms = 500,
                                    .keep_ms = 60000};

    (void)snprintf(f->pool, sizeof(f->pool), "p%u", pool_number++);
    (void)snprintf(f->dir, sizeof(f->dir), "/tmp/berth-test-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    assert_int_equal(loop_new(&f->loop, NULL), 0);
    assert_int_equal(queue_open(f->loop, &options, &f->queue, NULL), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    supervisor_free(f->supervisor);
    json_decref(f->secrets);
    queue_free(f->queue);
    loop_free(f->loop);
    free(f->seen.result);
    assert_int_equal(tree_remove(f->dir, NULL), 0);
    free(f);
    return 0;
}

static void submit(struct fixture *f, const char *id, const char *fake)
{
    CLEANUP(mem)
    char *payload = xasprintf(
        "{\"pipeline\":{\"name\":\"p\",\"sandbox\":{\"image\":\"host\"}},"
        "\"repo_name\":\"a/b\",\"commit\":\"\",\"inputs\":{\"fake\":\"%s\"}}",
        fake);

    assert_int_equal(queue_submit(f->queue, id, payload, NULL), 0);
}

static void run_until(struct fixture *f, const unsigned *count, unsigned wanted)
{
    int64_t until = clock_mono_ms() + 30000;

    while (*count < wanted && clock_mono_ms() < until)
        assert_int_equal(loop_step(f->loop, 100, NULL), 0);
    assert_int_equal(*count, wanted);
}

static unsigned sweeps(const struct fixture *f)
{
    CLEANUP(mem) char *path = xasprintf("%s/sweeps", f->dir);
    struct stat st;

    return stat(path, &st) == 0 ? (unsigned)st.st_size : 0;
}

/* ---- what is in Redis afterwards ---------------------------------------- */

struct log_text {
    char text[4096];
    size_t len;
    uint64_t bytes, gap_bytes;
    unsigned entries;
};

static void on_entry(void *arg, const struct queue_log_entry *e)
{
    struct log_text *log = arg;

    log->entries++;
    log->bytes += e->len;
    log->gap_bytes += e->gap_bytes;
    if (log->len + e->len < sizeof(log->text)) {
        memcpy(log->text + log->len, e->data, e->len);
        log->len += e->len;
        log->text[log->len] = '\0';
    }
}

static void read_log(struct fixture *f, const char *id, struct log_text *log)
{
    memset(log, 0, sizeof(*log));
    assert_int_equal(queue_log(f->queue, id, 1, on_entry, log, NULL), 0);
}

/* Every object has exactly the members that the schema asks for. */
static void check_members(const json_t *schema, const json_t *value)
{
    const json_t *required = json_object_get(schema, "required");
    const json_t *properties = json_object_get(schema, "properties");
    const char *key;
    json_t *member;
    const json_t *name;
    size_t i;

    json_array_foreach(required, i, name)
    {
        if (!json_object_get(value, json_string_value(name)))
            fail_msg("no member %s", json_string_value(name));
    }
    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        const json_t *inner = json_object_get(properties, key);

        if (!inner)
            fail_msg("a member %s too many", key);
        if (json_is_object(member))
            check_members(inner, member);
    }
}

static void expect(struct fixture *f, const char *id, const char *state,
                   const char *reason)
{
    CLEANUP(queue_status) struct queue_status *s = NULL;
    json_t *schema = json_load_file("schemas/result.schema.json", 0, NULL);
    json_t *result;

    assert_int_equal(queue_status(f->queue, id, &s, NULL), 0);
    assert_string_equal(s->state, state);
    assert_string_equal(s->reason ? s->reason : "", reason);
    assert_non_null(s->result);
    result = json_loads(s->result, 0, NULL);
    assert_non_null(schema);
    assert_non_null(result);
    check_members(schema, result);
    assert_string_equal(json_string_value(json_object_get(result, "state")),
                        state);
    assert_non_null(strstr(s->result, f->pool)); /* log.stream */
    json_decref(schema);
    json_decref(result);
}

/* ---- tests -------------------------------------------------------------- */

static void test_outcomes(void **state)
{
    static const struct {
        const char *id, *fake, *state, *reason;
        unsigned sweeps;
    } cases[] = {
        {"a", "pass", "passed", "", 0},
        {"b", "fail", "failed", "step_failed", 0},
        {"c", "die", "failed", "sandbox_failed", 1},
        {"d", "exit3", "failed", "sandbox_failed", 1},
        {"e", "garbage", "failed", "sandbox_failed", 1},
        {"g", "other_job", "failed", "sandbox_failed", 1},
        {"h", "bad_state", "failed", "sandbox_failed", 1},
        {"i", "not_json", "failed", "sandbox_failed", 1},
        {"j", "bad_steps", "passed", "", 0},
    };
    struct fixture *f = *state;
    unsigned swept = 1; /* at the start */

    start_supervisor(f, 1, 4000);
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        submit(f, cases[i].id, cases[i].fake);
        run_until(f, &f->seen.ended, i + 1);
        expect(f, cases[i].id, cases[i].state, cases[i].reason);
        assert_string_equal(f->seen.state, cases[i].state);
        swept += cases[i].sweeps;
        assert_int_equal(sweeps(f), swept);
    }
    assert_int_equal(f->seen.started, ARRAY_LEN(cases));
    assert_int_equal(f->seen.failed, 0);
    /* The broken step frames were not passed on. */
    assert_int_equal(f->seen.frames[JOB_FRAME_STEP_START], 5);
    assert_int_equal(f->seen.frames[JOB_FRAME_STEP_END], 0);
    assert_int_equal(f->seen.frames[JOB_FRAME_RESULT], 3);
    assert_int_equal(f->seen.frames[JOB_FRAME_START], 0);
    assert_int_equal(f->seen.frames[99], 0);
}

static void test_log(void **state)
{
    struct fixture *f = *state;
    struct log_text log;

    start_supervisor(f, 1, 4000);
    submit(f, "a", "pass");
    run_until(f, &f->seen.ended, 1);
    read_log(f, "a", &log);
    assert_string_equal(log.text, "hello\na warning\na note\n");
    assert_int_equal(log.entries, 3);
}

static void test_bad_payload(void **state)
{
    struct fixture *f = *state;

    start_supervisor(f, 1, 4000);
    assert_int_equal(queue_submit(f->queue, "a", "[1]", NULL), 0);
    run_until(f, &f->seen.ended, 1);
    expect(f, "a", "failed", "pipeline_invalid");
    assert_int_equal(f->seen.started, 0);
}

static void test_no_run_job(void **state)
{
    struct fixture *f = *state;
    struct supervisor_options options = {
        .worker = "w", .state_dir = f->dir, .capacity = 1};
    struct err err;

    (void)setenv("BERTH_LIBEXEC", f->dir, 1);
    assert_int_equal(
        supervisor_new(f->loop, f->queue, &options, NULL, &f->supervisor, NULL),
        0);
    assert_int_equal(supervisor_start(f->supervisor, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    (void)setenv("BERTH_LIBEXEC", libexec, 1);
}

/* 8 MiB in one go: head and tail are kept, and what is lost is counted. */
static void test_flood(void **state)
{
    struct fixture *f = *state;
    struct log_text log;

    start_supervisor(f, 1, 4000);
    submit(f, "a", "flood");
    run_until(f, &f->seen.ended, 1);
    expect(f, "a", "passed", "");
    assert_true(f->seen.frames[JOB_FRAME_STDOUT] >= 64);
    read_log(f, "a", &log);
    assert_int_equal(log.bytes + log.gap_bytes, 8U << 20);
    assert_in_range(log.bytes, 1U << 19, (256U << 10) + (1U << 20));
    assert_true(log.gap_bytes > 0);
}

static void test_capacity(void **state)
{
    struct fixture *f = *state;
    char id[16];

    for (int i = 0; i < 5; i++) {
        (void)snprintf(id, sizeof(id), "j%d", i);
        submit(f, id, "hang");
    }
    start_supervisor(f, 3, 4000);
    run_until(f, &f->seen.frames[JOB_FRAME_STDOUT], 3);
    for (int i = 0; i < 5; i++)
        assert_int_equal(loop_step(f->loop, 50, NULL), 0);
    assert_int_equal(f->seen.started, 3);
    supervisor_drain(f->supervisor);
    supervisor_cancel(f->supervisor, "cancelled");
    run_until(f, &f->seen.ended, 3);
    for (int i = 0; i < 5; i++)
        assert_int_equal(loop_step(f->loop, 50, NULL), 0);
    assert_int_equal(f->seen.started, 3);
    expect(f, "j0", "cancelled", "cancelled");
}

static void test_cancel_through_redis(void **state)
{
    struct fixture *f = *state;

    start_supervisor(f, 1, 4000);
    submit(f, "a", "hang");
    run_until(f, &f->seen.frames[JOB_FRAME_STDOUT], 1);
    assert_int_equal(queue_cancel(f->queue, "a", "superseded", NULL), 0);
    run_until(f, &f->seen.ended, 1);
    expect(f, "a", "cancelled", "superseded");
}

static void test_dies_of_cancel(void **state)
{
    struct fixture *f = *state;

    start_supervisor(f, 1, 4000);
    submit(f, "a", "dies_when_cancelled");
    run_until(f, &f->seen.frames[JOB_FRAME_STDOUT], 1);
    assert_int_equal(queue_cancel(f->queue, "a", "superseded", NULL), 0);
    run_until(f, &f->seen.ended, 1);
    expect(f, "a", "cancelled", "superseded");
}

static void test_huge_result(void **state)
{
    struct fixture *f = *state;

    start_supervisor(f, 1, 4000);
    submit(f, "a", "huge_result");
    run_until(f, &f->seen.ended, 1);
    expect(f, "a", "failed", "sandbox_failed");
    assert_non_null(strstr(f->seen.result, "result is over 1048575 bytes"));
}

/* run-job is told them; Redis never was: not even its append-only file. */
static void test_secrets(void **state)
{
    static const char grep[] = "! grep -r -e hunter22 -e wordpass \"$0\"";
    struct fixture *f = *state;
    const char *const argv[] = {"sh", "-c", grep, server.dir, NULL};
    CLEANUP(strbuf) struct strbuf found = STRBUF_INIT;
    struct log_text log;

    f->secrets = json_pack("{s:s, s:s, s:{s:s}}", "username", "hunter22",
                           "password", "wordpass", "env", "TOKEN", "abc");
    start_supervisor(f, 1, 4000);
    submit(f, "a", "secrets");
    run_until(f, &f->seen.ended, 1);
    expect(f, "a", "passed", "");
    read_log(f, "a", &log);
    assert_non_null(strstr(log.text, "abc 22retnuh"));
    assert_int_equal(proc_run(argv, 20000, &found, NULL), 0);
}

static void test_cancel_twice(void **state)
{
    struct fixture *f = *state;

    start_supervisor(f, 1, 4000);
    submit(f, "a", "stubborn");
    run_until(f, &f->seen.frames[JOB_FRAME_STDOUT], 1);
    supervisor_cancel(f->supervisor, "cancelled");
    for (int i = 0; i < 4; i++)
        assert_int_equal(loop_step(f->loop, 50, NULL), 0);
    assert_int_equal(f->seen.ended, 0);
    supervisor_cancel(f->supervisor, "cancelled");
    run_until(f, &f->seen.ended, 1);
    expect(f, "a", "cancelled", "cancelled");
}

/* From inside an event, and one that neither answers nor goes: killed 15 s
 * after the second cancel. */
static void test_deaf(void **state)
{
    struct fixture *f = *state;
    int64_t begin = clock_mono_ms();

    start_supervisor(f, 1, 4000);
    f->seen.cancel_at_output = f->supervisor;
    submit(f, "a", "deaf");
    run_until(f, &f->seen.frames[JOB_FRAME_STDOUT], 1);
    supervisor_cancel(f->supervisor, "cancelled");
    run_until(f, &f->seen.ended, 1);
    assert_in_range(clock_mono_ms() - begin, 14000, 20000);
    expect(f, "a", "cancelled", "cancelled");
    assert_int_equal(sweeps(f), 2);
}

static void test_deadlines_are_told(void **state)
{
    struct fixture *f = *state;
    struct log_text log;
    int64_t deadlines[32];
    int64_t now = clock_mono_ms();
    size_t n = 0;

    start_supervisor(f, 1, 4000);
    submit(f, "a", "sleep");
    run_until(f, &f->seen.ended, 1);
    read_log(f, "a", &log);
    for (char *p = log.text; n < 32 && (p = strstr(p, "deadline ")); p++)
        deadlines[n++] = strtoll(p + 9, NULL, 10);
    assert_true(n >= 4); /* 1500 ms, renewed each 200 */
    assert_true(deadlines[0] >= now + 4000);
    for (size_t i = 1; i < n; i++)
        assert_true(deadlines[i] > deadlines[i - 1]);
}

static void test_lease_lost(void **state)
{
    struct fixture *f = *state;
    CLEANUP(mem) char *key = xasprintf("berth:{%s}:job:a", f->pool);
    const char *const list[] = {"HSET", key, "nonce", "another"};
    const struct redis_words words = {list, NULL, ARRAY_LEN(list)};
    const struct redis_options options = {.url = server.url};
    CLEANUP(redis_sync) struct redis_sync *redis = NULL;
    struct redisReply *reply = NULL;

    start_supervisor(f, 1, 4000);
    submit(f, "a", "hang");
    run_until(f, &f->seen.frames[JOB_FRAME_STDOUT], 1);
    assert_int_equal(redis_sync_open(&options, &redis, NULL), 0);
    assert_int_equal(redis_sync_command(redis, &words, &reply, NULL), 0);
    freeReplyObject(reply);
    run_until(f, &f->seen.failed, 1);
    assert_int_equal(f->seen.err.kind, ERR_LOST);
    assert_int_equal(f->seen.ended, 0);
}

/* Redis is away while the job runs and ends: the result comes through. */
static void test_redis_restarts(void **state)
{
    struct fixture *f = *state;

    start_supervisor(f, 1, 4500);
    submit(f, "a", "sleep");
    run_until(f, &f->seen.started, 1);
    redis_server_kill(&server);
    for (int i = 0; i < 20; i++)
        assert_int_equal(loop_step(f->loop, 100, NULL), 0);
    assert_int_equal(f->seen.ended, 0);
    redis_server_start(&server);
    run_until(f, &f->seen.ended, 1);
    expect(f, "a", "passed", "");
}

static void test_redis_away_for_good(void **state)
{
    struct fixture *f = *state;
    int64_t begin;

    start_supervisor(f, 1, 1500);
    submit(f, "a", "hang");
    run_until(f, &f->seen.frames[JOB_FRAME_STDOUT], 1);
    redis_server_signal(&server, SIGSTOP);
    begin = clock_mono_ms();
    run_until(f, &f->seen.failed, 1);
    assert_in_range(clock_mono_ms() - begin, 1000, 3000);
    assert_int_equal(f->seen.err.kind, ERR_TRANSIENT);
    redis_server_signal(&server, SIGCONT);
}

static void test_free_while_running(void **state)
{
    struct fixture *f = *state;
    int64_t begin;

    start_supervisor(f, 2, 4000);
    submit(f, "a", "hang");
    submit(f, "b", "hang");
    run_until(f, &f->seen.frames[JOB_FRAME_STDOUT], 2);
    begin = clock_mono_ms();
    supervisor_free(STEAL(f->supervisor));
    assert_true(clock_mono_ms() - begin < 3000);
    assert_int_equal(sweeps(f), 1);
    assert_int_equal(f->seen.ended, 0);
}

static int start(void **state UNUSED)
{
    char fake[PATH_MAX];
    CLEANUP(mem) char *link = NULL;

    redis_server_init(&server, "");
    (void)snprintf(libexec, sizeof(libexec), "/tmp/berth-test-XXXXXX");
    if (!mkdtemp(libexec) || !realpath("tests/fakes/run-job.js", fake))
        return -1;
    link = xasprintf("%s/run-job", libexec);
    return symlink(fake, link) == 0 ? setenv("BERTH_LIBEXEC", libexec, 1) : -1;
}

static int stop(void **state UNUSED)
{
    redis_server_clear(&server);
    return tree_remove(libexec, NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_outcomes),
        TEST(test_log),
        TEST(test_bad_payload),
        TEST(test_no_run_job),
        TEST(test_flood),
        TEST(test_capacity),
        TEST(test_cancel_through_redis),
        TEST(test_dies_of_cancel),
        TEST(test_huge_result),
        TEST(test_secrets),
        TEST(test_cancel_twice),
        TEST(test_deaf),
        TEST(test_deadlines_are_told),
        TEST(test_lease_lost),
        TEST(test_redis_restarts),
        TEST(test_redis_away_for_good),
        TEST(test_free_while_running),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
