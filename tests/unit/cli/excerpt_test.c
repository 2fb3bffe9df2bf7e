/* tests/unit/cli/excerpt_test.c - first and last lines of any output. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/excerpt.h"
#include "tests/lib/unit.h"

#include <stdio.h>
#include <string.h>

/* Add lines 1 to `count` to an excerpt of 2 and 3. */
static void check(unsigned count, const char *wanted)
{
    CLEANUP(excerpt) struct excerpt *excerpt = excerpt_new(2, 3);
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;

    for (unsigned i = 1; i <= count; i++) {
        char line[16];
        int len = snprintf(line, sizeof(line), "%u", i);

        excerpt_add(excerpt, line, (size_t)len);
    }
    assert_int_equal(excerpt_count(excerpt), count);
    excerpt_print(excerpt, ">", &out);
    assert_string_equal(out.data, wanted);
}

static void test_print(void **state)
{
    (void)state;
    check(0, "");
    check(1, ">1\n");
    check(2, ">1\n>2\n");
    check(3, ">1\n>2\n>3\n");
    check(5, ">1\n>2\n>3\n>4\n>5\n");
    check(6, ">1\n>2\n>[1 lines left out]\n>4\n>5\n>6\n");
    check(10000, ">1\n>2\n>[9995 lines left out]\n>9998\n>9999\n>10000\n");
}

static void test_last(void **state)
{
    CLEANUP(excerpt) struct excerpt *excerpt = excerpt_new(2, 3);

    (void)state;
    assert_null(excerpt_last(excerpt, 0));
    excerpt_add(excerpt, "a", 1);
    assert_string_equal(excerpt_last(excerpt, 0), "a");
    assert_null(excerpt_last(excerpt, 1));
    for (const char *c = "bcdefg"; *c; c++)
        excerpt_add(excerpt, c, 1);
    assert_string_equal(excerpt_last(excerpt, 0), "g");
    assert_string_equal(excerpt_last(excerpt, 2), "e");
    assert_null(excerpt_last(excerpt, 3));
    assert_null(excerpt_last(excerpt, 99));
}

static void test_long_line(void **state)
{
    CLEANUP(excerpt) struct excerpt *excerpt = excerpt_new(1, 1);
    char line[2 * EXCERPT_LINE_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(line); i += 2)
        memcpy(line + i, "\xC3\xA9", 2);
    excerpt_add(excerpt, line, sizeof(line));
    assert_memory_equal(excerpt_last(excerpt, 0), line, EXCERPT_LINE_MAX);
    assert_string_equal(excerpt_last(excerpt, 0) + EXCERPT_LINE_MAX,
                        " [\xE2\x80\xA6]");
    /* Not in the middle of a character. */
    excerpt_add(excerpt, line + 1, sizeof(line) - 1);
    assert_memory_equal(excerpt_last(excerpt, 0), line + 1,
                        EXCERPT_LINE_MAX - 1);
    assert_int_equal(excerpt_last(excerpt, 0)[EXCERPT_LINE_MAX - 1], ' ');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_print),
        cmocka_unit_test(test_last),
        cmocka_unit_test(test_long_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
