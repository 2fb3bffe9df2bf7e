/* cli/format.h - durations and sizes for people. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_FORMAT_H
#define CLI_FORMAT_H

#include <stdint.h>

#define FORMAT_SIZE 32

/** "850 ms", "1.2 s", "2 min 03 s", "1 h 02 min"; negative counts as 0. */
const char *format_duration(int64_t ms, char out[FORMAT_SIZE]);
/** Coarser: "5 s", "12 min", "3 h", "4 d"; negative counts as 0. */
const char *format_age(int64_t ms, char out[FORMAT_SIZE]);
/**
 * A moment (ms since 1970) in local time: "14:05:10", or with its date where
 * that is not the date of `now_ms`.
 */
const char *format_moment(int64_t ms, int64_t now_ms, char out[FORMAT_SIZE]);
/** "123 B", "1.5 KiB", "512 MiB", "1 GiB": three digits at most. */
const char *format_bytes(uint64_t bytes, char out[FORMAT_SIZE]);

#endif
