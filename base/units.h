/* base/units.h - durations (`1h30m`) and sizes (`512MiB`) as people write. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_UNITS_H
#define BASE_UNITS_H

#include "base/err.h"

#include <stdint.h>

/** The longest duration: 999 days. */
#define DURATION_MAX_MS ((int64_t)999 * 24 * 3600 * 1000)

/**
 * Days, hours, minutes and seconds in this order, each at most once and a
 * whole number: `90s`, `30m`, `1h30m`, `2d`. More than zero. ERR_USER says what
 * is wrong, without quoting the text.
 */
MUST_USE int duration_parse(const char *text, int64_t *out_ms, struct err *err);

/** The inverse for whole seconds ("1h30m"; "0s" for less than one). */
#define DURATION_TEXT_SIZE 32
const char *duration_format(int64_t ms, char out[DURATION_TEXT_SIZE]);

/**
 * A whole number and a unit: B, KB MB GB TB (powers of 1000) or KiB MiB GiB
 * TiB (of 1024). ERR_USER also for what does not fit 63 bits.
 */
MUST_USE int size_parse(const char *text, uint64_t *out_bytes, struct err *err);

/** The inverse, in the largest unit that says it exactly. */
#define SIZE_TEXT_SIZE 32
const char *size_format(uint64_t bytes, char out[SIZE_TEXT_SIZE]);

#endif
