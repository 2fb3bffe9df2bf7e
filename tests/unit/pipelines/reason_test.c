/* tests/unit/pipelines/reason_test.c - why a job ended. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/reason.h"
#include "tests/lib/unit.h"

static void test_names_and_back(void **state)
{
    (void)state;
    for (int r = REASON_NONE + 1; r < REASON_COUNT; r++) {
        const char *name = reason_name((enum reason)r);

        assert_non_null(name);
        assert_int_equal(reason_find(name), r);
    }
    assert_string_equal(reason_name(REASON_OUT_OF_MEMORY), "out_of_memory");
    assert_null(reason_name(REASON_NONE));
    assert_null(reason_name(REASON_COUNT));
    assert_int_equal(reason_find(NULL), REASON_NONE);
    assert_int_equal(reason_find("always"), -1);
    assert_int_equal(reason_find(""), -1);
}

static void test_whose_fault(void **state)
{
    (void)state;
    assert_false(reason_is_infrastructure(REASON_NONE));
    assert_false(reason_is_infrastructure(REASON_STEP_FAILED));
    assert_false(reason_is_infrastructure(REASON_CANCELLED));
    assert_true(reason_is_infrastructure(REASON_CHECKOUT_FAILED));
    assert_true(reason_is_infrastructure(REASON_SANDBOX_FAILED));
    assert_true(reason_is_infrastructure(REASON_MODEL_FAILED));
    assert_true(reason_is_infrastructure(REASON_WORKER_LOST));
    assert_false(reason_is_infrastructure(REASON_COUNT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_and_back),
        cmocka_unit_test(test_whose_fault),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
