/* tests/unit/scheduler/report/reporter_test.c - jobs are told to hosts. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/report/reporter.h"

#include "base/clock.h"
#include "scheduler/forge/protocol.h"
#include "scheduler/queue/inspect.h"
#include "tests/unit/scheduler/queue/pool.h"

#define COMMIT  "0123456789012345678901234567890123456789"
#define WAIT_MS 60000

/* ---- a host's client that is none -------------------------------------------
 */

struct forge_call {
    struct forge *forge;
    forge_answer_fn *fn;
    void *arg;
    struct loop_source *timer;
};

/* Answers each question after a while, in one way. */
struct forge {
    struct loop *loop;
    enum forge_kind kind;
    bool reads_only;
    int64_t after_ms; /* -1: never */
    enum forge_error error;
    int64_t pause_ms;
    const char *body;
    unsigned asked, answered;
    json_t *last;            /* what was asked last */
    unsigned *at_once, most; /* calls under way, of all forges of this host */
    struct forge_call *call;
};

enum forge_kind forge_kind_of(const struct forge *forge)
{
    return forge->kind;
}

bool forge_can_write(const struct forge *forge)
{
    return !forge->reads_only;
}

void forge_call_cancel(struct forge_call *call)
{
    if (!call)
        return;
    loop_remove(call->timer);
    call->forge->call = NULL;
    (*call->forge->at_once)--;
    free(call);
}

static void answer(void *arg)
{
    struct forge_call *call = arg;
    struct forge *forge = call->forge;
    forge_answer_fn *fn = call->fn;
    void *fn_arg = call->arg;
    json_t *body = NULL;

    call->timer = NULL;
    forge_call_cancel(call);
    forge->answered++;
    if (forge->error == FORGE_OK) {
        body = json_loads(forge->body, 0, NULL);
        assert_non_null(body);
    }
    fn(fn_arg,
       &(struct forge_answer){.error = forge->error,
                              .body = body,
                              .message = forge->error ? "it said so" : "",
                              .after_ms = forge->pause_ms});
    json_decref(body);
}

void forge_ask(struct forge *forge, const char *op, json_t *body,
               forge_answer_fn *fn, void *arg, struct forge_call **out_call)
{
    struct forge_call *call = xcalloc(1, sizeof(*call));

    assert_string_equal(op, FORGE_OP_REPORT);
    assert_null(forge->call);
    *call = (struct forge_call){.forge = forge, .fn = fn, .arg = arg};
    if (forge->after_ms >= 0)
        call->timer = loop_add_timer(
            forge->loop, clock_mono_ms() + forge->after_ms, answer, call);
    forge->call = call;
    forge->asked++;
    (*forge->at_once)++;
    if (*forge->at_once > forge->most)
        forge->most = *forge->at_once;
    json_decref(forge->last);
    forge->last = body;
    *out_call = call;
}

/* ---- a scheduler -----------------------------------------------------------
 */

static unsigned at_once;

struct side {
    struct queue *queue;
    struct forge forge, *forges[1];
    struct reporter *reporter;
};

static void side_start(struct pool *p, struct side *side, int64_t hold_ms,
                       size_t count)
{
    const struct queue_options options = {
        .url = server.url, .pool = p->name, .max_instances = 1};
    struct reporter_options o = {
        .forges = side->forges,
        .count = count,
        .style = {.max_comments = 3, .max_rows = 9, .url = "https://b"},
        .hold_ms = hold_ms,
        .poll_ms = 20};

    side->forge.loop = p->loop;
    side->forge.at_once = &at_once;
    if (!side->forge.kind)
        side->forge.kind = FORGE_GITHUB;
    if (!side->forge.body)
        side->forge.body = "{\"posted\":{\"f1\":\"open\"},\"comments\":1,"
                           "\"resolved\":2,\"requests\":3,\"notes\":[\"n\"]}";
    side->forges[0] = &side->forge;
    assert_int_equal(queue_open(p->loop, &options, &side->queue, NULL), 0);
    side->reporter = reporter_new(p->loop, side->queue, "s", &o);
}

/* As one that is killed: nothing more comes from it. */
static void side_end(struct side *side)
{
    queue_free(side->queue);
    reporter_free(side->reporter);
    json_decref(side->forge.last);
    assert_null(side->forge.call);
}

#define WAIT_FOR(p, condition)                                                 \
    do {                                                                       \
        int64_t until_ = clock_mono_ms() + WAIT_MS;                            \
        while (!(condition)) {                                                 \
            assert_true(clock_mono_ms() < until_);                             \
            assert_int_equal(loop_step((p)->loop, 10, NULL), 0);               \
        }                                                                      \
    } while (0)

static void turn(struct pool *p, int ms)
{
    int64_t until = clock_mono_ms() + ms;

    while (clock_mono_ms() < until)
        assert_int_equal(loop_step(p->loop, 10, NULL), 0);
}

