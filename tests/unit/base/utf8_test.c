/* tests/unit/base/utf8_test.c - characters and their width. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"
#include "tests/lib/unit.h"

#include "base/mem.h"

#include <string.h>

static void test_decode_valid(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        uint32_t c;
    } cases[] = {
        {"a", 1, 'a'},
        {"\xc2\x80", 2, 0x80},
        {"\xdf\xbf", 2, 0x7ff},
        {"\xe0\xa0\x80", 3, 0x800},
        {"\xed\x9f\xbf", 3, 0xd7ff},
        {"\xee\x80\x80", 3, 0xe000},
        {"\xf0\x90\x80\x80", 4, 0x10000},
        {"\xf4\x8f\xbf\xbf", 4, 0x10ffff},
    };
    uint32_t c;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(utf8_decode(cases[i].bytes, 4, &c), cases[i].len);
        assert_int_equal(c, cases[i].c);
    }
    assert_int_equal(utf8_decode("\0x", 2, &c), 1);
    assert_int_equal(c, 0);
}

static void test_fit(void **state)
{
    static const char text[] = "a\xc3\xa4\xf0\x9f\x98\x80z";
    static const size_t fitting[] = {0, 1, 1, 3, 3, 3, 3, 7, 8, 8};

    (void)state;
    for (size_t max = 0; max < ARRAY_LEN(fitting); max++)
        assert_int_equal(utf8_fit(text, sizeof(text) - 1, max), fitting[max]);
    assert_int_equal(utf8_fit("\x80\x80", 2, 1), 0);
}

static void test_decode_invalid(void **state)
{
    static const char *const cases[] = {
        "\x80",             /* a continuation alone */
        "\xc0\x80",         /* overlong */
        "\xc1\xbf",         /* overlong */
        "\xe0\x9f\xbf",     /* overlong */
        "\xf0\x8f\xbf\xbf", /* overlong */
        "\xed\xa0\x80",     /* a surrogate */
        "\xf4\x90\x80\x80", /* over 10ffff */
        "\xf8\x88\x80\x80", /* five bytes */
        "\xc3",             /* cut */
        "\xe4\xb8",         /* cut */
        "\xe4\xb8z",        /* broken */
    };
    uint32_t c = 77;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(utf8_decode(cases[i], strlen(cases[i]), &c), 0);
    assert_int_equal(utf8_decode("a", 0, &c), 0);
    assert_int_equal(c, 77);
}

static void test_count(void **state)
{
    (void)state;
    assert_int_equal(utf8_count("", 0), 0);
    assert_int_equal(utf8_count("abc", 3), 3);
    assert_int_equal(utf8_count("gr\xc3\xbc\xc3\x9f", 6), 4);
    assert_int_equal(utf8_count("a\xff\xffz", 4), 4);
}

static void test_classes(void **state)
{
    (void)state;
    assert_true(utf8_is_control('\n'));
    assert_true(utf8_is_control(0x7f));
    assert_true(utf8_is_control(0x9b));
    assert_false(utf8_is_control(' '));
    assert_false(utf8_is_control(0xa0));
    assert_true(utf8_is_invisible(0x202e));
    assert_true(utf8_is_invisible(0xfeff));
    assert_false(utf8_is_invisible('a'));
    assert_false(utf8_is_invisible(0x4e16));
}

static void test_width(void **state)
{
    (void)state;
    assert_int_equal(utf8_width('a'), 1);
    assert_int_equal(utf8_width(0xfc), 1);
    assert_int_equal(utf8_width(0x301), 0);
    assert_int_equal(utf8_width(0x4e16), 2);
    assert_int_equal(utf8_width(0x1f680), 2);
    assert_int_equal(utf8_width(0x2026), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fit),
        cmocka_unit_test(test_decode_valid),
        cmocka_unit_test(test_decode_invalid),
        cmocka_unit_test(test_count),
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_width),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
