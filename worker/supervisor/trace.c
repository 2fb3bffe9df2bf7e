/* worker/supervisor/trace.c - what a successor has to know of a job. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/supervisor/trace.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/proc.h"
#include "worker/supervisor/held.h"

#include <stdio.h>
#include <stdlib.h>

bool trace_write(const struct lease *lease, const char *pool,
                 const char *worker, const char *state_dir, pid_t pid)
{
    struct held held = {.epoch = lease_epoch(lease),
                        .pid = pid,
                        .started_at_ms = clock_wall_ms()};
    struct err err;

    held.began = proc_began(held.pid);
    (void)snprintf(held.pool, sizeof(held.pool), "%s", pool);
    (void)snprintf(held.worker, sizeof(held.worker), "%s", worker);
    (void)snprintf(held.job_id, sizeof(held.job_id), "%s", lease_job_id(lease));
    (void)snprintf(held.nonce, sizeof(held.nonce), "%s", lease_nonce(lease));
    if (held_write(state_dir, &held, &err) == 0)
        return true;
    log_warn("job %s: %s", lease_job_id(lease), err.msg);
    return false;
}

/* What a successor needs, until it is not needed any more. */
struct trace {
    char *state_dir, *job_id; /* owned */
    uint64_t epoch;
};

static void remove_trace(void *arg, const char *name UNUSED,
                         const struct err *err)
{
    struct trace *trace = arg;

    if (err)
        log_warn("job %s: its log is not in the log store: %s", trace->job_id,
                 err->msg);
    held_remove(trace->state_dir, trace->job_id, trace->epoch);
    free(trace->state_dir);
    free(trace->job_id);
    free(trace);
}

void trace_put_away(struct job_log *log, const struct lease *lease,
                    const char *state_dir)
{
    struct trace *trace;

    if (!lease) {
        (void)job_log_put_away(log, NULL, NULL);
        return;
    }
    trace = xcalloc(1, sizeof(*trace));
    trace->state_dir = xstrdup(state_dir);
    trace->job_id = xstrdup(lease_job_id(lease));
    trace->epoch = lease_epoch(lease);
    if (!job_log_put_away(log, remove_trace, trace))
        remove_trace(trace, NULL, NULL);
}
