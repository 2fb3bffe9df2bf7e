/* base/calendar.h - dates as numbers of days, and time stamps as text. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CALENDAR_H
#define BASE_CALENDAR_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define DAY_S INT64_C(86400)

/** A day of the Gregorian calendar, also before it was decreed. */
struct date {
    int64_t year;
    int month; /* 1 to 12 */
    int day;   /* 1 to 31 */
};

/** Days since 1970-01-01, negative before. The date must exist. */
int64_t date_to_days(struct date date);
struct date date_from_days(int64_t days);
/** 0 is Sunday. */
int date_weekday(int64_t days);
bool date_is_leap(int64_t year);
/** How many days month 1 to 12 has. */
int date_month_days(int64_t year, int month);

/** Division that rounds down, unlike C's: for moments before 1970. */
int64_t floor_div(int64_t a, int64_t b);

/**
 * Milliseconds since 1970 of an RFC 3339 time stamp, `2026-11-23T01:02:03Z`:
 * with seconds, with any fraction (cut to milliseconds), with `Z` or an offset
 * like `+01:00`; a leap second is the next second. The year is from 1970. The
 * letters may be lower case, and a space may stand for the T. ERR_USER says
 * what is wrong, without quoting the text.
 */
MUST_USE int stamp_parse(const char *text, int64_t *out_ms, struct err *err);

#endif
