/* tests/unit/worker/job/start_test.c - the start frame, and the result. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "worker/job/grants.h"
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

/* Whoever sends them: a fork's job has none. */
static void secrets_are_for_members(void **state UNUSED)
{
    static const char *const trusts[] = {"member", "fork", ""};

    for (size_t i = 0; i < ARRAY_LEN(trusts); i++) {
        CLEANUP(mem)
        char *text = xasprintf(
            "{\"job_id\":\"a\",\"trust\":\"%s\",\"secrets\":{\"A\":\"x\"},"
            "\"secrets_missing\":{\"B\":\"why\"}," PIPELINE "}",
            trusts[i]);
        CLEANUP(job_start) struct job_start *start = parse(text);
        const char *value = job_start_secret(start, "A");

        assert_int_equal(value != NULL, i == 0);
        if (value)
            assert_string_equal(value, "x");
        assert_null(job_start_secret(start, "B"));
        assert_string_equal(job_start_missing(start, "B"), "why");
        assert_null(job_start_missing(start, "A"));
    }
}

static struct job_start *parse_with(const char *trust, const char *secrets)
{
    CLEANUP(mem)
    char *text = xasprintf(
        "{\"job_id\":\"a\",\"trust\":\"%s\",\"secrets\":%s,"
        "\"secrets_missing\":{\"C\":\"looked for it\"},\"pipeline\":{"
        "\"sandbox\":{\"network\":[\"h.example\"]},\"steps\":[{\"run\":\"x\","
        "\"secrets\":[\"A\",{\"name\":\"B\",\"env\":\"X\",\"optional\":true},"
        "{\"name\":\"C\",\"file\":\"c\"},{\"name\":\"D\",\"optional\":true,"
        "\"inject\":{\"host\":\"h.example\"}}]}]}}",
        trust, secrets);

    return parse(text);
}

static void expect_env(const char *trust, const char *secrets, const char *why)
{
    CLEANUP(job_start) struct job_start *start = parse_with(trust, secrets);
    CLEANUP(strv) struct strv env = {0};
    struct err err = {0};

    assert_non_null(start);
    strv_add(&env, "A=before");
    assert_int_equal(grants_env(start, 0, &env, &err), why ? -1 : 0);
    if (why) {
        if (!strstr(err.msg, why))
            fail_msg("'%s' does not say '%s'", err.msg, why);
        assert_int_equal(err.kind, ERR_USER);
        assert_string_equal(strv_getenv(&env, "A"), "before");
        return;
    }
    assert_string_equal(strv_getenv(&env, "A"), "a");
    assert_null(strv_getenv(&env, "C"));
    assert_null(strv_getenv(&env, "D"));
}

static void a_step_has_its_variables(void **state UNUSED)
{
    CLEANUP(mem) char *longer = xcalloc(1, 17000);
    CLEANUP(mem) char *text = NULL;

    expect_env("member", "{\"A\":\"a\\r\\n\",\"C\":\"c\"}", NULL);
    expect_env("member", "{\"A\":\"a\",\"C\":\"c\",\"D\":\"d\\n\"}", NULL);
    expect_env("member", "{\"A\":\"a\"}", "looked for it");
    expect_env("member", "{\"C\":\"c\"}", "not given the secret 'A'");
    expect_env("fork", "{\"A\":\"a\",\"C\":\"c\"}", "jobs of forks");
    expect_env("", "{\"A\":\"a\",\"C\":\"c\"}", "jobs of forks");
    expect_env("member", "{\"A\":\"a\",\"C\":\"c\",\"D\":\"d\\ne\"}",
               "'D' cannot be injected");
    memset(longer, 'x', 16900);
    text = xasprintf("{\"A\":\"a\",\"C\":\"c\",\"D\":\"%s\"}", longer);
    expect_env("member", text, "longer than 16384");
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
    refuse("{\"job_id\":\"a\",\"secrets\":[]," PIPELINE "}", "secrets");
    refuse("{\"job_id\":\"a\",\"secrets\":{\"A\":1}," PIPELINE "}", "secrets");
    refuse("{\"job_id\":\"a\",\"secrets_missing\":[]," PIPELINE "}", "secrets");
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
        cmocka_unit_test(secrets_are_for_members),
        cmocka_unit_test(a_step_has_its_variables),
        cmocka_unit_test(a_bad_start_frame_is_refused),
        cmocka_unit_test(the_environment_is_layered),
        cmocka_unit_test(expressions_see_the_matrix),
        cmocka_unit_test(the_first_failure_stays),
        cmocka_unit_test(a_message_cut_in_a_character_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
