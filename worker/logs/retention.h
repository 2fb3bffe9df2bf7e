/* worker/logs/retention.h - which logs of a store are to go. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_LOGS_RETENTION_H
#define WORKER_LOGS_RETENTION_H

#include "worker/logs/store.h"

/** Remove a log: 1; 0: it was gone already; -1: it stays. */
typedef int log_remove_fn(void *arg, const char *path);

/** One look at all logs of a store. Start with the first four. */
struct log_pass {
    const struct log_retention *retention;
    int64_t now_ms; /* wall clock */
    log_remove_fn *remove;
    void *arg;
    struct log_listed *logs; /* owned */
    size_t count, cap;
    uint64_t bytes; /* of the logs that are left, listed or not */
    struct log_removed removed;
};

/** There is a log; one that is too old is removed. `path` is copied. */
void log_pass_see(struct log_pass *pass, const char *path, uint64_t bytes,
                  int64_t at_ms);
/** Remove the oldest, if all were too large, and clear. */
void log_pass_end(struct log_pass *pass, struct log_removed *out_removed);

#endif
