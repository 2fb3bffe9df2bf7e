/* tests/unit/worker/job/result_test.c - findings in a job's result. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/unit.h"
#include "worker/job/result.h"

#include <string.h>

static struct step_result steps[3];
static struct job_result result = {.steps = steps, .step_count = 3};

static void set_up(void)
{
    for (size_t i = 0; i < ARRAY_LEN(steps); i++)
        (void)job_result_set_findings(&result, i, NULL);
}

/* `count` findings whose messages have `bytes`. */
static json_t *document(int count, size_t bytes)
{
    CLEANUP(mem) char *message = xcalloc(bytes + 1, 1);
    json_t *list = json_array();

    memset(message, 'x', bytes);
    for (int i = 0; i < count; i++)
        json_array_append_new(list, json_pack("{s:s}", "message", message));
    return json_pack("{s:o}", "findings", list);
}

static int set(size_t index, json_t *findings)
{
    int rc = job_result_set_findings(&result, index, findings);

    json_decref(findings);
    return rc;
}

static void test_limits(void **state)
{
    size_t count = 0, bytes = 0;

    (void)state;
    set_up();
    job_result_findings_left(&result, 0, &count, &bytes);
    assert_int_equal(count, RESULT_MAX_FINDINGS);
    assert_int_equal(bytes, RESULT_MAX_FINDINGS_BYTES);
    assert_int_equal(set(0, document(600, 1)), 0);
    job_result_findings_left(&result, 1, &count, &bytes);
    assert_int_equal(count, RESULT_MAX_FINDINGS - 600);
    assert_true(bytes < RESULT_MAX_FINDINGS_BYTES);
    /* A later attempt of the same step takes the place of the former. */
    job_result_findings_left(&result, 0, &count, &bytes);
    assert_int_equal(count, RESULT_MAX_FINDINGS);
    assert_int_equal(set(1, document(401, 1)), -1);
    assert_null(steps[1].findings);
    assert_int_equal(set(1, document(400, 1)), 0);
    job_result_findings_left(&result, 2, &count, &bytes);
    assert_int_equal(count, 0);
    assert_int_equal(set(2, document(0, 0)), 0);
    set_up();
}

static void test_bytes(void **state)
{
    (void)state;
    assert_int_equal(set(0, document(2, RESULT_MAX_FINDINGS_BYTES / 2)), -1);
    assert_int_equal(set(0, document(1, RESULT_MAX_FINDINGS_BYTES / 2)), 0);
    assert_int_equal(set(1, document(1, RESULT_MAX_FINDINGS_BYTES / 2)), -1);
    /* What was there is forgotten even so. */
    assert_int_equal(set(0, document(2, RESULT_MAX_FINDINGS_BYTES / 2)), -1);
    assert_null(steps[0].findings);
    set_up();
}

static void test_strange(void **state)
{
    static const char *const documents[] = {"{}", "[]", "{\"findings\":{}}",
                                            "{\"findings\":[{},1]}",
                                            "{\"findings\":\"a\"}"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(documents); i++)
        assert_int_equal(set(0, json_loads(documents[i], 0, NULL)), -1);
    assert_null(steps[0].findings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_strange),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
