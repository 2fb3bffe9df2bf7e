/* worker/supervisor/leftovers.h - leases of a worker that was killed. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SUPERVISOR_LEFTOVERS_H
#define WORKER_SUPERVISOR_LEFTOVERS_H

#include "worker/logs/archiver.h"
#include "worker/supervisor/supervisor.h"

/*
 * A slot may be freed before its lease expires only when nothing of the job is
 * left: first its run-job must have ended, then its sandbox been swept.
 *
 *   new ─▶ await ─▶ (the owner sweeps) ─▶ release, or free: they expire
 */
struct leftovers;

/** What options->worker left in options->state_dir (held.h). All borrowed;
 * `archiver` NULL: whole logs are not kept. */
struct leftovers *leftovers_new(struct loop *loop, struct queue *queue,
                                const struct supervisor_options *options,
                                struct archiver *archiver);
/** No callback comes after it. NULL is fine. */
void leftovers_free(struct leftovers *leftovers);
OWNER(leftovers)

/** Whether a run-job of a predecessor still runs. */
bool leftovers_are_alive(const struct leftovers *leftovers);
/**
 * Call `fn` once, from the loop: when none runs any more, or after 20 s; what
 * runs then is left alone from here on.
 */
void leftovers_await(struct leftovers *leftovers, loop_timer_fn *fn, void *arg);

/**
 * Complete each as failed, worker_lost: the queue tries them again. Goes on
 * until Redis has taken, or refused, each. Their logs go from the spool to the
 * store.
 */
void leftovers_release(struct leftovers *leftovers);

#endif
