/* worker/job/grants.h - the secrets of a step, while it runs. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_JOB_GRANTS_H
#define WORKER_JOB_GRANTS_H

#include "worker/job/machine.h"

struct grants;

/** From the loop, once. `err` NULL: it is so; else ERR_USER, ERR_TRANSIENT. */
typedef void grants_fn(void *arg, const struct err *err);

/**
 * Add the variables that are secrets of step `index` to `env`, in place of
 * others of their names. ERR_USER: the step may not have, or there is not, a
 * secret that it cannot do without; none of `env` is changed then.
 */
MUST_USE int grants_env(const struct job_start *start, size_t index,
                        struct strv *env, struct err *err);

/** Both borrowed; they outlive it. Nothing is granted yet. */
MUST_USE struct grants *grants_new(struct loop *loop, struct machine *machine,
                                   const struct job_start *start);
/** Tells nothing any more; what was granted goes with the machine. */
void grants_free(struct grants *grants);
OWNER(grants)

/** Whether step `index` has files or fields, so that it has to be opened. */
bool grants_wanted(const struct grants *grants, size_t index);
/** Put its files in place and have the gateway inject its fields. */
void grants_open(struct grants *grants, size_t index, grants_fn *done,
                 void *arg);
/**
 * Remove its files and fields, but those of other steps that are open; `done`
 * (may be NULL) when none is used any more. Of one that is not open, nothing.
 */
void grants_close(struct grants *grants, size_t index, grants_fn *done,
                  void *arg);
/** The one who waits is gone: tell nothing. */
void grants_forget(struct grants *grants);
/** The sandbox or its gateway is dead: nobody has to wait for either. */
void grants_lost(struct grants *grants);

#endif
