/* base/zone_rule.c - when clocks change every year (POSIX TZ). */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/calendar.h"
#include "base/zone_internal.h"

#include <string.h>

/* RFC 8536, 3.3.1: up to a week either way. */
#define RULE_HOURS_MAX 167
/* 2 o'clock, where a rule does not say. */
#define RULE_TIME_S INT64_C(7200)

static bool take_number(const char **s, int min, int max, int *out)
{
    int number = 0;
    const char *start = *s;

    for (; **s >= '0' && **s <= '9'; (*s)++) {
        number = number * 10 + (**s - '0');
        if (number > max)
            return false;
    }
    *out = number;
    return *s > start && number >= min;
}

static bool take(const char **s, char c)
{
    bool there = **s == c;

    *s += there;
    return there;
}

/* [+-]hh[:mm[:ss]] */
static bool take_seconds(const char **s, int max_hours, int64_t *out)
{
    bool negative = **s == '-';
    int hours, minutes = 0, seconds = 0;

    if (**s == '-' || **s == '+')
        (*s)++;
    if (!take_number(s, 0, max_hours, &hours))
        return false;
    if (take(s, ':')) {
        if (!take_number(s, 0, 59, &minutes))
            return false;
        if (take(s, ':') && !take_number(s, 0, 59, &seconds))
            return false;
    }
    *out = ((int64_t)hours * 60 + minutes) * 60 + seconds;
    if (negative)
        *out = -*out;
    return true;
}

/* CET, or <+0330>; three characters at least. */
static bool take_name(const char **s)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    bool quoted = take(s, '<');
    size_t len = quoted ? strcspn(*s, ">") : strspn(*s, letters);

    *s += len;
    return len >= 3 && (!quoted || take(s, '>'));
}

/* POSIX counts offsets west of Greenwich. */
static bool take_offset(const char **s, int32_t *out)
{
    int64_t west;

    if (!take_seconds(s, 24, &west))
        return false;
    *out = (int32_t)-west;
    return true;
}

static bool take_date(const char **s, struct zone_date *out)
{
    *out = (struct zone_date){.time_s = RULE_TIME_S};
    if (take(s, 'M')) {
        out->kind = ZONE_MONTH;
        if (!take_number(s, 1, 12, &out->month) || !take(s, '.') ||
            !take_number(s, 1, 5, &out->week) || !take(s, '.') ||
            !take_number(s, 0, 6, &out->weekday))
            return false;
    } else if (take(s, 'J')) {
        out->kind = ZONE_JULIAN;
        if (!take_number(s, 1, 365, &out->day))
            return false;
    } else {
        out->kind = ZONE_DAY;
        if (!take_number(s, 0, 365, &out->day))
            return false;
    }
    return !take(s, '/') || take_seconds(s, RULE_HOURS_MAX, &out->time_s);
}

bool zone_rule_parse(const char *text, struct zone_rule *out)
{
    const char *s = text;

    *out = (struct zone_rule){0};
    if (!take_name(&s) || !take_offset(&s, &out->standard_s))
        return false;
    if (!*s)
        return true;
    out->changes = true;
    out->summer_s = out->standard_s + 3600;
    if (!take_name(&s) || (*s != ',' && !take_offset(&s, &out->summer_s)))
        return false;
    return take(&s, ',') && take_date(&s, &out->starts) && take(&s, ',') &&
           take_date(&s, &out->ends) && !*s;
}

/* Days since 1970 of the n-th weekday of a month; the 5th is the last. */
static int64_t nth_weekday(const struct zone_date *date, int64_t year)
{
    int64_t first = date_to_days((struct date){year, date->month, 1});
    int day = (date->weekday - date_weekday(first) + 7) % 7;

    day += (date->week - 1) * 7;
    if (day >= date_month_days(year, date->month))
        day -= 7;
    return first + day;
}

int64_t zone_rule_moment(const struct zone_date *date, int64_t year,
                         int32_t offset_s)
{
    int64_t days = date_to_days((struct date){year, 1, 1});

    if (date->kind == ZONE_MONTH)
        days = nth_weekday(date, year);
    else if (date->kind == ZONE_DAY)
        days += date->day;
    else /* the leap day is not counted */
        days += date->day - 1 + (date->day > 59 && date_is_leap(year));
    return days * DAY_S + date->time_s - offset_s;
}
