/* tests/unit/worker/job/start_test.c - the start frame, and the result. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "worker/job/result.h"
#include "worker/job/scope.h"

#include <stdlib.h>
#include <string.h>

#define PIPELINE                                                               \
    "\"pipeline\":{\"name\":\"p\",\"env\":{\"A\":\"1\",\"B\":\"${{ env.A "     \
    "}}2\"},"                                                                  \
    "\"steps\":[{\"name\":\"one\",\"run\":\"true\"},"                          \
    "{\"name\":\"two\",\"run\":\"false\",\"env\":{\"A\":\"3\",\"CI\":\"no\"}}" \
    "]}"

static struct job_start *parse(const char *text)
{
    struct job_start *start = NULL;
    struct err err = {0};

    if (job_start_parse(text, strlen(text), &start, &err) < 0)
        print_message("%s\n", err.msg);
    return start;
}

static void refuse(const char *text, const char *why)
{
    struct job_start *start = NULL;
    struct err err = {0};

    assert_int_equal(job_start_parse(text, strlen(text), &start, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    assert_null(start);
    if (!strstr(err.msg, why))
        fail_msg("'%s' does not say '%s'", err.msg, why);
}

static void a_start_frame_is_taken(void **state)
{
    CLEANUP(job_start)
    struct job_start *start =
        parse("{\"job_id\":\"run-1\",\"epoch\":7,\"repo\":\"/r\","
              "\"env\":{\"X\":\"y\"},\"keep\":true," PIPELINE "}");

    (void)state;
    assert_non_null(start);
    assert_string_equal(start->job_id, "run-1");
    assert_int_equal(start->epoch, 7);
    assert_string_equal(start->commit, "");
    assert_true(start->keep);
    assert_string_equal(strv_getenv(&start->env, "X"), "y");
    assert_int_equal(start->pipeline->step_count, 2);
}

static void a_bad_start_frame_is_refused(void **state)
{
    (void)state;
    refuse("", "not a JSON object");
    refuse("[]", "not a JSON object");
    refuse("{" PIPELINE "}", "job_id");
    refuse("{\"job_id\":\"../x\"," PIPELINE "}", "job_id");
    refuse("{\"job_id\":\"-x\"," PIPELINE "}", "job_id");
    refuse("{\"job_id\":\"a\",\"job_id\":\"b\"," PIPELINE "}", "duplicate");
    refuse("{\"job_id\":\"a\",\"repo\":7," PIPELINE "}", "repo");
    refuse("{\"job_id\":\"a\",\"commit\":\"abc\"," PIPELINE "}", "commit");
    refuse("{\"job_id\":\"a\",\"trust\":\"god\"," PIPELINE "}", "trust");
    refuse("{\"job_id\":\"a\",\"env\":{\"A\":1}," PIPELINE "}", "env");
    refuse("{\"job_id\":\"a\",\"env\":[]," PIPELINE "}", "env");
    refuse("{\"job_id\":\"a\",\"inputs\":{\"A\":1}," PIPELINE "}", "input");
    refuse("{\"job_id\":\"a\",\"gateway\":[]," PIPELINE "}", "gateway");
    refuse("{\"job_id\":\"a\",\"gateway\":{\"fork_hosts\":[1]}," PIPELINE "}",
           "fork_hosts");
    refuse("{\"job_id\":\"a\",\"inject\":{}," PIPELINE "}", "inject");
    refuse("{\"job_id\":\"a\",\"matrix\":{\"A\":1}," PIPELINE "}", "matrix");
    refuse("{\"job_id\":\"a\",\"matrix\":[]," PIPELINE "}", "matrix");
    refuse("{\"job_id\":\"a\"}", "pipeline");
    refuse("{\"job_id\":\"a\",\"pipeline\":{\"steps\":[]}}", "steps");
}

static void the_environment_is_layered(void **state)
{
    CLEANUP(job_start)
    struct job_start *start = parse("{\"job_id\":\"a\",\"branch\":\"main\","
                                    "\"env\":{\"A\":\"given\"}," PIPELINE "}");
    CLEANUP(job_result) struct job_result *result = job_result_new(start);
    CLEANUP(strv) struct strv env = {0};
    struct err err = {0};

    (void)state;
    assert_int_equal(step_env(start, result, 0, EXPR_SUCCESS, &env, &err), 0);
    assert_string_equal(strv_getenv(&env, "A"), "given");
    assert_string_equal(strv_getenv(&env, "B"), "12");
    assert_string_equal(strv_getenv(&env, "CI"), "true");
    assert_string_equal(strv_getenv(&env, "CI_COMMIT_BRANCH"), "main");
    assert_non_null(strv_getenv(&env, "PATH"));
    strv_clear(&env);
    assert_int_equal(step_env(start, result, 1, EXPR_SUCCESS, &env, &err), 0);
    assert_string_equal(strv_getenv(&env, "A"), "3");
    assert_string_equal(strv_getenv(&env, "CI"), "true");
}

static void expressions_see_the_matrix(void **state)
{
    CLEANUP(job_start)
    struct job_start *start =
        parse("{\"job_id\":\"a\",\"matrix\":{\"node\":\"20\"},"
              "\"inputs\":{\"i\":\"x\"},\"pipeline\":{\"steps\":[{\"run\":"
              "\"ls\",\"env\":{\"N\":\"${{ matrix.node }}${{ inputs.i }}"
              "${{ matrix.os }}\"}}]}}");
    CLEANUP(job_result) struct job_result *result = job_result_new(start);
    CLEANUP(strv) struct strv env = {0};
    struct err err = {0};

    (void)state;
    assert_int_equal(step_env(start, result, 0, EXPR_SUCCESS, &env, &err), 0);
    assert_string_equal(strv_getenv(&env, "N"), "20x");
}

static void the_first_failure_stays(void **state)
{
    CLEANUP(job_start)
    struct job_start *start = parse("{\"job_id\":\"a\"," PIPELINE "}");
    CLEANUP(job_result) struct job_result *result = job_result_new(start);

    (void)state;
    job_result_fail(result, REASON_STEP_FAILED, "first");
    job_result_fail(result, REASON_DISK_FULL, "second");
    assert_int_equal(result->reason, REASON_STEP_FAILED);
    assert_string_equal(result->message, "first");
    job_result_fail(result, REASON_CHECKOUT_FAILED, "third");
    assert_int_equal(result->reason, REASON_CHECKOUT_FAILED);
    job_result_end(result, REASON_TIMED_OUT, "fourth");
    job_result_fail(result, REASON_SANDBOX_FAILED, "fifth");
    job_result_end(result, REASON_CANCELLED, "sixth");
    assert_int_equal(result->reason, REASON_TIMED_OUT);
    assert_string_equal(result->message, "fourth");
}

static void a_message_cut_in_a_character_is_kept(void **state)
{
    CLEANUP(job_start)
    struct job_start *start = parse("{\"job_id\":\"a\"," PIPELINE "}");
    CLEANUP(job_result) struct job_result *result = job_result_new(start);
    json_t *doc;

    (void)state;
    job_result_fail(result, REASON_STEP_FAILED, "caf\xc3");
    doc = job_result_json(result, start, "oci");
    assert_string_equal(json_string_value(json_object_get(doc, "message")),
                        "caf?");
    assert_string_equal(json_string_value(json_object_get(doc, "state")),
                        "failed");
    json_decref(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_start_frame_is_taken),
        cmocka_unit_test(a_bad_start_frame_is_refused),
        cmocka_unit_test(the_environment_is_layered),
        cmocka_unit_test(expressions_see_the_matrix),
        cmocka_unit_test(the_first_failure_stays),
        cmocka_unit_test(a_message_cut_in_a_character_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
