/* worker/job/tools.h - programs of the worker's that ask a model, inside. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_JOB_TOOLS_H
#define WORKER_JOB_TOOLS_H

#include "worker/job/start.h"
#include "worker/sandbox/sandbox.h"

/*
 * A job with a step that has a model finds these at TOOLS_INSIDE, read-only,
 * and in front of its PATH: `opencode`, the shim, and `berth-review`
 * (worker/opencode/); and what `berth setup opencode` installed below the state
 * directory, if it did: `opencode.bin`, the real one, and `rg`.
 */
#define TOOLS_INSIDE "/run/berth/tools"

/** Below the state directory: what is installed, and its description. */
#define TOOLS_DIR         "tools"
#define TOOLS_PROGRAM     "opencode.bin"
#define TOOLS_DESCRIPTION "opencode.json" /* {"version", "dialect", "dir"} */

/** Whether a step of it has a model. */
bool tools_wanted(const struct pipeline *pipeline);

/**
 * Bind them into a sandbox of the job, once; nothing for a job that wants none.
 * What is bound is in mounts of this process. ERR_TRANSIENT.
 */
MUST_USE int tools_bind(const struct job_start *start,
                        const struct sandbox_driver *driver,
                        struct sandbox *sandbox, struct err *err);

/**
 * Put them in front of the PATH of a step, and say which opencode is there
 * (BERTH_OPENCODE_DIALECT), unless the step says it.
 */
void tools_env(const struct job_start *start, size_t index, struct strv *env);

#endif
