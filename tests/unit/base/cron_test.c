/* tests/unit/base/cron_test.c - schedules, also where clocks are changed. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/calendar.h"
#include "base/clock.h"
#include "base/cron.h"
#include "tests/lib/unit.h"

#include <string.h>

static struct cron parse(const char *text)
{
    struct cron cron;
    struct err err = {0};

    if (cron_parse(text, &cron, NULL, &err) < 0)
        fail_msg("%s: %s", text, err.msg);
    return cron;
}

static struct zone *load(const char *name)
{
    struct zone *zone = NULL;
    struct err err = {0};

    if (zone_load(name, &zone, &err) < 0)
        fail_msg("%s", err.msg);
    return zone;
}

static int64_t moment(const char *stamp)
{
    int64_t ms;
    struct err err = {0};

    if (stamp_parse(stamp, &ms, &err) < 0)
        fail_msg("%s: %s", stamp, err.msg);
    return ms;
}

/* ---- reading --------------------------------------------------------------
 */

static void test_fields(void **state)
{
    static const struct {
        const char *text;
        struct cron cron;
    } cases[] = {
        {"* * * * *",
         {(UINT64_C(1) << 60) - 1, 0xffffff, 0xfffffffe, 0x1ffe, 0x7f, false}},
        {"0 0 1 1 0", {1, 1, 2, 2, 1, true}},
        {" 5\t6  7 8 7 ", {0x20, 0x40, 0x80, 0x100, 1, true}},
        {"*/20 * * * *",
         {UINT64_C(1) | UINT64_C(1) << 20 | UINT64_C(1) << 40, 0xffffff,
          0xfffffffe, 0x1ffe, 0x7f, false}},
        {"1-9/4,3 22-23 1,31 jan,DEC mon-fri",
         {1 << 1 | 1 << 3 | 1 << 5 | 1 << 9, 3 << 22, 2u | 1u << 31,
          1 << 1 | 1 << 12, 0x3e, true}},
        {"0 0 */10 * fri-sun",
         {1, 1, 1 << 1 | 1 << 11 | 1 << 21 | 1u << 31, 0x1ffe,
          1 << 5 | 1 << 6 | 1, false}},
        {"0 0 * * 6-7", {1, 1, 0xfffffffe, 0x1ffe, 1 << 6 | 1, false}},
        {"0 0 * * sun-tue", {1, 1, 0xfffffffe, 0x1ffe, 7, false}},
        {"@hourly", {1, 0xffffff, 0xfffffffe, 0x1ffe, 0x7f, false}},
        {"@Daily ", {1, 1, 0xfffffffe, 0x1ffe, 0x7f, false}},
        {"@nightly", {1, 8, 0xfffffffe, 0x1ffe, 0x7f, false}},
        {"@weekly", {1, 1, 0xfffffffe, 0x1ffe, 1, false}},
        {"@monthly", {1, 1, 2, 0x1ffe, 0x7f, false}},
        {"@annually", {1, 1, 2, 2, 0x7f, false}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct cron got = parse(cases[i].text);
        const struct cron *wanted = &cases[i].cron;

        if (got.minutes != wanted->minutes || got.hours != wanted->hours ||
            got.days != wanted->days || got.months != wanted->months ||
            got.weekdays != wanted->weekdays || got.any_day != wanted->any_day)
            fail_msg("%s: %llx %x %x %x %x", cases[i].text,
                     (unsigned long long)got.minutes, got.hours, got.days,
                     got.months, got.weekdays);
    }
}

static void test_errors(void **state)
{
    static const struct {
        const char *text;
        size_t at;
        const char *message;
    } cases[] = {
        {"", 0, "the minute is missing"},
        {"0 0 * *", 7, "the day of week is missing"},
        {"0 0 * * * *", 10, "five fields"},
        {"0 0 * * * /bin/x", 10, "five fields"},
        {"60 0 * * *", 0, "minute: '60': this must be from 0 to 59"},
        {"0 24 * * *", 2, "hour: '24'"},
        {"0 0 0 * *", 4, "day of month: '0': this must be from 1 to 31"},
        {"0 0 * 13 *", 6, "month: '13'"},
        {"0 0 * 0 *", 6, "month: '0'"},
        {"0 0 * * 8", 8, "day of week: '8'"},
        {"0 0 * jann *", 9, "month: 'n': this does not belong"},
        {"0 0 * foo *", 6, "a name of three letters"},
        {"0 mon * * *", 2, "hour: 'mon': a number or *"},
        {"1,,2 0 * * *", 2, "minute: ''"},
        {"1, 0 * * *", 2, "minute: ''"},
        {"5-1 0 * * *", 0, "from the smaller"},
        {"0 0 * * fri-mon", 8, "from the smaller"},
        {"5/10 0 * * *", 0, "a step needs a range"},
        {"*/0 0 * * *", 2, "at least 1"},
        {"*/60 0 * * *", 2, "within the field"},
        {"*/x 0 * * *", 2, "a step is a number"},
        {"*/5/5 0 * * *", 3, "does not belong"},
        {"*5 0 * * *", 1, "does not belong"},
        {"-5 0 * * *", 0, "a number or *"},
        {"? 0 * * *", 0, "a number or *"},
        {"0 0 L * *", 4, "a number or *"},
        {"1-70 0 * * *", 2, "from 0 to 59"},
        {"99999999999999999999 0 * * *", 0, "from 0 to 59"},
        {"@dayly", 0, "did you mean '@daily'"},
        {"  @every 5m", 2, "unknown schedule '@every"},
        {"@daily x", 0, "unknown schedule"},
        {"@reboot", 0, "unknown schedule"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct cron cron;
        struct err err = {0};
        size_t at = 999;

        if (cron_parse(cases[i].text, &cron, &at, &err) == 0)
            fail_msg("'%s' is taken", cases[i].text);
        assert_int_equal(err.kind, ERR_USER);
        if (at != cases[i].at || !strstr(err.msg, cases[i].message))
            fail_msg("'%s': at %zu: %s", cases[i].text, at, err.msg);
    }
}

static void test_long_text(void **state)
{
    CLEANUP(mem) char *text = xasprintf("%0300d 0 * * *", 5);
    struct cron cron;

    (void)state;
    assert_int_equal(cron_parse(text, &cron, NULL, NULL), -1);
}

/* ---- the next due time ----------------------------------------------------
 */

/* Due times after a moment, all in UTC, in order; NULL: never again. */
static const struct {
    const char *zone, *schedule, *after;
    const char *due[6];
} cases[] = {
    /* A due time is not due again. */
    {"UTC",
     "* * * * *",
     "2026-01-01T00:00:00Z",
     {"2026-01-01T00:01:00Z", "2026-01-01T00:02:00Z"}},
    {"UTC", "* * * * *", "2026-01-01T00:00:59.999Z", {"2026-01-01T00:01:00Z"}},
    {"UTC",
     "59 23 31 12 *",
     "2026-01-01T00:00:00Z",
     {"2026-12-31T23:59:00Z", "2027-12-31T23:59:00Z"}},
    {"UTC",
     "*/25 22-23 * * *",
     "2026-05-05T22:30:00Z",
     {"2026-05-05T22:50:00Z", "2026-05-05T23:00:00Z", "2026-05-05T23:25:00Z",
      "2026-05-05T23:50:00Z", "2026-05-06T22:00:00Z"}},
    /* Leap years, also the one that is not. */
    {"UTC",
     "0 0 29 2 *",
     "2026-01-01T00:00:00Z",
     {"2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"}},
    {"UTC", "0 0 29 2 *", "2096-02-29T00:00:00Z", {"2104-02-29T00:00:00Z"}},
    {"UTC", "0 0 30 2 *", "2026-01-01T00:00:00Z", {NULL}},
    {"UTC", "0 0 31 4,6,9,11 *", "2026-01-01T00:00:00Z", {NULL}},
    {"UTC",
     "0 0 31 * *",
     "2026-01-31T00:00:00Z",
     {"2026-03-31T00:00:00Z", "2026-05-31T00:00:00Z"}},
    /* A day by either field, or by both. */
    {"UTC",
     "0 0 13 * fri",
     "2026-02-01T00:00:00Z",
     {"2026-02-06T00:00:00Z", "2026-02-13T00:00:00Z", "2026-02-20T00:00:00Z",
      "2026-02-27T00:00:00Z", "2026-03-06T00:00:00Z", "2026-03-13T00:00:00Z"}},
    {"UTC",
     "0 0 */12 * fri",
     "2026-02-01T00:00:00Z",
     {"2026-02-13T00:00:00Z", "2026-03-13T00:00:00Z"}},
    {"UTC",
     "0 0 29 2 */7",
     "2026-01-01T00:00:00Z",
     {"2032-02-29T00:00:00Z"}}, /* a Sunday */
    {"UTC", "@weekly", "2026-02-01T00:00:00Z", {"2026-02-08T00:00:00Z"}},
    {"UTC", "0 0 * * 1-5", "2026-02-06T00:00:00Z", {"2026-02-09T00:00:00Z"}},

    /* Berlin, March 29, 2026: 02:00 becomes 03:00 (01:00 UTC). */
    {"Europe/Berlin",
     "30 2 * * *",
     "2026-03-28T00:00:00Z",
     {"2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"}},
    {"Europe/Berlin",
     "*/10 2 * * *",
     "2026-03-28T01:49:00Z",
     {"2026-03-28T01:50:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"}},
    {"Europe/Berlin",
     "0 2,3 * * *",
     "2026-03-28T03:00:00Z",
     {"2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"}},
    {"Europe/Berlin",
     "0 3 * * *",
     "2026-03-28T02:00:00Z",
     {"2026-03-29T01:00:00Z", "2026-03-30T01:00:00Z"}},
    {"Europe/Berlin",
     "30 * * * *",
     "2026-03-29T00:00:00Z",
     {"2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z"}},
    {"Europe/Berlin",
     "30 2 29 3 *",
     "2026-03-01T00:00:00Z",
     {"2026-03-29T01:00:00Z", "2027-03-29T00:30:00Z"}},
    /* A day that does not match is not made up for. */
    {"Europe/Berlin",
     "30 2 * * mon",
     "2026-03-28T00:00:00Z",
     {"2026-03-30T00:30:00Z"}},
    /* October 25: 03:00 becomes 02:00 (01:00 UTC). */
    {"Europe/Berlin",
     "30 2 * * *",
     "2026-10-24T12:00:00Z",
     {"2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"}},
    {"Europe/Berlin",
     "30 2 * * *",
     "2026-10-25T01:10:00Z",
     {"2026-10-26T01:30:00Z"}},
    {"Europe/Berlin",
     "0 3 * * *",
     "2026-10-24T12:00:00Z",
     {"2026-10-25T02:00:00Z"}},
    {"Europe/Berlin",
     "0 2 * * *",
     "2026-10-24T12:00:00Z",
     {"2026-10-25T00:00:00Z", "2026-10-26T01:00:00Z"}},
    {"Europe/Berlin",
     "*/30 2-3 * * *",
     "2026-10-24T12:00:00Z",
     {"2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z", "2026-10-25T02:00:00Z",
      "2026-10-25T02:30:00Z"}},
    {"Europe/Berlin",
     "30 * * * *",
     "2026-10-24T23:30:00Z",
     {"2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z"}},
    {"Europe/Berlin",
     "@nightly",
     "2026-10-24T12:00:00Z",
     {"2026-10-25T02:00:00Z"}},
    /* By the rule behind the last change that is listed. */
    {"Europe/Berlin",
     "30 2 * * *",
     "2099-03-28T12:00:00Z",
     {"2099-03-29T01:00:00Z", "2099-03-30T00:30:00Z"}},

    /* New York, March 8 and November 1, 2026, at 02:00. */
    {"America/New_York",
     "15 2 * * *",
     "2026-03-07T12:00:00Z",
     {"2026-03-08T07:00:00Z", "2026-03-09T06:15:00Z"}},
    {"America/New_York",
     "15 1 * * *",
     "2026-10-31T12:00:00Z",
     {"2026-11-01T05:15:00Z", "2026-11-02T06:15:00Z"}},
    {"America/New_York",
     "0 0 * * sun",
     "2026-03-02T00:00:00Z",
     {"2026-03-08T05:00:00Z", "2026-03-15T04:00:00Z"}},
    {"America/New_York",
     "@hourly",
     "2026-11-01T05:00:00Z",
     {"2026-11-01T06:00:00Z", "2026-11-01T07:00:00Z"}},

    /* Lord Howe, half an hour: April 5 (02:00 becomes 01:30, 15:00 UTC) and
       October 4, 2026 (02:00 becomes 02:30, 15:30 UTC). */
    {"Australia/Lord_Howe",
     "45 1 * * *",
     "2026-04-04T00:00:00Z",
     {"2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"}},
    {"Australia/Lord_Howe",
     "0 2 * * *",
     "2026-04-04T00:00:00Z",
     {"2026-04-04T15:30:00Z", "2026-04-05T15:30:00Z"}},
    {"Australia/Lord_Howe",
     "15 2 * * *",
     "2026-10-03T00:00:00Z",
     {"2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"}},
    {"Australia/Lord_Howe",
     "30 2 * * *",
     "2026-10-03T00:00:00Z",
     {"2026-10-03T15:30:00Z", "2026-10-04T15:30:00Z"}},

    {"Asia/Kolkata",
     "0 9 * * *",
     "2026-01-01T00:00:00Z",
     {"2026-01-01T03:30:00Z", "2026-01-02T03:30:00Z"}},
    {"Asia/Kolkata",
     "0 0 1 * *",
     "2026-01-31T18:29:59Z",
     {"2026-01-31T18:30:00Z", "2026-02-28T18:30:00Z"}},

    /* A gap of a whole day: December 30, 2011 was left out. */
    {"Pacific/Apia",
     "0 12 30 12 *",
     "2011-12-29T00:00:00Z",
     {"2011-12-30T10:00:00Z", "2012-12-29T22:00:00Z"}},
    /* A gap at midnight: September 6, 2026 starts at 01:00. */
    {"America/Santiago",
     "0 0 * * *",
     "2026-09-05T12:00:00Z",
     {"2026-09-06T04:00:00Z", "2026-09-07T03:00:00Z"}},
    /* Midnight comes twice: April 5, 2026. */
    {"America/Santiago",
     "30 23 * * *",
     "2026-04-04T12:00:00Z",
     {"2026-04-05T02:30:00Z", "2026-04-06T03:30:00Z"}},
};

static void test_next(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(zone) struct zone *zone = load(cases[i].zone);
        struct cron cron = parse(cases[i].schedule);
        int64_t at_ms = moment(cases[i].after);

        for (size_t k = 0; k == 0 || (k < 6 && cases[i].due[k]); k++) {
            char got[CLOCK_STAMP_SIZE] = "never";
            const char *wanted = cases[i].due[k];
            bool any = cron_next(&cron, zone, at_ms, &at_ms);

            if (any)
                (void)clock_stamp(at_ms, got);
            if (any != (wanted != NULL) || (any && at_ms != moment(wanted)))
                fail_msg("%s in %s after %s, number %zu: %s, not %s",
                         cases[i].schedule, cases[i].zone, cases[i].after, k,
                         got, wanted ? wanted : "never");
        }
    }
}

/* Minute by minute, where clocks are not changed. */
static void test_against_brute_force(void **state)
{
    static const char *const schedules[] = {
        "*/7 */5 * * *",     "3-40/9,59 1,13,22 */9 * *",
        "0 12 1-7 * mon",    "30 4 * feb-apr 0,3",
        "17 * 29-31 * *",    "* 0 1 1,3 *",
        "0 0 15 */2 tue-thu"};
    CLEANUP(zone) struct zone *zone = load("UTC");

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(schedules); i++) {
        struct cron cron = parse(schedules[i]);
        bool either = cron.any_day;
        int64_t due_ms = moment("2024-01-01T00:00:00Z") - 1;
        unsigned found = 0;

        for (int64_t m = (due_ms + 1) / 60000, end = m + 460 * 1440; m < end;
             m++) {
            struct date d = date_from_days(m / 1440);
            bool by_month = cron.days >> d.day & 1;
            bool by_week = cron.weekdays >> date_weekday(m / 1440) & 1;

            if (!(cron.minutes >> m % 60 & 1) ||
                !(cron.hours >> m / 60 % 24 & 1) ||
                !(cron.months >> d.month & 1) ||
                !(either ? by_month || by_week : by_month && by_week))
                continue;
            assert_true(cron_next(&cron, zone, due_ms, &due_ms));
            assert_int_equal(due_ms, m * 60000);
            found++;
        }
        assert_true(found > 10);
    }
}

