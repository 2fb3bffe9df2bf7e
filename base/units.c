/* base/units.c - durations (`1h30m`) and sizes (`512MiB`) as people write. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/units.h"

#include <stdio.h>
#include <string.h>

static const struct {
    char letter;
    int64_t ms;
} time_units[] = {
    {'d', 86400000},
    {'h', 3600000},
    {'m', 60000},
    {'s', 1000},
};

/* In the order in which size_format() tries them. */
static const struct {
    const char *name;
    uint64_t bytes;
} size_units[] = {
    {"TiB", (uint64_t)1 << 40},
    {"TB", 1000000000000},
    {"GiB", (uint64_t)1 << 30},
    {"GB", 1000000000},
    {"MiB", (uint64_t)1 << 20},
    {"MB", 1000000},
    {"KiB", (uint64_t)1 << 10},
    {"KB", 1000},
    {"B", 1},
};

/* Up to `max_digits` digits; returns what is behind them, NULL for none. */
static const char *digits(const char *s, int max_digits, uint64_t *out)
{
    const char *p = s;
    uint64_t value = 0;

    for (; *p >= '0' && *p <= '9'; p++) {
        if (p - s == max_digits)
            return NULL;
        value = value * 10 + (uint64_t)(*p - '0');
    }
    *out = value;
    return p == s ? NULL : p;
}

int duration_parse(const char *text, int64_t *out_ms, struct err *err)
{
    int64_t total = 0;
    size_t unit = 0;
    const char *p = text;
    uint64_t n;

    while (*p) {
        p = digits(p, 9, &n);
        for (; p && unit < ARRAY_LEN(time_units); unit++)
            if (*p == time_units[unit].letter)
                break;
        if (!p || unit == ARRAY_LEN(time_units))
            return err_set(err, ERR_USER,
                           "not a duration: write it like 90s, 30m or 1h30m");
        total += (int64_t)n * time_units[unit++].ms;
        p++;
    }
    if (!total)
        return err_set(err, ERR_USER, "a duration must be more than zero");
    if (total > DURATION_MAX_MS)
        return err_set(err, ERR_USER, "longer than 999 days");
    *out_ms = total;
    return 0;
}

const char *duration_format(int64_t ms, char out[DURATION_TEXT_SIZE])
{
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(time_units); i++) {
        int64_t n = ms / time_units[i].ms;

        ms %= time_units[i].ms;
        if (n > 0 && len < DURATION_TEXT_SIZE)
            len +=
                (size_t)snprintf(out + len, DURATION_TEXT_SIZE - len, "%lld%c",
                                 (long long)n, time_units[i].letter);
    }
    if (!len)
        (void)snprintf(out, DURATION_TEXT_SIZE, "0s");
    return out;
}

int size_parse(const char *text, uint64_t *out_bytes, struct err *err)
{
    uint64_t n;
    const char *p = digits(text, 18, &n);

    for (size_t i = 0; p && i < ARRAY_LEN(size_units); i++) {
        if (strcmp(p, size_units[i].name) != 0)
            continue;
        if (n > (uint64_t)INT64_MAX / size_units[i].bytes)
            return err_set(err, ERR_USER, "too large a size");
        *out_bytes = n * size_units[i].bytes;
        return 0;
    }
    return err_set(err, ERR_USER,
                   "not a size: write it like 512MiB, 2GB or 64KiB");
}

const char *size_format(uint64_t bytes, char out[SIZE_TEXT_SIZE])
{
    size_t i = 0;

    while (bytes % size_units[i].bytes || (!bytes && size_units[i].bytes > 1))
        i++;
    (void)snprintf(out, SIZE_TEXT_SIZE, "%llu%s",
                   (unsigned long long)(bytes / size_units[i].bytes),
                   size_units[i].name);
    return out;
}
