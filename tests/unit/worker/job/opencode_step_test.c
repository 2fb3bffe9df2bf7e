/* tests/unit/worker/job/opencode_step_test.c - what a reviewer is told. */
/* SPDX-License-Identifier: Apache-2.0 */

#include "tests/lib/unit.h"

#include "worker/job/opencode_step.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMIT "0123456789abcdef0123456789abcdef01234567"
#define OTHER  "89abcdef0123456789abcdef0123456789abcdef"

static struct {
    struct job_start *start;
    struct job_result *result;
    struct strv env;
    struct attempt_spec spec;
    struct opencode_step *step;
    struct err err;
} t;

static int begin(const char *opencode, const char *more)
{
    CLEANUP(mem)
    char *text = xasprintf("{\"job_id\":\"a\",\"trust\":\"member\",%s"
                           "\"pipeline\":{\"name\":\"p\",\"steps\":[{\"name\":"
                           "\"r\",\"opencode\":%s}]}}",
                           more, opencode);

    if (job_start_parse(text, strlen(text), &t.start, &t.err) < 0)
        fail_msg("%s", t.err.msg);
    t.result = job_result_new(t.start);
    strv_setenv(&t.env, "PATH", "/bin");
    t.spec = (struct attempt_spec){.start = t.start,
                                   .result = t.result,
                                   .env = &t.env,
                                   .content = "Look \"here\"",
                                   .path = "notes.md"};
    return opencode_step_new(&t.spec, &t.step, &t.err);
}

static int tear_down(void **state)
{
    (void)state;
    opencode_step_free(t.step);
    job_result_free(t.result);
    job_start_free(t.start);
    strv_clear(&t.env);
    memset(&t, 0, sizeof(t));
    return 0;
}

static json_t *input(void)
{
    struct sandbox_exec exec = {0};
    json_t *json;

    opencode_step_exec(t.step, &exec);
    assert_string_equal(exec.argv[0], "/run/berth/tools/berth-review");
    assert_null(exec.argv[1]);
    json = json_loadb(exec.input, exec.input_len, 0, NULL);
    assert_non_null(json);
    return json;
}

static const char *text_of(const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));

    return text ? text : "(none)";
}

static void test_input(void **state)
{
    json_t *json;

    (void)state;
    assert_int_equal(
        begin("{\"incremental\":true,\"paths\":[\"*.c\"],\"tools\":\"grep\","
              "\"min_severity\":\"info\"}",
              "\"change\":\"7\",\"base\":\"main\",\"title\":\"T\","
              "\"description\":\"D\",\"previous\":{\"commit\":\"" COMMIT
              "\",\"findings\":{\"schema\":1}},"),
        0);
    json = input();
    assert_string_equal(text_of(json, "task"), "Look \"here\"");
    assert_string_equal(text_of(json, "base"), "main");
    assert_string_equal(text_of(json, "title"), "T");
    assert_string_equal(text_of(json, "description"), "D");
    assert_string_equal(text_of(json, "since"), COMMIT);
    assert_string_equal(text_of(json, "tools"), "grep");
    assert_string_equal(text_of(json, "min_severity"), "info");
    assert_true(json_is_object(json_object_get(json, "earlier")));
    assert_int_equal(json_array_size(json_object_get(json, "paths")), 1);
    assert_true(json_integer_value(json_object_get(json, "time_ms")) > 0);
    json_decref(json);
}

/* Of the job's time other steps, or another attempt, had a part. */
static void test_time(void **state)
{
    const int64_t minute = 60000;
    int64_t limit, whole, left;
    json_t *json;

    (void)state;
    assert_int_equal(begin("{}", ""), 0);
    limit = t.start->pipeline->timeout_ms;
    assert_true(limit > 10 * minute);
    json = input();
    whole = json_integer_value(json_object_get(json, "time_ms"));
    json_decref(json);
    assert_true(whole > limit - minute && whole < limit);
    opencode_step_free(STEAL(t.step));
    t.result->started_mono_ms -= limit - 5 * minute;
    assert_int_equal(opencode_step_new(&t.spec, &t.step, &t.err), 0);
    json = input();
    left = json_integer_value(json_object_get(json, "time_ms"));
    json_decref(json);
    assert_true(left > 4 * minute && left < 5 * minute);
}