/*
 * In any zone, for years: an hourly schedule is due every hour, and a daily one
 * once a day, whatever the clocks do.
 */
static void test_never_lost_never_twice(void **state)
{
    static const char *const zones[] = {"Europe/Berlin",    "America/New_York",
                                        "Asia/Kolkata",     "Africa/Cairo",
                                        "America/Santiago", "Antarctica/Troll",
                                        "Pacific/Chatham"};
    struct cron hourly = parse("@hourly");

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(zones); i++) {
        CLEANUP(zone) struct zone *zone = load(zones[i]);
        int64_t from_ms = moment("2025-01-01T12:00:00Z");
        int64_t due_ms = from_ms, before_ms;

        for (int k = 0; k < 3 * 8766; k++) {
            before_ms = due_ms;
            assert_true(cron_next(&hourly, zone, due_ms, &due_ms));
            assert_true(!k || due_ms - before_ms == 3600 * 1000);
        }
        for (int minute = 0; minute < 1440; minute += 15) {
            CLEANUP(mem)
            char *text = xasprintf("%d %d * * *", minute % 60, minute / 60);
            struct cron daily = parse(text);
            int count = 0;

            due_ms = from_ms;
            while (cron_next(&daily, zone, due_ms, &due_ms) &&
                   due_ms <= from_ms + 1461 * DAY_S * 1000)
                count++;
            if (count != 1461)
                fail_msg("%s in %s: %d times", text, zones[i], count);
        }
    }
}

