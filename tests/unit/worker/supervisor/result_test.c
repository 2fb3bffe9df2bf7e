/* tests/unit/worker/supervisor/result_test.c - what run-job may claim. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/supervisor/result.h"

#include "tests/lib/unit.h"

#include <stdlib.h>
#include <string.h>

#define DOC(state, reason)                                                     \
    "{\"schema\":1,\"job\":{\"id\":\"a\"},\"state\":" state                    \
    ",\"reason\":" reason ",\"log\":{\"dropped_bytes\":5}}"

static void test_read(void **state UNUSED)
{
    static const struct {
        const char *text, *state, *reason; /* state NULL: refused */
    } cases[] = {
        {DOC("\"passed\"", "null"), "passed", NULL},
        {DOC("\"failed\"", "\"step_failed\""), "failed", "step_failed"},
        {DOC("\"failed\"", "\"out_of_memory\""), "failed", "out_of_memory"},
        {DOC("\"cancelled\"", "\"superseded\""), "cancelled", "superseded"},
        {DOC("\"passed\"", "\"step_failed\""), NULL, NULL},
        {DOC("\"failed\"", "null"), NULL, NULL},
        {DOC("\"failed\"", "\"none\""), NULL, NULL},
        {DOC("\"failed\"", "7"), NULL, NULL},
        {DOC("\"running\"", "null"), NULL, NULL},
        {DOC("7", "null"), NULL, NULL},
        {"{\"schema\":2,\"job\":{\"id\":\"a\"},\"state\":\"passed\"}", NULL,
         NULL},
        {"{\"schema\":1,\"job\":{\"id\":\"b\"},\"state\":\"passed\"}", NULL,
         NULL},
        {"{\"schema\":1,\"job\":\"a\",\"state\":\"passed\"}", NULL, NULL},
        {"{\"schema\":1,\"schema\":1,\"job\":{\"id\":\"a\"},"
         "\"state\":\"passed\"}",
         NULL, NULL},
        {"[]", NULL, NULL},
        {"", NULL, NULL},
        {"{", NULL, NULL},
        {"\xff\xfe", NULL, NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(job_verdict) struct job_verdict *result = NULL;
        struct err err = {ERR_NONE, 0, ""};
        int rc = job_verdict_read("a", cases[i].text, strlen(cases[i].text),
                                  &result, &err);

        if ((rc == 0) != (cases[i].state != NULL))
            fail_msg("%s: %d %s", cases[i].text, rc, err.msg);
        if (rc < 0) {
            assert_int_equal(err.kind, ERR_USER);
            continue;
        }
        assert_string_equal(result->state, cases[i].state);
        assert_string_equal(result->reason ? result->reason : "",
                            cases[i].reason ? cases[i].reason : "");
    }
}

static void test_deep(void **state UNUSED)
{
    struct job_verdict *result = NULL;
    struct err err;
    char *deep = xmalloc(100001);

    memset(deep, '[', 100000);
    deep[100000] = '\0';
    assert_int_equal(job_verdict_read("a", deep, 100000, &result, &err), -1);
    free(deep);
}

static void test_write(void **state UNUSED)
{
    static const char text[] = DOC("\"passed\"", "null");
    CLEANUP(job_verdict) struct job_verdict *result = NULL;
    CLEANUP(mem) char *json = NULL;

    assert_int_equal(
        job_verdict_read("a", text, sizeof(text) - 1, &result, NULL), 0);
    json = job_verdict_write(result, "berth:log:x", "dir:ab/ab-1.log", 37);
    assert_non_null(strstr(json, "\"stream\":\"berth:log:x\""));
    assert_non_null(strstr(json, "\"dropped_bytes\":42"));
    assert_non_null(strstr(json, "\"stored\":\"dir:ab/ab-1.log\""));
}

static void test_make(void **state UNUSED)
{
    struct job_verdict_spec spec = {.job_id = "a",
                                    .epoch = 3,
                                    .reason = REASON_SANDBOX_FAILED,
                                    .message = "why",
                                    .started_at_ms = 1000,
                                    .ended_at_ms = 1500};
    CLEANUP(job_verdict) struct job_verdict *failed = job_verdict_make(&spec);
    CLEANUP(mem) char *json = job_verdict_write(failed, "s", NULL, 0);
    CLEANUP(job_verdict) struct job_verdict *again = NULL;
    CLEANUP(job_verdict) struct job_verdict *cancelled = NULL;

    assert_string_equal(failed->state, "failed");
    assert_non_null(strstr(json, "\"duration_ms\":500"));
    assert_int_equal(job_verdict_read("a", json, strlen(json), &again, NULL),
                     0);
    assert_string_equal(again->reason, "sandbox_failed");
    spec.reason = REASON_CANCELLED;
    cancelled = job_verdict_make(&spec);
    assert_string_equal(cancelled->state, "cancelled");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_deep),
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_make),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
