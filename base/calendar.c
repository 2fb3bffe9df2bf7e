/* base/calendar.c - dates as numbers of days, and time stamps as text. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/calendar.h"

#include <string.h>

#define ERA_DAYS  146097 /* 400 years, after which the calendar repeats */
#define ERA_START 719468 /* days from 0000-03-01 to 1970-01-01 */

int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

/* Years are counted from March, so that the leap day ends one. */
int64_t date_to_days(struct date date)
{
    int64_t year = date.year - (date.month <= 2);
    int64_t era = floor_div(year, 400);
    int64_t of_era = year - era * 400;
    int64_t month = (date.month + 9) % 12;
    int64_t of_year = (153 * month + 2) / 5 + date.day - 1;

    return era * ERA_DAYS + of_era * 365 + of_era / 4 - of_era / 100 + of_year -
           ERA_START;
}

struct date date_from_days(int64_t days)
{
    int64_t era = floor_div(days + ERA_START, ERA_DAYS);
    int64_t day = days + ERA_START - era * ERA_DAYS;
    int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    int64_t of_year = day - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153;
    struct date date;

    date.day = (int)(of_year - (153 * month + 2) / 5 + 1);
    date.month = (int)(month < 10 ? month + 3 : month - 9);
    date.year = year + era * 400 + (date.month <= 2);
    return date;
}

int date_weekday(int64_t days)
{
    return (int)(days + 4 - floor_div(days + 4, 7) * 7);
}

bool date_is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

int date_month_days(int64_t year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return days[month - 1] + (month == 2 && date_is_leap(year));
}

/* ---- time stamps -----------------------------------------------------------
 */

/* Reads `count` digits; -1 when there are none so many. */
static int take_number(const char **s, int count)
{
    int number = 0;

    for (int i = 0; i < count; i++, (*s)++) {
        if (**s < '0' || **s > '9')
            return -1;
        number = number * 10 + (**s - '0');
    }
    return number;
}

static bool take(const char **s, const char *any_of)
{
    bool there = **s && strchr(any_of, **s);

    *s += there;
    return there;
}

/* Milliseconds of a fraction, whose point was passed. */
static int take_fraction(const char **s)
{
    int ms = 0, digits = 0;

    for (; **s >= '0' && **s <= '9'; (*s)++, digits++)
        if (digits < 3)
            ms = ms * 10 + (**s - '0');
    if (!digits)
        return -1;
    for (; digits < 3; digits++)
        ms *= 10;
    return ms;
}

/* Minutes east of UTC. */
static bool take_offset(const char **s, int *out_minutes)
{
    bool west = **s == '-';
    int hours, minutes;

    *out_minutes = 0;
    if (take(s, "Zz"))
        return true;
    if (!take(s, "+-"))
        return false;
    hours = take_number(s, 2);
    if (!take(s, ":"))
        return false;
    minutes = take_number(s, 2);
    *out_minutes = (hours * 60 + minutes) * (west ? -1 : 1);
    return hours >= 0 && hours <= 23 && minutes >= 0 && minutes <= 59;
}

static bool take_date(const char **s, struct date *out)
{
    out->year = take_number(s, 4);
    if (out->year < 0 || !take(s, "-"))
        return false;
    out->month = take_number(s, 2);
    if (out->month < 0 || !take(s, "-"))
        return false;
    out->day = take_number(s, 2);
    return out->day >= 0;
}

/* Seconds of the day. */
static bool take_time(const char **s, int *out)
{
    int hours, minutes, seconds;

    hours = take_number(s, 2);
    if (!take(s, ":"))
        return false;
    minutes = take_number(s, 2);
    if (!take(s, ":"))
        return false;
    seconds = take_number(s, 2);
    *out = (hours * 60 + minutes) * 60 + seconds;
    return hours >= 0 && hours <= 23 && minutes >= 0 && minutes <= 59 &&
           seconds >= 0 && seconds <= 60;
}

int stamp_parse(const char *text, int64_t *out_ms, struct err *err)
{
    struct date date;
    int seconds, offset, ms = 0;

    if (!take_date(&text, &date) || !take(&text, "Tt "))
        return err_set(err, ERR_USER,
                       "a time stamp looks like 2026-11-23T01:02:03Z");
    if (!take_time(&text, &seconds))
        return err_set(err, ERR_USER, "the time of day is HH:MM:SS");
    if (take(&text, ".") && (ms = take_fraction(&text)) < 0)
        return err_set(err, ERR_USER, "a fraction of a second has digits");
    if (!take_offset(&text, &offset) || *text)
        return err_set(err, ERR_USER,
                       "a time stamp ends with Z, or an offset like +01:00");
    if (date.year < 1970)
        return err_set(err, ERR_USER, "the year is before 1970");
    if (date.month < 1 || date.month > 12 || date.day < 1 ||
        date.day > date_month_days(date.year, date.month))
        return err_set(err, ERR_USER, "there is no such day");
    *out_ms =
        (date_to_days(date) * DAY_S + seconds - (int64_t)offset * 60) * 1000 +
        ms;
    return 0;
}