/* The host knows the job as it is. */
static bool is_told(struct pool *p, const char *id)
{
    CLEANUP(mem) char *rev = xstrdup(field_of(p, id, "report_rev"));

    return strcmp(rev, field_of(p, id, "report_told")) == 0;
}

static const char *said(const struct side *side, const char *key)
{
    return json_string_value(
        json_object_get(json_object_get(side->forge.last, "check"), key));
}

#define REPORT(more)                                                           \
    "{\"forge\":\"github\",\"repo\":\"a/b\",\"commit\":\"" COMMIT "\"" more "}"
#define CHANGE REPORT(",\"change\":\"7\",\"installation\":5,\"fork\":true")

static void submit_one(struct pool *p, const char *id, const char *report)
{
    (void)submit(p, id, JOB(.report = report, .pipeline = "test"));
}

static void end_with(struct pool *p, const struct given *given,
                     const char *state, const char *reason, const char *result)
{
    assert_string_equal(word_of(p, SCRIPT_COMPLETE, WISH("", "0"), given->id,
                                given->epoch, given->nonce, state, reason,
                                result, "0", "0.5", "", "0"),
                        "ok");
}

/* ---- what is told ----------------------------------------------------------
 */

#define FINDING(f)                                                             \
    "{\"kind\":\"issue\",\"severity\":\"error\",\"message\":\"m\","            \
    "\"fingerprint\":\"" f "\"}"
#define FOUND(epoch, list)                                                     \
    "{\"job\":{\"epoch\":" epoch "},\"message\":\"why\",\"steps\":[{},"        \
    "{\"findings\":{\"schema\":1,\"findings\":[" list "],"                     \
    "\"tests\":{\"passed\":2,\"failed\":1,\"skipped\":0},\"overflow\":4}}]}"

static void test_tells(void **state)
{
    struct pool *p = *state;
    struct side side = {0};
    struct given given;
    const json_t *q, *found;

    submit_one(p, "a", CHANGE);
    side_start(p, &side, 0, 1);
    WAIT_FOR(p, is_told(p, "a"));
    q = side.forge.last;
    assert_string_equal(said(&side, "state"), "queued");
    assert_string_equal(said(&side, "name"), "berth / test");
    assert_string_equal(said(&side, "external_id"), "a");
    assert_string_equal(said(&side, "url"), "https://b/jobs/a");
    assert_string_equal(json_string_value(json_object_get(q, "repo")), "a/b");
    assert_string_equal(json_string_value(json_object_get(q, "key")), "test");
    assert_int_equal(json_integer_value(json_object_get(q, "change")), 7);
    assert_int_equal(json_integer_value(json_object_get(q, "installation")), 5);
    assert_int_equal(json_integer_value(json_object_get(q, "max_comments")), 3);
    assert_true(json_is_true(json_object_get(q, "latest")));
    assert_true(json_is_null(json_object_get(q, "findings")));
    assert_int_equal(json_object_size(json_object_get(q, "posted")), 0);

    given = take(p);
    WAIT_FOR(p, is_told(p, "a"));
    assert_string_equal(said(&side, "state"), "running");
    end_with(p, &given, "failed", "step_failed", FOUND("1", FINDING("x")));
    WAIT_FOR(p, is_told(p, "a"));
    q = side.forge.last;
    assert_string_equal(said(&side, "state"), "failed");
    assert_string_equal(said(&side, "reason"), "step_failed");
    assert_string_equal(said(&side, "message"), "why");
    found = json_object_get(q, "findings");
    assert_int_equal(json_array_size(json_object_get(found, "findings")), 1);
    assert_int_equal(json_integer_value(json_object_get(found, "overflow")), 4);
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(q, "posted"), "f1")),
        "open");
    assert_int_equal(side.forge.asked, 3);
    expect(p, "a", "report_comments", "3");
    expect(p, "a", "report_notes", "n");
    side_end(&side);
    expect_sound(p);
}

/* The last attempt left nothing: what an earlier one found is not told. */
static void test_stale_result(void **state)
{
    struct pool *p = *state;
    struct side side = {0};
    struct given given;

    submit_one(p, "a", REPORT(",\"name\":\"mine\""));
    given = take(p);
    end_with(p, &given, "failed", "step_failed", FOUND("7", FINDING("x")));
    side_start(p, &side, 0, 1);
    WAIT_FOR(p, is_told(p, "a"));
    assert_string_equal(said(&side, "name"), "mine");
    assert_string_equal(said(&side, "message"), "");
    assert_true(json_is_null(json_object_get(side.forge.last, "findings")));
    side_end(&side);
}

