/* worker/job/background.h - steps that run beside the later ones. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_JOB_BACKGROUND_H
#define WORKER_JOB_BACKGROUND_H

#include "worker/job/judge.h"
#include "worker/job/throttle.h"

/** All that run of one job. Callbacks come from the loop. */
struct backgrounds;

/** One that was ready ended. backgrounds_free() is not allowed in it. */
typedef void background_end_fn(void *arg, size_t index,
                               const struct attempt_end *end);
/**
 * Once: it is ready (`end` NULL), or ended before it was, or was not in time,
 * and then ended.
 */
typedef void background_ready_fn(void *arg, const struct attempt_end *end);

/** All borrowed and alive until backgrounds_free(). */
struct backgrounds_spec {
    struct loop *loop;
    struct machine *machine;
    struct output *output;
    struct throttle *throttle;
    const struct job_start *start;
    background_end_fn *on_end;
    void *arg;
};

MUST_USE struct backgrounds *
backgrounds_new(const struct backgrounds_spec *spec);
/** Tells nothing any more; the processes are the sandbox's. NULL is fine. */
void backgrounds_free(struct backgrounds *backgrounds);
OWNER(backgrounds)

/**
 * Start step `index` and wait for what it says. `exec` has its argv, env and
 * cwd. ERR_USER, ERR_TRANSIENT as exec of the driver.
 */
MUST_USE int backgrounds_start(struct backgrounds *backgrounds, size_t index,
                               const struct sandbox_exec *exec,
                               background_ready_fn *ready, void *arg,
                               struct err *err);
/** Signal one of them, or with SIZE_MAX all. */
void backgrounds_kill(struct backgrounds *backgrounds, size_t index, int signo);
/** The attempt that waits is gone: tell it nothing. */
void backgrounds_forget(struct backgrounds *backgrounds, size_t index);
bool backgrounds_any(const struct backgrounds *backgrounds);
/** What a step printed since it was ready. */
uint64_t backgrounds_bytes(const struct backgrounds *backgrounds, size_t index);

#endif
