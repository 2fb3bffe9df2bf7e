/* tests/unit/base/calendar_test.c - dates and time stamps. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/calendar.h"
#include "base/clock.h"
#include "tests/lib/unit.h"

#include <string.h>
#include <time.h>

static void test_days(void **state)
{
    static const struct {
        struct date date;
        int64_t days;
        int weekday;
    } cases[] = {
        {{1970, 1, 1}, 0, 4},       {{1969, 12, 31}, -1, 3},
        {{2000, 2, 29}, 11016, 2},  {{2000, 3, 1}, 11017, 3},
        {{2026, 11, 23}, 20780, 1}, {{2100, 3, 1}, 47541, 1},
        {{1, 1, 1}, -719162, 1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct date back = date_from_days(cases[i].days);

        assert_int_equal(date_to_days(cases[i].date), cases[i].days);
        assert_int_equal(date_weekday(cases[i].days), cases[i].weekday);
        assert_int_equal(back.year, cases[i].date.year);
        assert_int_equal(back.month, cases[i].date.month);
        assert_int_equal(back.day, cases[i].date.day);
    }
}

/* Every day of 1200 years, against libc. */
static void test_against_libc(void **state)
{
    (void)state;
    for (int64_t days = -365L * 400; days < 365L * 800; days++) {
        time_t t = (time_t)(days * DAY_S);
        struct date date = date_from_days(days);
        struct tm tm;

        gmtime_r(&t, &tm);
        if (date.year != tm.tm_year + 1900 || date.month != tm.tm_mon + 1 ||
            date.day != tm.tm_mday || date_weekday(days) != tm.tm_wday ||
            date_to_days(date) != days)
            fail_msg("day %ld", (long)days);
    }
}

static void test_months(void **state)
{
    (void)state;
    assert_int_equal(date_month_days(2024, 2), 29);
    assert_int_equal(date_month_days(2023, 2), 28);
    assert_int_equal(date_month_days(1900, 2), 28);
    assert_int_equal(date_month_days(2000, 2), 29);
    assert_int_equal(date_month_days(2023, 12), 31);
    assert_int_equal(floor_div(-1, 60), -1);
    assert_int_equal(floor_div(-60, 60), -1);
    assert_int_equal(floor_div(59, 60), 0);
}

static void test_stamps(void **state)
{
    static const struct {
        const char *text, *utc; /* NULL: refused */
    } cases[] = {
        {"2026-11-23T01:02:03Z", "2026-11-23T01:02:03.000Z"},
        {"2026-11-23t01:02:03z", "2026-11-23T01:02:03.000Z"},
        {"2026-11-23 01:02:03+01:30", "2026-11-22T23:32:03.000Z"},
        {"2026-11-23T01:02:03.5-08:00", "2026-11-23T09:02:03.500Z"},
        {"2026-11-23T01:02:03.123456789Z", "2026-11-23T01:02:03.123Z"},
        {"2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"},
        {"1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"},
        {"2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000Z"},
        {"2023-02-29T00:00:00Z", NULL},
        {"2026-13-01T00:00:00Z", NULL},
        {"2026-00-01T00:00:00Z", NULL},
        {"2026-01-00T00:00:00Z", NULL},
        {"2026-01-01T24:00:00Z", NULL},
        {"2026-01-01T00:60:00Z", NULL},
        {"2026-01-01T00:00:61Z", NULL},
        {"2026-01-01T00:00Z", NULL},
        {"2026-01-01T00:00:00", NULL},
        {"2026-01-01T00:00:00.Z", NULL},
        {"2026-01-01T00:00:00+0100", NULL},
        {"2026-01-01T00:00:00+24:00", NULL},
        {"2026-01-01T00:00:00Zx", NULL},
        {"2026-1-01T00:00:00Z", NULL},
        {"2026-01-01", NULL},
        {"1969-12-31T23:59:59Z", NULL},
        {"26-01-01T00:00:00Z", NULL},
        {"", NULL},
    };
    char text[CLOCK_STAMP_SIZE];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err = {0};
        int64_t ms = -7;
        int rc = stamp_parse(cases[i].text, &ms, &err);

        if (!cases[i].utc) {
            if (rc == 0 || err.kind != ERR_USER || !*err.msg || ms != -7)
                fail_msg("'%s' is taken", cases[i].text);
            continue;
        }
        if (rc < 0)
            fail_msg("'%s': %s", cases[i].text, err.msg);
        assert_string_equal(clock_stamp(ms, text), cases[i].utc);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_days),
        cmocka_unit_test(test_against_libc),
        cmocka_unit_test(test_months),
        cmocka_unit_test(test_stamps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
