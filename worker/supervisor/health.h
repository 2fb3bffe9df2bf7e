/* worker/supervisor/health.h - whether the host has room for another job. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SUPERVISOR_HEALTH_H
#define WORKER_SUPERVISOR_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

/**
 * A watermark with hysteresis: refuse below `least`, and then until there is an
 * eighth more than that. `least` 0 never refuses.
 */
bool health_refuses(bool refusing, uint64_t have, uint64_t least);

/** How the host is. Start zeroed. */
struct health {
    bool low_disk, low_memory;
    int64_t looked_mono_ms;
    char refuses[128]; /* why no job is taken; "": one is */
};

/**
 * Look at the free space where `dir` is and at the memory that is available
 * (/proc/meminfo), at most once a second; what cannot be found out is no reason
 * to refuse. Returns `refuses`. A change is told to the log, once.
 */
const char *health_look(struct health *health, const char *dir,
                        uint64_t min_disk_bytes, uint64_t min_memory_bytes);

#endif
