/* base/zone.h - time zones of the IANA database, without the TZ variable. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_ZONE_H
#define BASE_ZONE_H

#include "base/err.h"

#include <stdint.h>

/*
 * libc knows one zone, that of the process. Here any number are read from
 * /usr/share/zoneinfo (package tzdata; RFC 8536), and nothing of the process
 * changes. Times after the last that a file lists follow the rule at its end.
 */
struct zone;

#define ZONE_NAME_MAX 64 /* bytes */

/**
 * Load a zone by name: "Europe/Berlin"; "UTC" needs no file. Returns 0 and
 * `*out_zone`, owned by the caller. ERR_USER: there is no such zone;
 * ERR_TRANSIENT: its file cannot be understood.
 */
MUST_USE int zone_load(const char *name, struct zone **out_zone,
                       struct err *err);

/** The same from a file's bytes, which may be anything at all. */
MUST_USE int zone_parse(const void *data, size_t len, struct zone **out_zone,
                        struct err *err);

void zone_free(struct zone *zone);
OWNER(zone)

/** A stretch of time in which clocks are not changed. */
struct zone_span {
    int64_t start_s;  /* since 1970; INT64_MIN: for ever */
    int64_t end_s;    /* the first second that is not in it; or INT64_MAX */
    int32_t offset_s; /* east of UTC: local time is UTC plus this */
    int32_t before_s; /* the offset before `start_s` */
};

/** The stretch that holds the moment `at_s`, seconds since 1970. */
struct zone_span zone_span_at(const struct zone *zone, int64_t at_s);

#endif
