/* tests/unit/worker/supervisor/health_test.c - watermarks. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/unit.h"
#include "worker/supervisor/health.h"

#include <string.h>

static void test_hysteresis(void **state)
{
    (void)state;
    assert_false(health_refuses(false, 100, 100));
    assert_true(health_refuses(false, 99, 100));
    assert_true(health_refuses(true, 100, 100));
    assert_true(health_refuses(true, 111, 100));
    assert_false(health_refuses(true, 112, 100));
    assert_false(health_refuses(true, 0, 0));
}

static void test_looks(void **state)
{
    struct health health = {0};

    (void)state;
    assert_string_equal(health_look(&health, "/", 0, 0), "");
    /* At most once a second. */
    assert_string_equal(health_look(&health, "/", UINT64_MAX / 2, 0), "");
    health.looked_mono_ms = 0;
    assert_int_equal(
        strncmp(health_look(&health, "/", UINT64_MAX / 2, 0), "low disk", 8),
        0);
    health.looked_mono_ms = 0;
    assert_int_equal(
        strncmp(health_look(&health, "/", 0, UINT64_MAX / 2), "low memory", 10),
        0);
    health.looked_mono_ms = 0;
    /* What is not there says nothing. */
    assert_string_equal(health_look(&health, "/no/such/place", 1, 1), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hysteresis),
        cmocka_unit_test(test_looks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