static void test_far_moments(void **state)
{
    CLEANUP(zone) struct zone *zone = load("Europe/Berlin");
    struct cron cron = parse("* * * * *");
    int64_t due_ms;

    (void)state;
    assert_false(cron_next(&cron, zone, INT64_MAX, &due_ms));
    assert_false(cron_next(&cron, zone, INT64_MIN, &due_ms));
    assert_true(cron_next(&cron, zone, -1, &due_ms));
    assert_int_equal(due_ms, 0);
    assert_true(cron_next(&cron, zone, -60001, &due_ms));
    assert_int_equal(due_ms, -60000);
}

/* ---- catching up ----------------------------------------------------------
 */

static void test_catch_up_words(void **state)
{
    (void)state;
    assert_int_equal(cron_catch_up_find("skip"), CRON_SKIP);
    assert_int_equal(cron_catch_up_find("one"), CRON_ONE);
    assert_int_equal(cron_catch_up_find("all"), CRON_ALL);
    assert_int_equal(cron_catch_up_find("some"), -1);
}

static void test_catch_up(void **state)
{
    static const struct {
        const char *schedule;
        enum cron_catch_up catch_up;
        const char *last, *now;
        size_t count;
        const char *first, *remembered;
    } due[] = {
        /* Nothing missed. */
        {"@hourly", CRON_SKIP, "2026-01-01T00:00:00Z", "2026-01-01T00:59:59Z",
         0, NULL, "2026-01-01T00:00:00Z"},
        {"@hourly", CRON_SKIP, "2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z",
         1, "2026-01-01T01:00:00Z", "2026-01-01T01:00:00Z"},
        {"@hourly", CRON_SKIP, "2026-01-01T00:00:00Z", "2026-01-01T01:00:59Z",
         1, "2026-01-01T01:00:00Z", "2026-01-01T01:00:00Z"},
        /* Missed. */
        {"@hourly", CRON_SKIP, "2026-01-01T00:00:00Z", "2026-01-01T05:10:00Z",
         0, NULL, "2026-01-01T05:00:00Z"},
        {"@hourly", CRON_SKIP, "2026-01-01T00:00:00Z", "2026-01-01T05:00:10Z",
         1, "2026-01-01T05:00:00Z", "2026-01-01T05:00:00Z"},
        {"@hourly", CRON_ONE, "2026-01-01T00:00:00Z", "2026-01-01T05:10:00Z", 1,
         "2026-01-01T05:00:00Z", "2026-01-01T05:00:00Z"},
        {"@hourly", CRON_ALL, "2026-01-01T00:00:00Z", "2026-01-01T03:10:00Z", 3,
         "2026-01-01T01:00:00Z", "2026-01-01T03:00:00Z"},
        {"@hourly", CRON_ALL, "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z", 8,
         "2026-01-01T01:00:00Z", "2026-01-01T08:00:00Z"},
        /* Away for years. */
        {"0 0 29 2 *", CRON_ONE, "2026-01-01T00:00:00Z", "2031-01-01T00:00:00Z",
         1, "2028-02-29T00:00:00Z", "2028-02-29T00:00:00Z"},
        {"* * 1 1 *", CRON_ONE, "2010-01-01T00:00:00Z", "2031-12-31T00:00:00Z",
         1, "2031-01-01T23:59:00Z", "2031-01-01T23:59:00Z"},
        {"* * * * *", CRON_SKIP, "1970-01-01T00:00:00Z", "2031-12-31T00:00:30Z",
         1, "2031-12-31T00:00:00Z", "2031-12-31T00:00:00Z"},
        {"0 0 30 2 *", CRON_ONE, "2010-01-01T00:00:00Z", "2031-12-31T00:00:00Z",
         0, NULL, "2010-01-01T00:00:00Z"},
        /* A clock that went back. */
        {"* * * * *", CRON_ALL, "2026-01-01T00:00:00Z", "2025-12-31T00:00:00Z",
         0, NULL, "2026-01-01T00:00:00Z"},
        {"* * * * *", CRON_ONE, "2026-01-01T00:00:00Z", "2025-12-31T00:00:00Z",
         0, NULL, "2026-01-01T00:00:00Z"},
    };
    CLEANUP(zone) struct zone *zone = load("UTC");

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(due); i++) {
        struct cron cron = parse(due[i].schedule);
        struct cron_missed missed = {due[i].catch_up, moment(due[i].last),
                                     moment(due[i].now), 60000};
        int64_t got[8], last_ms = 0;
        size_t count = cron_due(&cron, zone, &missed, got, 8, &last_ms);

        if (count != due[i].count || last_ms != moment(due[i].remembered) ||
            (count && got[0] != moment(due[i].first)))
            fail_msg("case %zu: %zu", i, count);
        for (size_t k = 1; k < count; k++)
            assert_true(got[k] > got[k - 1]);
    }
}

