/* base/zone_internal.h - shared by the files of zone, nobody else. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_ZONE_INTERNAL_H
#define BASE_ZONE_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

/* When in a year clocks change. */
struct zone_date {
    enum { ZONE_MONTH, ZONE_JULIAN, ZONE_DAY } kind; /* Mm.w.d, Jn, n */
    int month, week, weekday;                        /* ZONE_MONTH */
    int day;        /* ZONE_JULIAN: 1 to 365; ZONE_DAY: 0 to 365 */
    int64_t time_s; /* of local time before the change */
};

/* What comes after the last change that a file lists. */
struct zone_rule {
    int32_t standard_s; /* east of UTC */
    bool changes;       /* there is summer time, with all below */
    int32_t summer_s;
    struct zone_date starts, ends;
};

/*
 * A rule as POSIX and RFC 8536 write it: `CET-1CEST,M3.5.0,M10.5.0/3`. False:
 * it is not one.
 */
bool zone_rule_parse(const char *text, struct zone_rule *out);

/* The moment in a year, seconds since 1970, with the offset before it. */
int64_t zone_rule_moment(const struct zone_date *date, int64_t year,
                         int32_t offset_s);

#endif