static void test_not_incremental(void **state)
{
    json_t *json;

    (void)state;
    assert_int_equal(begin("{}", "\"previous\":{\"commit\":\"" COMMIT "\"},"),
                     0);
    json = input();
    assert_null(json_object_get(json, "since"));
    assert_null(json_object_get(json, "earlier"));
    json_decref(json);
}

/* Else the change itself could say what its review is about. */
static void test_wants_a_base(void **state)
{
    (void)state;
    assert_int_equal(begin("{}", "\"change\":\"7\","), -1);
    assert_int_equal(t.err.kind, ERR_USER);
    assert_non_null(strstr(t.err.msg, "(base)"));
}

/* With the first of three steps tried, or not, and the review the last. */
static int begin_behind(const char *trust, const char *first, unsigned attempts)
{
    CLEANUP(mem)
    char *text =
        xasprintf("{\"job_id\":\"a\",\"trust\":\"%s\",\"base\":\"main\","
                  "\"pipeline\":{\"name\":\"p\",\"steps\":[%s,{\"name\":"
                  "\"c\",\"checkout\":null},{\"name\":\"r\",\"opencode\":{}}]"
                  "}}",
                  trust, first);

    if (job_start_parse(text, strlen(text), &t.start, &t.err) < 0)
        fail_msg("%s", t.err.msg);
    t.result = job_result_new(t.start);
    t.result->steps[0].attempts = attempts;
    t.result->steps[1].attempts = 1;
    t.spec = (struct attempt_spec){.start = t.start,
                                   .result = t.result,
                                   .env = &t.env,
                                   .index = 2,
                                   .content = ""};
    return opencode_step_new(&t.spec, &t.step, &t.err);
}

/* Nor what a stranger's code may have made of the repository. */
static void test_comes_first(void **state)
{
    static const char opencode[] =
        "{\"name\":\"x\",\"opencode\":{\"prompt\":\"p\",\"output\":\"text\","
        "\"tools\":[\"bash\"]}}";
    static const char *const running[] = {
        "{\"name\":\"x\",\"run\":\"make\"}",
        "{\"name\":\"x\",\"install\":\"npm\"}", opencode};

    for (size_t i = 0; i < ARRAY_LEN(running); i++) {
        assert_int_equal(begin_behind("fork", running[i], 1), -1);
        assert_int_equal(t.err.kind, ERR_USER);
        assert_non_null(strstr(t.err.msg, "the step 'x' ran before"));
        tear_down(state);
        assert_int_equal(begin_behind("fork", running[i], 0), 0);
        tear_down(state);
        assert_int_equal(begin_behind("member", running[i], 1), 0);
        tear_down(state);
    }
    assert_int_equal(begin_behind("fork",
                                  "{\"name\":\"x\",\"opencode\":{\"prompt\":"
                                  "\"p\",\"output\":\"text\"}}",
                                  1),
                     0);
}

static void test_text(void **state)
{
    struct sandbox_exec exec = {0};

    (void)state;
    assert_int_equal(begin("{\"prompt\":\"x\",\"output\":\"text\",\"agent\":"
                           "\"plan\",\"tools\":[\"read\",\"bash\"]}",
                           ""),
                     0);
    opencode_step_exec(t.step, &exec);
    assert_string_equal(exec.argv[0], "/run/berth/tools/opencode");
    assert_string_equal(exec.argv[1], "run");
    assert_string_equal(exec.argv[3], "plan");
    assert_null(exec.argv[4]);
    assert_int_equal(exec.input_len, strlen("Look \"here\""));
    assert_string_equal(exec.env[1], "BERTH_OPENCODE_TOOLS=read bash");
    assert_true(opencode_step_output(t.step, SANDBOX_STDOUT, "a", 1, NULL));
    assert_false(opencode_step_writes(t.step));
}