/* Whatever is asked in between, each due time fires once. */
static void test_catch_up_is_exact(void **state)
{
    CLEANUP(zone) struct zone *zone = load("Europe/Berlin");
    struct cron cron = parse("*/20 1-3 * * *");
    struct cron_missed missed = {CRON_ALL, moment("2026-10-24T00:00:00Z"), 0,
                                 0};
    int64_t end_ms = moment("2026-10-27T00:00:00Z");
    int64_t due_ms = missed.last_ms, got[3];
    unsigned step = 0;

    (void)state;
    for (missed.now_ms = due_ms; missed.now_ms < end_ms;
         missed.now_ms += (int64_t)(++step % 13) * 311000) {
        size_t count;

        do {
            count = cron_due(&cron, zone, &missed, got, 3, &missed.last_ms);
            for (size_t i = 0; i < count; i++) {
                assert_true(cron_next(&cron, zone, due_ms, &due_ms));
                assert_int_equal(got[i], due_ms);
            }
        } while (count == 3);
    }
    assert_true(due_ms > moment("2026-10-26T01:00:00Z"));
}

static void test_jitter(void **state)
{
    unsigned buckets[10] = {0};

    (void)state;
    assert_int_equal(cron_jitter_ms("nightly", 0), 0);
    assert_int_equal(cron_jitter_ms("nightly", -5), 0);
    assert_int_equal(cron_jitter_ms("nightly", 1), 0);
    assert_int_equal(cron_jitter_ms("nightly", 600000),
                     cron_jitter_ms("nightly", 600000));
    /* Kept as it is: schedules must not move with a new version. */
    assert_int_equal(cron_jitter_ms("nightly", 3600000), 608086);
    for (int i = 0; i < 1000; i++) {
        CLEANUP(mem) char *name = xasprintf("job-%d", i);
        int64_t ms = cron_jitter_ms(name, 600000);

        assert_true(ms >= 0 && ms < 600000);
        buckets[ms / 60000]++;
    }
    for (size_t i = 0; i < ARRAY_LEN(buckets); i++)
        if (buckets[i] < 60 || buckets[i] > 140)
            fail_msg("%u of 1000 in a tenth", buckets[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_long_text),
        cmocka_unit_test(test_next),
        cmocka_unit_test(test_against_brute_force),
        cmocka_unit_test(test_never_lost_never_twice),
        cmocka_unit_test(test_far_moments),
        cmocka_unit_test(test_catch_up_words),
        cmocka_unit_test(test_catch_up),
        cmocka_unit_test(test_catch_up_is_exact),
        cmocka_unit_test(test_jitter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
