/* base/cron.c - when a schedule is due, in its time zone. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cron.h"

#include "base/calendar.h"

#include <string.h>

#define MINUTE_S    INT64_C(60)
#define ALL_HOURS   ((UINT32_C(1) << 24) - 1)
#define ALL_MINUTES ((UINT64_C(1) << 60) - 1)
#define DAY_MINUTES INT64_C(1440)

/* Days are looked at no further: then floor_div and all sums fit. */
#define MOMENT_MAX_S ((int64_t)1 << 40)

/* ---- local time ------------------------------------------------------------
 */

/* Of local days since 1970. */
static bool day_matches(const struct cron *cron, struct date date, int64_t days)
{
    bool of_month = cron->days >> date.day & 1;
    bool of_week = cron->weekdays >> date_weekday(days) & 1;

    if (!(cron->months >> date.month & 1))
        return false;
    return cron->any_day ? of_month || of_week : of_month && of_week;
}

/* The first due minute of a day from `minute` on; -1: none. */
static int minute_from(const struct cron *cron, int minute)
{
    for (int hour = minute / 60; hour < 24; hour++) {
        uint64_t rest;

        if (!(cron->hours >> hour & 1))
            continue;
        rest = cron->minutes;
        if (hour == minute / 60)
            rest &= ALL_MINUTES << minute % 60 & ALL_MINUTES;
        if (rest)
            return hour * 60 + __builtin_ctzll(rest);
    }
    return -1;
}

/*
 * The first due local time in [from_s, limit_s), both as seconds that a local
 * clock would show since 1970.
 */
static bool local_next(const struct cron *cron, int64_t from_s, int64_t limit_s,
                       int64_t *out_s)
{
    int64_t minutes = -floor_div(-from_s, MINUTE_S); /* rounded up */
    int64_t days = floor_div(minutes, DAY_MINUTES);
    int minute = (int)(minutes - days * DAY_MINUTES);

    while (days * DAY_S < limit_s) {
        struct date date = date_from_days(days);
        int found = -1;

        if (!(cron->months >> date.month & 1)) {
            days += date_month_days(date.year, date.month) - date.day + 1;
            minute = 0;
            continue;
        }
        if (day_matches(cron, date, days))
            found = minute_from(cron, minute);
        if (found >= 0) {
            *out_s = days * DAY_S + found * MINUTE_S;
            return *out_s < limit_s;
        }
        days++;
        minute = 0;
    }
    return false;
}

/* ---- moments ---------------------------------------------------------------
 */

static int64_t min_of(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Local time at the end of a span, where the search ends before. */
static int64_t local_end(const struct zone_span *span, int64_t limit_s)
{
    return min_of(span->end_s, limit_s) + span->offset_s;
}

/* The first due moment in the span after `after_s`. */
static bool span_next(const struct cron *cron, const struct zone_span *span,
                      int64_t after_s, int64_t limit_s, int64_t *out_s)
{
    bool hourly = cron->hours == ALL_HOURS;
    int64_t from_s = after_s + 1 + span->offset_s;
    int64_t local_s;

    if (!hourly && span->start_s > -MOMENT_MAX_S) {
        int64_t before_s = span->start_s + span->before_s;
        int64_t start_s = span->start_s + span->offset_s;

        /* Times between the two were skipped, or come a second time. */
        if (before_s < start_s && after_s < span->start_s &&
            local_next(cron, before_s, start_s, &local_s)) {
            *out_s = span->start_s;
            return true;
        }
        if (before_s > from_s)
            from_s = before_s;
    }
    if (!local_next(cron, from_s, local_end(span, limit_s), &local_s))
        return false;
    *out_s = local_s - span->offset_s;
    return true;
}

static bool next_s(const struct cron *cron, const struct zone *zone,
                   int64_t after_s, int64_t *out_s)
{
    int64_t limit_s = after_s + CRON_MAX_YEARS * 366 * DAY_S;
    struct zone_span span;

    if (after_s < -MOMENT_MAX_S || after_s > MOMENT_MAX_S)
        return false;
    span = zone_span_at(zone, after_s);
    while (!span_next(cron, &span, after_s, limit_s, out_s)) {
        if (span.end_s >= limit_s)
            return false;
        after_s = span.end_s - 1;
        span = zone_span_at(zone, span.end_s);
    }
    return true;
}

bool cron_next(const struct cron *cron, const struct zone *zone,
               int64_t after_ms, int64_t *out_due_ms)
{
    int64_t due_s;

    if (!next_s(cron, zone, floor_div(after_ms, 1000), &due_s))
        return false;
    *out_due_ms = due_s * 1000;
    return true;
}

/*
 * Looks further and further back for a moment that has a due time behind it,
 * then goes on from there: there are at most as many as minutes in the last
 * step, most of which are of days that do not match.
 */
bool cron_latest(const struct cron *cron, const struct zone *zone,
                 int64_t after_ms, int64_t now_ms, int64_t *out_due_ms)
{
    int64_t back_ms = MINUTE_S * 1000;
    int64_t from_ms, due_ms = 0;
    bool found;

    if (after_ms >= now_ms)
        return false;
    do {
        from_ms = now_ms - after_ms > back_ms ? now_ms - back_ms : after_ms;
        found = cron_next(cron, zone, from_ms, &due_ms) && due_ms <= now_ms;
        back_ms *= 2;
    } while (!found && from_ms > after_ms);
    if (!found)
        return false;
    do
        *out_due_ms = due_ms;
    while (cron_next(cron, zone, due_ms, &due_ms) && due_ms <= now_ms);
    return true;
}

/* ---- catching up -----------------------------------------------------------
 */

int cron_catch_up_find(const char *word)
{
    static const char *const words[] = {
        [CRON_SKIP] = "skip", [CRON_ONE] = "one", [CRON_ALL] = "all"};

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (!strcmp(words[i], word))
            return (int)i;
    return -1;
}

size_t cron_due(const struct cron *cron, const struct zone *zone,
                const struct cron_missed *missed, int64_t *out_due_ms,
                size_t max, int64_t *out_last_ms)
{
    int64_t last_ms = missed->last_ms, due_ms;
    size_t count = 0;

    if (missed->catch_up == CRON_ALL) {
        while (count < max && cron_next(cron, zone, last_ms, &due_ms) &&
               due_ms <= missed->now_ms)
            out_due_ms[count++] = last_ms = due_ms;
    } else if (cron_latest(cron, zone, last_ms, missed->now_ms, &due_ms)) {
        last_ms = due_ms;
        if (missed->catch_up == CRON_ONE ||
            missed->now_ms - due_ms <= missed->late_ms)
            out_due_ms[count++] = due_ms;
    }
    *out_last_ms = last_ms;
    return count;
}

int64_t cron_jitter_ms(const char *name, int64_t max_ms)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */

    if (max_ms <= 0)
        return 0;
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * UINT64_C(1099511628211);
    /* Its low bits are not mixed well: fold the high ones in. */
    hash ^= hash >> 32;
    hash *= UINT64_C(0x9e3779b97f4a7c15);
    return (int64_t)((hash >> 1) % (uint64_t)max_ms);
}
