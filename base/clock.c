/* base/clock.c - monotonic time for durations, wall time for stamps. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t now_ms(clockid_t id)
{
    struct timespec ts = {0};

    (void)clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t clock_mono_ms(void)
{
    return now_ms(CLOCK_BOOTTIME);
}

int64_t clock_wall_ms(void)
{
    return now_ms(CLOCK_REALTIME);
}

const char *clock_stamp(int64_t wall_ms, char out[CLOCK_STAMP_SIZE])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm = {0};
    size_t len;

    gmtime_r(&seconds, &tm);
    len = strftime(out, CLOCK_STAMP_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(out + len, CLOCK_STAMP_SIZE - len, ".%03dZ",
                   (int)(wall_ms % 1000));
    return out;
}
