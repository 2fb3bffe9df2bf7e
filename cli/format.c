/* cli/format.c - durations and sizes for people. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/format.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

const char *format_duration(int64_t ms, char out[FORMAT_SIZE])
{
    int64_t seconds;

    if (ms < 0)
        ms = 0;
    seconds = (ms + 500) / 1000;
    if (ms < 1000)
        (void)snprintf(out, FORMAT_SIZE, "%" PRId64 " ms", ms);
    else if (ms < 59950)
        (void)snprintf(out, FORMAT_SIZE, "%.1f s", (double)ms / 1000);
    else if (seconds < 3600)
        (void)snprintf(out, FORMAT_SIZE, "%" PRId64 " min %02" PRId64 " s",
                       seconds / 60, seconds % 60);
    else
        (void)snprintf(out, FORMAT_SIZE, "%" PRId64 " h %02" PRId64 " min",
                       seconds / 3600, seconds % 3600 / 60);
    return out;
}

const char *format_age(int64_t ms, char out[FORMAT_SIZE])
{
    int64_t seconds = ms < 0 ? 0 : ms / 1000;

    if (seconds < 60)
        (void)snprintf(out, FORMAT_SIZE, "%" PRId64 " s", seconds);
    else if (seconds < 3600)
        (void)snprintf(out, FORMAT_SIZE, "%" PRId64 " min", seconds / 60);
    else if (seconds < INT64_C(48) * 3600)
        (void)snprintf(out, FORMAT_SIZE, "%" PRId64 " h", seconds / 3600);
    else
        (void)snprintf(out, FORMAT_SIZE, "%" PRId64 " d", seconds / 86400);
    return out;
}

const char *format_moment(int64_t ms, int64_t now_ms, char out[FORMAT_SIZE])
{
    time_t then = (time_t)(ms / 1000), now = (time_t)(now_ms / 1000);
    struct tm a = {0}, b = {0};

    (void)localtime_r(&then, &a);
    (void)localtime_r(&now, &b);
    if (a.tm_year == b.tm_year && a.tm_yday == b.tm_yday)
        (void)strftime(out, FORMAT_SIZE, "%H:%M:%S", &a);
    else if (!strftime(out, FORMAT_SIZE, "%Y-%m-%d %H:%M:%S", &a))
        (void)snprintf(out, FORMAT_SIZE, "?");
    return out;
}

const char *format_bytes(uint64_t bytes, char out[FORMAT_SIZE])
{
    static const char *const units[] = {"B",   "KiB", "MiB", "GiB",
                                        "TiB", "PiB", "EiB"};
    double value = (double)bytes;
    size_t unit = 0;
    unsigned tenths;

    while (value >= 1023.5 && unit + 1 < ARRAY_LEN(units)) {
        value /= 1024;
        unit++;
    }
    tenths = (unsigned)(value * 10 + 0.5);
    if (tenths < 100 && tenths % 10 != 0)
        (void)snprintf(out, FORMAT_SIZE, "%.1f %s", value, units[unit]);
    else
        (void)snprintf(out, FORMAT_SIZE, "%.0f %s", value, units[unit]);
    return out;
}
