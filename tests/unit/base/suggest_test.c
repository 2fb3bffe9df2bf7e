/* tests/unit/base/suggest_test.c - "did you mean". */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/suggest.h"
#include "tests/lib/unit.h"

#include "base/mem.h"

#include <string.h>

static void test_distance(void **state)
{
    static const struct {
        const char *a, *b;
        size_t distance;
    } cases[] = {
        {"", "", 0},
        {"abc", "abc", 0},
        {"abc", "", 3},
        {"", "abc", 3},
        {"abc", "abd", 1},
        {"abc", "abcd", 1},
        {"abcd", "abc", 1},
        {"abcd", "abdc", 1}, /* neighbours swapped */
        {"tiemout", "timeout", 1},
        {"ba", "ab", 1},
        {"kitten", "sitting", 3},
        {"Working_Directory", "working-directory", 0},
        {"unit tests", "unit-tests", 0},
    };
    char longest[SUGGEST_MAX + 2];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(suggest_distance(cases[i].a, cases[i].b),
                         cases[i].distance);
    memset(longest, 'x', sizeof(longest));
    longest[SUGGEST_MAX] = '\0';
    assert_int_equal(suggest_distance(longest, longest), 0);
    longest[SUGGEST_MAX] = 'x';
    longest[SUGGEST_MAX + 1] = '\0';
    assert_true(suggest_distance(longest, longest) > SUGGEST_MAX);
}

static const char *closest(const char *word)
{
    static const char *const words[] = {"timeout", "env", "if", "retry"};
    struct suggest s = SUGGEST_INIT(word);

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        suggest_offer(&s, words[i]);
    return s.best;
}

static void test_offer(void **state)
{
    (void)state;
    assert_string_equal(closest("tiemout"), "timeout");
    assert_string_equal(closest("timeouts"), "timeout");
    assert_string_equal(closest("IF"), "if");
    assert_string_equal(closest("evn"), "env");
    assert_null(closest("fi"));
    assert_null(closest("of"));
    assert_null(closest("everything"));
    assert_null(closest(""));
}

static void test_offer_takes_the_closest(void **state)
{
    struct suggest s = SUGGEST_INIT("standard-1");

    (void)state;
    suggest_offer(&s, "standard-2");
    assert_string_equal(s.best, "standard-2");
    suggest_offer(&s, "standard_1");
    assert_string_equal(s.best, "standard_1");
    suggest_offer(&s, "standard-3");
    assert_string_equal(s.best, "standard_1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_distance),
        cmocka_unit_test(test_offer),
        cmocka_unit_test(test_offer_takes_the_closest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
