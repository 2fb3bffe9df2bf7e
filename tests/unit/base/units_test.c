/* tests/unit/base/units_test.c - durations and sizes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/units.h"
#include "tests/lib/unit.h"

static void test_duration_parse(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        {"1s", 1000},           {"90s", 90000},
        {"30m", 1800000},       {"1h30m", 5400000},
        {"2d", 172800000},      {"1d1h1m1s", 90061000},
        {"0h1m", 60000},        {"999d", DURATION_MAX_MS},
        {"604800s", 604800000},
    };
    int64_t ms;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(duration_parse(cases[i].text, &ms, NULL), 0);
        assert_int_equal(ms, cases[i].ms);
    }
}

static void test_duration_refuse(void **state)
{
    static const char *const cases[] = {
        "",    "0s",   "0d0h0m0s", "30",   "30m1h",       "1m1m",
        "-1m", "+1m",  "1.5h",     " 1m",  "1m ",         "1 m",
        "m",   "1x",   "1M",       "5ms",  "1234567890s", "999d1s",
        "1h-", "1hm1", "1s1",      "0x1m",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err = {0};
        int64_t ms = 42;

        assert_int_equal(duration_parse(cases[i], &ms, &err), -1);
        assert_int_equal(err.kind, ERR_USER);
        assert_int_equal(ms, 42);
    }
}

static void test_duration_format(void **state)
{
    char text[DURATION_TEXT_SIZE];

    (void)state;
    assert_string_equal(duration_format(5400000, text), "1h30m");
    assert_string_equal(duration_format(90061000, text), "1d1h1m1s");
    assert_string_equal(duration_format(1000, text), "1s");
    assert_string_equal(duration_format(999, text), "0s");
    assert_string_equal(duration_format(DURATION_MAX_MS, text), "999d");
}

static void test_size_parse(void **state)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } cases[] = {
        {"0B", 0},
        {"1B", 1},
        {"1KB", 1000},
        {"1KiB", 1024},
        {"2MB", 2000000},
        {"512MiB", UINT64_C(512) << 20},
        {"2GB", 2000000000},
        {"1GiB", UINT64_C(1) << 30},
        {"1TB", 1000000000000},
        {"8388607TiB", UINT64_C(8388607) << 40},
    };
    uint64_t bytes;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(size_parse(cases[i].text, &bytes, NULL), 0);
        assert_int_equal(bytes, cases[i].bytes);
    }
}

static void test_size_refuse(void **state)
{
    static const char *const cases[] = {
        "",      "1",     "MiB",    "512M",
        "1k",    "1mib",  "1.5GiB", "-1MB",
        "1 MB",  "1MB ",  "1PB",    "8388608TiB",
        "1MBMB", "0x1MB", "1KIB",   "1234567890123456789B",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err = {0};
        uint64_t bytes = 42;

        assert_int_equal(size_parse(cases[i], &bytes, &err), -1);
        assert_int_equal(err.kind, ERR_USER);
        assert_int_equal(bytes, 42);
    }
}

static void test_size_format(void **state)
{
    static const char *const exact[] = {"0B",  "1B",   "1KB",    "1KiB",
                                        "2MB", "1GiB", "512MiB", "3TiB",
                                        "7TB", "1001B"};
    char text[SIZE_TEXT_SIZE];
    uint64_t bytes;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(exact); i++) {
        assert_int_equal(size_parse(exact[i], &bytes, NULL), 0);
        assert_string_equal(size_format(bytes, text), exact[i]);
    }
    assert_string_equal(size_format(UINT64_C(1024) << 20, text), "1GiB");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_duration_parse),
        cmocka_unit_test(test_duration_refuse),
        cmocka_unit_test(test_duration_format),
        cmocka_unit_test(test_size_parse),
        cmocka_unit_test(test_size_refuse),
        cmocka_unit_test(test_size_format),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