/* One document of all jobs of a run; what several found is there once. */
static void test_run(void **state)
{
    static const char result[] =
        "{\"message\":\"two failed\",\"jobs\":[{\"state\":\"failed\"},"
        "{\"state\":\"skipped\"},{\"state\":\"failed\"},"
        "{\"state\":\"failed\"}]}";
    struct pool *p = *state;
    struct side side = {0};
    const json_t *found;

    (void)submit(p, "run", JOB(.run_jobs = 4, .report = CHANGE));
    (void)redis_num(p, "HSET", "%job:run-1", "parent", "run", "state", "failed",
                    "result", FOUND("1", FINDING("x") "," FINDING("x")));
    (void)redis_num(p, "HSET", "%job:run-3", "parent", "other", "result",
                    FOUND("1", FINDING("z")));
    (void)redis_num(p, "HSET", "%job:run-4", "parent", "run", "state", "failed",
                    "result", FOUND("1", FINDING("x") "," FINDING("y")));
    assert_string_equal(word_of(p, SCRIPT_ADVANCE, "run", "0", "1", "0", "0",
                                "failed", "step_failed", result),
                        "ok");
    side_start(p, &side, 0, 1);
    WAIT_FOR(p, is_told(p, "run"));
    found = json_object_get(side.forge.last, "findings");
    assert_int_equal(json_array_size(json_object_get(found, "findings")), 3);
    assert_int_equal(json_integer_value(json_object_get(
                         json_object_get(found, "tests"), "passed")),
                     4);
    assert_string_equal(said(&side, "message"), "two failed");
    side_end(&side);
}

/* ---- what cannot be told ----------------------------------------------------
 */

static void test_not_configured(void **state)
{
    struct pool *p = *state;
    struct side side = {0};

    submit_one(p, "a", CHANGE);
    submit_one(p, "b", "{\"forge\":\"gitlab\",\"repo\":\"a/b\"}");
    submit_one(p, "c", "{\"forge\":\"sourcehut\"}");
    side.forge.reads_only = true;
    side_start(p, &side, 0, 1);
    WAIT_FOR(p, redis_num(p, "ZCARD", "%unreported") == 1 &&
                    *field_of(p, "a", "report_error") &&
                    *field_of(p, "b", "report_error"));
    expect(p, "a", "report_error",
           "no GitHub is configured (github.token or github.app)");
    expect(p, "b", "report_error", "no GitLab is configured (gitlab.token)");
    /* Nobody came who can. */
    (void)redis_num(p, "HSET", "%job:a", "report_failed_at_ms", "1000");
    (void)redis_num(p, "ZADD", "%outbox:github", "1", "a");
    WAIT_FOR(p, redis_num(p, "ZCARD", "%unreported") == 2);
    assert_non_null(strstr(field_of(p, "c", "report_error"), "not known"));
    assert_int_equal(side.forge.asked, 0);
    side_end(&side);
}

/* Who has no token leaves it to who has one. */
static void test_left_to_others(void **state)
{
    struct pool *p = *state;
    struct side poor = {.forge = {.reads_only = true}}, rich = {0};

    submit_one(p, "a", REPORT(""));
    side_start(p, &poor, 0, 1);
    WAIT_FOR(p, *field_of(p, "a", "report_error"));
    side_start(p, &rich, 0, 1);
    WAIT_FOR(p, is_told(p, "a"));
    expect(p, "a", "report_error", "");
    for (int i = 0; i < 20; i++) {
        char id[16];

        (void)snprintf(id, sizeof(id), "b%d", i);
        submit_one(p, id, REPORT(""));
        WAIT_FOR(p, is_told(p, id));
        expect(p, id, "report_error_at_ms", "");
    }
    assert_int_equal(redis_num(p, "ZCARD", "%unreported"), 0);
    assert_int_equal(poor.forge.asked, 0);
    assert_int_equal(rich.forge.asked, 21);
    side_end(&poor);
    side_end(&rich);
}

static void test_says_not_where(void **state)
{
    struct pool *p = *state;
    struct side side = {0};

    submit_one(p, "a", "{\"forge\":\"github\"}");
    submit_one(p, "b", "{\"forge\":\"github\",\"repo\":\"a/b\"}");
    side_start(p, &side, 0, 1);
    WAIT_FOR(p, redis_num(p, "ZCARD", "%unreported") == 2);
    expect(p, "a", "report_error", "its report names no repo");
    expect(p, "b", "report_error", "its report names no commit");
    side_end(&side);
}

