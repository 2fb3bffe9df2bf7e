/* worker/supervisor/health.c - whether the host has room for another job. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/supervisor/health.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#define LOOK_MS 1000

bool health_refuses(bool refusing, uint64_t have, uint64_t least)
{
    uint64_t enough = refusing ? least + least / 8 : least;

    return have < enough;
}

static uint64_t free_disk(const char *dir)
{
    struct statvfs st;

    return statvfs(dir, &st) == 0 ? (uint64_t)st.f_bavail * st.f_frsize
                                  : UINT64_MAX;
}

static uint64_t available_memory(void)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    const char *line;

    if (file_read("/proc/meminfo", 65536, &text, NULL) < 0)
        return UINT64_MAX;
    line = strstr(text.data, "\nMemAvailable:");
    return line ? strtoull(line + sizeof("\nMemAvailable:") - 1, NULL, 10) << 10
                : UINT64_MAX;
}

static void tell(struct health *health, const char *what, uint64_t have,
                 uint64_t least)
{
    (void)snprintf(health->refuses, sizeof(health->refuses),
                   "low %s: %llu MiB, less than %llu", what,
                   (unsigned long long)(have >> 20),
                   (unsigned long long)(least >> 20));
}

const char *health_look(struct health *health, const char *dir,
                        uint64_t min_disk_bytes, uint64_t min_memory_bytes)
{
    int64_t now = clock_mono_ms();
    bool refused = *health->refuses;
    uint64_t disk, memory;

    if (health->looked_mono_ms && now - health->looked_mono_ms < LOOK_MS)
        return health->refuses;
    health->looked_mono_ms = now;
    disk = min_disk_bytes ? free_disk(dir) : UINT64_MAX;
    memory = min_memory_bytes ? available_memory() : UINT64_MAX;
    health->low_disk = health_refuses(health->low_disk, disk, min_disk_bytes);
    health->low_memory =
        health_refuses(health->low_memory, memory, min_memory_bytes);
    *health->refuses = '\0';
    if (health->low_disk)
        tell(health, "disk", disk, min_disk_bytes);
    else if (health->low_memory)
        tell(health, "memory", memory, min_memory_bytes);
    if (*health->refuses && !refused)
        log_warn("no job is taken: %s", health->refuses);
    else if (refused && !*health->refuses)
        log_warn("jobs are taken again");
    return health->refuses;
}