static void say(enum sandbox_stream stream, const char *text)
{
    for (; *text; text++) /* in the smallest pieces */
        (void)opencode_step_output(t.step, stream, text, 1, NULL);
}

static struct attempt_end judge(enum reason reason, int exit_code)
{
    struct attempt_end end = {.reason = reason, .exit_code = exit_code};

    opencode_step_judge(t.step, &end);
    return end;
}

static void test_facts(void **state)
{
    const json_t *review, *notes, *reasons;

    (void)state;
    assert_int_equal(begin("{}", ""), 0);
    say(SANDBOX_STDERR, "review: part 1 of 1\n");
    say(SANDBOX_STDOUT,
        "{\"review\":{\"from\":\"" OTHER "\",\"to\":\"HEAD; rm\",\"since\":1,"
        "\"files\":3,\"found\":-5,\"ms\":99999999999999,\"lost\":2,\"cut\":"
        "true,\"unseen\":3,\"runs\":"
        "\"x\","
        "\"more\":{\"a\":1},\"reasons\":[{\"why\":\"data\",\"files\":2,\"x\":1}"
        ","
        "{\"files\":1},7],\"notes\":[\"a\\nb\",7,\"\",\"c\"]}}\n{}\n");
    assert_int_equal(judge(REASON_NONE, 0).reason, REASON_NONE);
    review = t.result->steps[0].review;
    assert_non_null(review);
    assert_string_equal(text_of(review, "from"), OTHER);
    assert_true(json_is_null(json_object_get(review, "to")));
    assert_true(json_is_false(json_object_get(review, "since")));
    assert_int_equal(json_integer_value(json_object_get(review, "files")), 3);
    assert_int_equal(json_integer_value(json_object_get(review, "found")), 0);
    assert_int_equal(json_integer_value(json_object_get(review, "ms")),
                     1000000000);
    assert_int_equal(json_integer_value(json_object_get(review, "lost")), 2);
    assert_int_equal(json_integer_value(json_object_get(review, "unseen")), 3);
    assert_true(json_is_true(json_object_get(review, "cut")));
    assert_null(json_object_get(review, "more"));
    reasons = json_object_get(review, "reasons");
    assert_int_equal(json_array_size(reasons), 1);
    assert_int_equal(json_object_size(json_array_get(reasons, 0)), 2);
    assert_string_equal(text_of(json_array_get(reasons, 0), "why"), "data");
    notes = json_object_get(review, "notes");
    assert_int_equal(json_array_size(notes), 2);
    assert_string_equal(json_string_value(json_array_get(notes, 0)), "a b");
}

static void test_no_facts(void **state)
{
    struct attempt_end end;

    (void)state;
    assert_int_equal(begin("{}", ""), 0);
    say(SANDBOX_STDOUT, "hello\n");
    end = judge(REASON_NONE, 0);
    assert_int_equal(end.reason, REASON_STEP_FAILED);
    assert_null(t.result->steps[0].review);
}

static void test_blame(void **state)
{
    struct attempt_end end;

    (void)state;
    assert_int_equal(begin("{}", ""), 0);
    say(SANDBOX_STDERR, "first\nthere is \x1b[31mno git\n");
    end = judge(REASON_STEP_FAILED, 1);
    assert_int_equal(end.reason, REASON_MODEL_FAILED);
    assert_string_equal(end.message, "the model gave no answer of use");
    end = judge(REASON_STEP_FAILED, 2);
    assert_int_equal(end.reason, REASON_STEP_FAILED);
    assert_string_equal(end.message, "there is  [31mno git");
    end = judge(REASON_OUT_OF_MEMORY, 2);
    assert_int_equal(end.reason, REASON_OUT_OF_MEMORY);
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_input),           TEST(test_time),
        TEST(test_not_incremental), TEST(test_wants_a_base),
        TEST(test_comes_first),     TEST(test_text),
        TEST(test_facts),           TEST(test_no_facts),
        TEST(test_blame),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