static void test_errors(void **state)
{
    struct pool *p = *state;
    struct side side = {.forge = {.error = FORGE_REFUSED}};

    submit_one(p, "a", CHANGE);
    side_start(p, &side, 0, 1);
    WAIT_FOR(p, redis_num(p, "ZCARD", "%unreported") == 1);
    expect(p, "a", "report_error", "it said so");
    side.forge.error = FORGE_AWAY;
    assert_int_equal(queue_report_again(p->queue, "a", NULL), 0);
    WAIT_FOR(p, *field_of(p, "a", "report_tries") == '1');
    /* A pause is everybody's, and what was asked is due behind it. */
    side.forge.error = FORGE_PAUSED;
    side.forge.pause_ms = 300;
    assert_int_equal(queue_report_again(p->queue, "a", NULL), 0);
    WAIT_FOR(p, redis_num(p, "EXISTS", "%paused:github") == 1);
    side.forge.error = FORGE_OK;
    WAIT_FOR(p, is_told(p, "a"));
    assert_int_equal(side.forge.asked, 4);
    expect(p, "a", "report_error", "");
    side_end(&side);
}

/* ---- several schedulers -----------------------------------------------------
 */

/* Killed while it tells: another does. */
static void test_killed(void **state)
{
    struct pool *p = *state;
    struct side first = {.forge = {.after_ms = -1}}, second = {0};

    submit_one(p, "a", CHANGE);
    side_start(p, &first, 3000, 1);
    WAIT_FOR(p, first.forge.asked == 1);
    side_start(p, &second, 3000, 1);
    turn(p, 50);
    assert_int_equal(second.forge.asked, 0);
    side_end(&first);
    WAIT_FOR(p, is_told(p, "a"));
    assert_int_equal(second.forge.asked, 1);
    side_end(&second);
}

/* One that takes longer than a hold is still told by one only. */
static void test_slow(void **state)
{
    struct pool *p = *state;
    struct side first = {.forge = {.after_ms = 1500}}, second = {0};

    submit_one(p, "a", CHANGE);
    side_start(p, &first, 500, 1);
    WAIT_FOR(p, first.forge.asked == 1);
    side_start(p, &second, 500, 1);
    WAIT_FOR(p, is_told(p, "a"));
    assert_int_equal(first.forge.answered, 1);
    assert_int_equal(second.forge.asked, 0);
    side_end(&first);
    side_end(&second);
}

/* It lost its hold: it drops what it does, and goes on with the next. */
static void test_lost(void **state)
{
    struct pool *p = *state;
    struct side side = {.forge = {.after_ms = -1}};

    submit_one(p, "a", CHANGE);
    side_start(p, &side, 200, 1);
    WAIT_FOR(p, side.forge.asked == 1);
    (void)redis_num(p, "HSET", "%reporting:github", "nonce", "other");
    WAIT_FOR(p, !side.forge.call);
    side.forge.after_ms = 0;
    WAIT_FOR(p, is_told(p, "a"));
    assert_int_equal(side.forge.asked, 2);
    side_end(&side);
}

static void test_never_at_once(void **state)
{
    struct pool *p = *state;
    struct side sides[3] = {{0}};
    unsigned asked = 0;
    char id[16];

    for (int i = 0; i < 60; i++) {
        (void)snprintf(id, sizeof(id), "j%d", i);
        submit_one(p, id, CHANGE);
    }
    for (size_t i = 0; i < 3; i++) {
        sides[i].forge.after_ms = 3;
        side_start(p, &sides[i], 0, 1);
    }
    WAIT_FOR(p, redis_num(p, "ZCARD", "%outbox:github") == 0);
    for (size_t i = 0; i < 3; i++) {
        assert_true(sides[i].forge.most <= 1);
        asked += sides[i].forge.asked;
        side_end(&sides[i]);
    }
    assert_int_equal(asked, 60);
    expect_sound(p);
}

static void on_stopped(void *arg)
{
    *(bool *)arg = true;
}

/* What is under way is told first; nothing else is begun. */
static void test_stops(void **state)
{
    struct pool *p = *state;
    struct side side = {.forge = {.after_ms = 200}};
    bool stopped = false;

    submit_one(p, "a", CHANGE);
    submit_one(p, "b", CHANGE);
    side_start(p, &side, 0, 1);
    WAIT_FOR(p, side.forge.asked == 1);
    reporter_stop(side.reporter, on_stopped, &stopped);
    assert_false(stopped);
    WAIT_FOR(p, stopped);
    assert_true(is_told(p, "a"));
    assert_false(is_told(p, "b"));
    assert_int_equal(side.forge.asked, 1);
    assert_int_equal(redis_num(p, "EXISTS", "%reporting:github"), 0);
    side_end(&side);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POOL_TEST(test_tells),
        POOL_TEST(test_stale_result),
        POOL_TEST(test_run),
        POOL_TEST(test_not_configured),
        POOL_TEST(test_left_to_others),
        POOL_TEST(test_says_not_where),
        POOL_TEST(test_errors),
        POOL_TEST(test_killed),
        POOL_TEST(test_slow),
        POOL_TEST(test_lost),
        POOL_TEST(test_never_at_once),
        POOL_TEST(test_stops),
    };

    return cmocka_run_group_tests(tests, server_setup, server_teardown);
}
