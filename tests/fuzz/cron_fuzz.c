/* tests/fuzz/cron_fuzz.c - schedules, stamps and zone files of any bytes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/calendar.h"
#include "base/clock.h"
#include "base/cron.h"
#include "tests/fuzz/fuzz.h"

#define SCHEDULE_MAX 512

/* Due times grow, whatever the zone; the latest is one of them. */
static void check_order(const struct cron *cron, const struct zone *zone)
{
    const int64_t start_ms = INT64_C(1790000000000);
    int64_t at_ms = start_ms, due_ms, latest_ms;

    for (int i = 0; i < 50; i++) {
        if (!cron_next(cron, zone, at_ms, &due_ms))
            return;
        require(due_ms > at_ms);
        require(cron_latest(cron, zone, at_ms, due_ms, &latest_ms) &&
                latest_ms == due_ms);
        at_ms = due_ms;
    }
}

static void fuzz_schedule(const char *text, const struct zone *zone)
{
    struct err err = {0};
    struct cron cron;
    size_t at = SIZE_MAX;

    if (cron_parse(text, &cron, &at, &err) < 0) {
        require(at <= strlen(text) && *err.msg);
        return;
    }
    require(cron.minutes && cron.hours && cron.days && cron.months &&
            cron.weekdays);
    check_order(&cron, zone);
}

static void fuzz_stamp(const char *text)
{
    char first[CLOCK_STAMP_SIZE];
    int64_t ms, again_ms;

    if (stamp_parse(text, &ms, NULL) < 0)
        return;
    if (ms < 0) /* an offset can lead into 1969 */
        return;
    (void)clock_stamp(ms, first);
    require(stamp_parse(first, &again_ms, NULL) == 0 && again_ms == ms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct zone *berlin;
    CLEANUP(zone) struct zone *zone = NULL;
    struct cron daily;

    if (!berlin)
        require(zone_load("Europe/Berlin", &berlin, NULL) == 0);
    if (size <= SCHEDULE_MAX) {
        CLEANUP(mem) char *text = fuzz_text(data, size);

        fuzz_schedule(text, berlin);
        fuzz_stamp(text);
    }
    if (zone_parse(data, size, &zone, NULL) == 0) {
        require(cron_parse("30 2 * * *", &daily, NULL, NULL) == 0);
        check_order(&daily, zone);
    }
    return 0;
}
