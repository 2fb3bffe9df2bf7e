/* tests/unit/base/header_test.c - headers by name. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/header.h"
#include "tests/lib/unit.h"

static void test_find(void **state UNUSED)
{
    CLEANUP(strv) struct strv headers = {0};

    assert_null(header_find(&headers, "A"));
    strv_add(&headers, "Accept: x");
    strv_add(&headers, "a:  1");
    strv_add(&headers, "A:2");
    strv_add(&headers, "B:");
    assert_string_equal(header_find(&headers, "A"), "1");
    assert_string_equal(header_find(&headers, "b"), "");
    assert_null(header_find(&headers, "Acc"));
    assert_null(header_find(&headers, "Accept: x"));
    assert_int_equal(header_count(&headers, "A"), 2);
    assert_int_equal(header_count(&headers, "C"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_find)};

    return cmocka_run_group_tests_name("base/header", tests, NULL, NULL);
}
