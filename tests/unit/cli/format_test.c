/* tests/unit/cli/format_test.c - durations and sizes for people. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/format.h"
#include "tests/lib/unit.h"

#include "base/mem.h"

#include <stdlib.h>
#include <time.h>

static void test_duration(void **state)
{
    static const struct {
        int64_t ms;
        const char *wanted;
    } cases[] = {
        {-5, "0 ms"},
        {0, "0 ms"},
        {850, "850 ms"},
        {999, "999 ms"},
        {1000, "1.0 s"},
        {1249, "1.2 s"},
        {59949, "59.9 s"},
        {59950, "1 min 00 s"},
        {60000, "1 min 00 s"},
        {123000, "2 min 03 s"},
        {3599499, "59 min 59 s"},
        {3599500, "1 h 00 min"},
        {3720000, "1 h 02 min"},
        {360000000, "100 h 00 min"},
        {INT64_MAX / 2, "1281023894007 h 36 min"},
    };
    char out[FORMAT_SIZE];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_string_equal(format_duration(cases[i].ms, out), cases[i].wanted);
}

static void test_bytes(void **state)
{
    static const struct {
        uint64_t bytes;
        const char *wanted;
    } cases[] = {
        {0, "0 B"},
        {1, "1 B"},
        {1023, "1023 B"},
        {1024, "1 KiB"},
        {1536, "1.5 KiB"},
        {10240, "10 KiB"},
        {(uint64_t)512 << 20, "512 MiB"},
        {((uint64_t)1 << 20) - 1, "1 MiB"},
        {(uint64_t)1 << 30, "1 GiB"},
        {(uint64_t)3 << 29, "1.5 GiB"},
        {UINT64_MAX, "16 EiB"},
    };
    char out[FORMAT_SIZE];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_string_equal(format_bytes(cases[i].bytes, out), cases[i].wanted);
}

static void test_age(void **state)
{
    static const struct {
        int64_t ms;
        const char *wanted;
    } cases[] = {
        {-5, "0 s"},         {999, "0 s"},        {59999, "59 s"},
        {60000, "1 min"},    {3599999, "59 min"}, {3600000, "1 h"},
        {172799999, "47 h"}, {172800000, "2 d"},  {8640000000, "100 d"},
    };
    char out[FORMAT_SIZE];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_string_equal(format_age(cases[i].ms, out), cases[i].wanted);
}

static void test_moment(void **state)
{
    const int64_t now = 1795644950853; /* 2026-11-25 22:15:50 UTC */
    char out[FORMAT_SIZE];

    (void)state;
    (void)setenv("TZ", "UTC", 1);
    tzset();
    assert_string_equal(format_moment(now, now, out), "22:15:50");
    assert_string_equal(format_moment(now - 80000000, now, out), "00:02:30");
    assert_string_equal(format_moment(now - 86400000, now, out),
                        "2026-11-24 22:15:50");
    /* The same day of another year. */
    assert_string_equal(format_moment(now - 365 * INT64_C(86400000), now, out),
                        "2025-11-25 22:15:50");
    (void)setenv("TZ", "UTC-3", 1);
    tzset();
    assert_string_equal(format_moment(now, now, out), "01:15:50");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_duration),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_age),
        cmocka_unit_test(test_moment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
