/* scheduler/intake/rate.h - how many requests an address sent lately. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_INTAKE_RATE_H
#define SCHEDULER_INTAKE_RATE_H

#include "base/mem.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/*
 * A fixed number of counters, of a minute each, which addresses share by a
 * keyed hash: so it takes the same memory for any number of strangers, and none
 * of them can choose whose counter to use up. Of IPv6 a /64 is one address.
 */
struct rate;

/** `max` requests a minute; 0: any number. */
MUST_USE struct rate *rate_new(unsigned max);
/** NULL is fine. */
void rate_free(struct rate *rate);
OWNER(rate)

/**
 * Count a request of `address` at `now_ms` (clock_mono_ms). Returns 0 when it
 * may go on, else in how many milliseconds the next one may.
 */
int64_t rate_take(struct rate *rate, const struct sockaddr *address,
                  int64_t now_ms);

#endif
