/* tests/unit/base/zone_test.c - time zones, against libc's reading of them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/calendar.h"
#include "base/fd.h"
#include "base/zone.h"
#include "base/zone_internal.h"
#include "tests/lib/unit.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const names[] = {
    "UTC",
    "Europe/Berlin",
    "Europe/Dublin", /* winter is the exception */
    "America/New_York",
    "America/Santiago",
    "America/Nuuk", /* at 22 o'clock of the day before */
    "America/St_Johns",
    "Australia/Lord_Howe", /* by half an hour */
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Africa/Casablanca", /* Ramadan, listed one by one until 2087 */
    "Africa/Cairo",
    "Asia/Gaza",
    "Pacific/Chatham",
    "Pacific/Apia",     /* left a whole day out */
    "Antarctica/Troll", /* by two hours */
    "Etc/GMT+12",
    "America/Chicago",
};

static struct zone *load(const char *name)
{
    struct zone *zone = NULL;
    struct err err = {0};

    if (zone_load(name, &zone, &err) < 0)
        fail_msg("%s: %s", name, err.msg);
    return zone;
}

/* Every 7919 minutes from 1902 to 2150. */
static void test_against_libc(void **state)
{
    unsigned checked = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        CLEANUP(zone) struct zone *zone = load(names[i]);

        assert_int_equal(setenv("TZ", names[i], 1), 0);
        tzset();
        for (int64_t at_s = -2145916800; at_s < 5680281600; at_s += 475140) {
            struct zone_span span = zone_span_at(zone, at_s);
            time_t t = (time_t)at_s;
            struct tm tm;

            localtime_r(&t, &tm);
            if (tm.tm_gmtoff != span.offset_s)
                fail_msg("%s at %ld: %d, not %ld", names[i], (long)at_s,
                         span.offset_s, tm.tm_gmtoff);
            assert_true(span.start_s <= at_s && span.end_s > at_s);
            checked++;
        }
    }
    assert_true(checked > 100000);
}

/* Spans follow on each other, and each knows the offset before it. */
static void test_spans(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        CLEANUP(zone) struct zone *zone = load(names[i]);
        struct zone_span span = zone_span_at(zone, -2145916800);
        unsigned count = 0;

        while (span.end_s < 5680281600) {
            struct zone_span next = zone_span_at(zone, span.end_s);

            if (next.start_s != span.end_s || next.before_s != span.offset_s)
                fail_msg("%s at %ld", names[i], (long)span.end_s);
            span = next;
            count++;
        }
        assert_true(count < 1000);
    }
}

static void test_names(void **state)
{
    static const char *const bad[] = {
        "",
        "Europe/Nowhere",
        "../passwd",
        "/etc/passwd",
        "Europe/../UTC",
        "Europe",
        "Europe/",
        "Europe//Berlin",
        "Europe/Berlin\n",
        ":UTC",
        "zone.tab",
        "posixrules-and-a-name-that-is-longer-than-any-time-zone-will-ever-be",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct zone *zone = NULL;
        struct err err = {0};

        if (zone_load(bad[i], &zone, &err) == 0)
            fail_msg("'%s' is taken", bad[i]);
        assert_null(zone);
        assert_true(*err.msg);
    }
}

static void test_rules(void **state)
{
    static const struct {
        const char *text;
        bool ok;
        int32_t standard_s, summer_s;
    } cases[] = {
        {"UTC0", true, 0, 0},
        {"IST-5:30", true, 19800, 0},
        {"<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", true, 37800, 39600},
        {"CET-1CEST,M3.5.0,M10.5.0/3", true, 3600, 7200},
        {"A-1", false, 0, 0},
        {"CET", false, 0, 0},
        {"CET-25", false, 0, 0},
        {"CET-1:60", false, 0, 0},
        {"<CET-1", false, 0, 0},
        {"CET-1CEST", false, 0, 0},
        {"CET-1CEST,M3.5.0", false, 0, 0},
        {"CET-1CEST,M13.5.0,M10.5.0/3", false, 0, 0},
        {"CET-1CEST,M3.6.0,M10.5.0/3", false, 0, 0},
        {"CET-1CEST,M3.5.7,M10.5.0/3", false, 0, 0},
        {"CET-1CEST,M3.5.0,M10.5.0/168", false, 0, 0},
        {"CET-1CEST,M3.5.0,M10.5.0/3x", false, 0, 0},
        {"CET-1CEST,J0,J300", false, 0, 0},
        {"CET-1CEST,366,300", false, 0, 0},
        {"CET-99999999999999999999", false, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct zone_rule rule;

        if (zone_rule_parse(cases[i].text, &rule) != cases[i].ok)
            fail_msg("%s", cases[i].text);
        if (!cases[i].ok)
            continue;
        assert_int_equal(rule.standard_s, cases[i].standard_s);
        assert_int_equal(rule.summer_s, cases[i].summer_s);
    }
}

/* J60 is March 1 in every year, 59 only in one without a leap day. */
static void test_rule_days(void **state)
{
    struct zone_rule rule;

    (void)state;
    assert_true(zone_rule_parse("AAA0BBB,J60/0,59/-1:00", &rule));
    assert_int_equal(zone_rule_moment(&rule.starts, 2023, 0),
                     date_to_days((struct date){2023, 3, 1}) * DAY_S);
    assert_int_equal(zone_rule_moment(&rule.starts, 2024, 0),
                     date_to_days((struct date){2024, 3, 1}) * DAY_S);
    assert_int_equal(zone_rule_moment(&rule.ends, 2023, 3600),
                     date_to_days((struct date){2023, 3, 1}) * DAY_S - 7200);
    assert_int_equal(zone_rule_moment(&rule.ends, 2024, 3600),
                     date_to_days((struct date){2024, 2, 29}) * DAY_S - 7200);
}

/* Whatever a file holds: no crash, no reading beyond it. */
static void test_broken_files(void **state)
{
    CLEANUP(strbuf) struct strbuf data = STRBUF_INIT;
    unsigned refused = 0;

    (void)state;
    assert_int_equal(file_read("/usr/share/zoneinfo/Europe/Berlin",
                               (size_t)64 << 10, &data, NULL),
                     0);
    for (size_t len = 0; len < data.len; len++) {
        CLEANUP(mem) char *exact = xmemdup(data.data, len ? len : 1);
        CLEANUP(zone) struct zone *zone = NULL;

        assert_int_equal(zone_parse(exact, len, &zone, NULL), -1);
    }
    for (size_t i = 0; i < data.len; i++) {
        CLEANUP(mem) char *changed = xmemdup(data.data, data.len);
        CLEANUP(zone) struct zone *zone = NULL;

        changed[i] = (char)~changed[i];
        refused += zone_parse(changed, data.len, &zone, NULL) < 0;
        if (zone)
            (void)zone_span_at(zone, 1800000000);
    }
    assert_true(refused > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_libc),
        cmocka_unit_test(test_spans),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_rule_days),
        cmocka_unit_test(test_broken_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
