/* worker/logs/retention.c - which logs of a store are to go. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/logs/retention.h"

#include <stdlib.h>

#define LISTED_MAX 65536 /* logs that one pass compares by age */

struct log_listed {
    int64_t at_ms;
    uint64_t bytes;
    char *path; /* owned */
};

static bool remove_log(struct log_pass *pass, const char *path, uint64_t bytes)
{
    int rc = pass->remove(pass->arg, path);

    if (rc > 0) {
        pass->removed.logs++;
        pass->removed.bytes += bytes;
    }
    return rc >= 0;
}

static void list(struct log_pass *pass, const char *path, uint64_t bytes,
                 int64_t at_ms)
{
    struct log_listed *log;

    pass->bytes += bytes;
    if (!pass->retention->max_bytes || pass->count == LISTED_MAX)
        return;
    if (pass->count == pass->cap) {
        pass->cap = pass->cap ? pass->cap * 2 : 64;
        pass->logs = xreallocarray(pass->logs, pass->cap, sizeof(*pass->logs));
    }
    log = &pass->logs[pass->count++];
    log->at_ms = at_ms;
    log->bytes = bytes;
    log->path = xstrdup(path);
}

void log_pass_see(struct log_pass *pass, const char *path, uint64_t bytes,
                  int64_t at_ms)
{
    int64_t max_age_ms = pass->retention->max_age_ms;

    if (!max_age_ms || pass->now_ms - at_ms <= max_age_ms ||
        !remove_log(pass, path, bytes))
        list(pass, path, bytes, at_ms);
}

static int by_age(const void *a, const void *b)
{
    int64_t first = ((const struct log_listed *)a)->at_ms;
    int64_t second = ((const struct log_listed *)b)->at_ms;

    return (first > second) - (first < second);
}

static void remove_oldest(struct log_pass *pass)
{
    if (pass->count)
        qsort(pass->logs, pass->count, sizeof(*pass->logs), by_age);
    for (size_t i = 0;
         i < pass->count && pass->bytes > pass->retention->max_bytes; i++) {
        const struct log_listed *log = &pass->logs[i];

        if (remove_log(pass, log->path, log->bytes))
            pass->bytes -= log->bytes;
    }
}

void log_pass_end(struct log_pass *pass, struct log_removed *out_removed)
{
    if (pass->retention->max_bytes)
        remove_oldest(pass);
    for (size_t i = 0; i < pass->count; i++)
        free(pass->logs[i].path);
    free(pass->logs);
    *out_removed = pass->removed;
}
