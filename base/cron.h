/* base/cron.h - when a schedule is due, in its time zone. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CRON_H
#define BASE_CRON_H

#include "base/err.h"
#include "base/zone.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The five fields of crontab(5): minute, hour, day of month, month, day of
 * week; each `*`, a value, a range a-b, a step of either (a-b/n), or a list of
 * these parted by commas. Months and days have names (jan, sun: three letters,
 * any case), 7 is Sunday too. Days are Vixie's: when both day fields are
 * restricted (do not start with `*`) either may match, else both must. Or one
 * word:
 *
 *   @hourly    0 * * * *      @weekly    0 0 * * 0
 *   @daily     0 0 * * *      @monthly   0 0 1 * *
 *   @midnight  0 0 * * *      @yearly    0 0 1 1 *
 *   @nightly   0 3 * * *      @annually  0 0 1 1 *
 *
 * 3 o'clock, because hardly any zone ever skips or repeats it.
 *
 * Where clocks are changed: local times that are skipped are due once, all
 * together, at the moment right after the gap; local times that come twice are
 * due the first time only. A schedule of every hour (`*` as hour) has no such
 * moments to lose or to repeat: it goes on by the time that passes, so that
 * `@hourly` is never two hours away.
 */
struct cron {
    uint64_t minutes; /* bit 0 to 59 */
    uint32_t hours;   /* bit 0 to 23 */
    uint32_t days;    /* bit 1 to 31 */
    uint16_t months;  /* bit 1 to 12 */
    uint8_t weekdays; /* bit 0 (Sunday) to 6 */
    bool any_day;     /* a day matches by either field, not by both */
};

/** Nothing is due later than this many years after the moment asked about. */
#define CRON_MAX_YEARS INT64_C(28)

/**
 * Read a schedule. ERR_USER says what is wrong; `*out_at` (may be NULL) is
 * then the byte of the text where it is wrong.
 */
MUST_USE int cron_parse(const char *text, struct cron *out, size_t *out_at,
                        struct err *err);

/**
 * The first due time after `after_ms` (both since 1970). False: never, as
 * February 30.
 */
MUST_USE bool cron_next(const struct cron *cron, const struct zone *zone,
                        int64_t after_ms, int64_t *out_due_ms);

/** The last due time in (after_ms, now_ms]. False: there is none. */
MUST_USE bool cron_latest(const struct cron *cron, const struct zone *zone,
                          int64_t after_ms, int64_t now_ms,
                          int64_t *out_due_ms);

/** What becomes of due times that nobody was there for. */
enum cron_catch_up {
    CRON_SKIP, /* nothing */
    CRON_ONE,  /* the latest fires, the others do not */
    CRON_ALL,  /* each fires, the oldest first */
};

/** "skip", "one" or "all"; -1 for other words. */
int cron_catch_up_find(const char *word);

struct cron_missed {
    enum cron_catch_up catch_up;
    int64_t last_ms; /* the last due time that was dealt with */
    int64_t now_ms;
    int64_t late_ms; /* CRON_SKIP: what is not later than this still fires */
};

/**
 * What is to fire now: due times in (last_ms, now_ms], in order, `max` (at
 * least 1) at most. Returns how many; `*out_last_ms` is the new `last_ms`, to
 * be kept with what fired: what was passed over is behind it, what had no room
 * is not. Ask again at once when `max` came.
 */
size_t cron_due(const struct cron *cron, const struct zone *zone,
                const struct cron_missed *missed, int64_t *out_due_ms,
                size_t max, int64_t *out_last_ms);

/**
 * A delay in [0, max_ms) that is always the same for a name, and spread evenly
 * over names, so that a thousand schedules of midnight do not all start at
 * once. Add it to a due time to get when to start, or take it from now before
 * asking cron_due(). 0 when `max_ms` is.
 */
int64_t cron_jitter_ms(const char *name, int64_t max_ms);

#endif
