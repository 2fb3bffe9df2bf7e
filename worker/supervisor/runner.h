/* worker/supervisor/runner.h - one run-job process, from start to verdict. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SUPERVISOR_RUNNER_H
#define WORKER_SUPERVISOR_RUNNER_H

#include "base/frame.h"
#include "base/loop.h"
#include "scheduler/queue/lease.h"
#include "worker/supervisor/result.h"
#include "worker/supervisor/warm_pool.h"

#include <stdbool.h>
#include <sys/types.h>

struct runner;

/** All called from the loop. */
struct runner_events {
    /** Output, steps and such; only what is well-formed is passed on. */
    void (*on_frame)(void *arg, const struct frame *frame);
    /**
     * The run-job from the warm pool had died; another has the job now
     * (runner_pid). May be NULL.
     */
    void (*on_restarted)(void *arg);
    /**
     * The process is over and its sandbox gone, or swept: once, and last;
     * runner_free() is allowed in it. `verdict` is owned by the callee, or
     * NULL after runner_abandon().
     */
    void (*on_over)(void *arg, struct job_verdict *verdict);
    void *arg;
};

/** All borrowed but `gateway`; they must outlive the runner. */
struct runner_spec {
    struct loop *loop;
    struct lease *lease;
    const char *state_dir; /* sandboxes are in <state_dir>/sandboxes */
    json_t *gateway;       /* supervisor_limits.gateway; a reference is taken */
    const json_t *secrets; /* of secrets_gather(), or NULL */
    struct warm_pool *warm; /* NULL: each run-job is a new one */
    struct runner_events events;
};

/**
 * Start run-job. On failure `*out_verdict` (owned by the caller) says how the
 * job ended, and `*out_runner` is NULL.
 */
void runner_start(const struct runner_spec *spec, struct runner **out_runner,
                  struct job_verdict **out_verdict);

/** Of run-job. */
pid_t runner_pid(const struct runner *runner);
/** Have run-job die at `at_mono_ms`, in place of what was said before. */
void runner_set_deadline(struct runner *runner, int64_t at_mono_ms);
/** Send a JOB_FRAME_CACHE_ANSWER. */
void runner_answer(struct runner *runner, uint32_t id, const char *json);
/** Ask run-job to end; each call is one JOB_FRAME_CANCEL. The second kills. */
void runner_cancel(struct runner *runner, const char *reason);
/** Its result is of no use any more: end it soon. Twice is fine. */
void runner_abandon(struct runner *runner);

/** Close run-job's socket: it kills and destroys its sandbox. */
void runner_close(struct runner *runner);
/**
 * After runner_close(): wait for run-job until `until_ms` (clock_mono_ms), then
 * kill it. Blocks. Returns whether it had to be killed.
 */
bool runner_wait(struct runner *runner, int64_t until_ms);

/** Without I/O. NULL is fine. */
void runner_free(struct runner *runner);
OWNER(runner)

#endif
