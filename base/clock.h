/* base/clock.h - monotonic time for durations, wall time for stamps. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/**
 * CLOCK_BOOTTIME in milliseconds: durations and deadlines. It goes on while the
 * host is suspended, as leases in Redis do.
 */
int64_t clock_mono_ms(void);
/** CLOCK_REALTIME in milliseconds since 1970: stamps and cron only. */
int64_t clock_wall_ms(void);

/** `2026-11-23T01:02:03.004Z` (RFC 3339) for a wall time. */
#define CLOCK_STAMP_SIZE 32
const char *clock_stamp(int64_t wall_ms, char out[CLOCK_STAMP_SIZE]);

#endif
