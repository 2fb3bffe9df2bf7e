/* tests/unit/base/crc32_test.c - a check sum for records. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crc32.h"
#include "base/mem.h"
#include "tests/lib/unit.h"

#include <string.h>

/* What others say it is: the catalogue's check value, and gzip. */
static void is_the_one_of_gzip(void **state UNUSED)
{
    assert_int_equal(crc32_add(0, "", 0), 0);
    assert_int_equal(crc32_add(0, "123456789", 9), 0xcbf43926);
    assert_int_equal(crc32_add(0, "a", 1), 0xe8b7be43);
}

static void goes_on_where_it_was(void **state UNUSED)
{
    const char text[] = "the quick brown fox";
    uint32_t whole = crc32_add(0, text, strlen(text));

    for (size_t i = 0; i <= strlen(text); i++)
        assert_int_equal(
            crc32_add(crc32_add(0, text, i), text + i, strlen(text) - i),
            whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_the_one_of_gzip),
        cmocka_unit_test(goes_on_where_it_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
