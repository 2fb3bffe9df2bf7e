/* worker/job/command.h - what a step of commands runs. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_JOB_COMMAND_H
#define WORKER_JOB_COMMAND_H

#include "pipelines/pipeline.h"

/** Of STEP_RUN or STEP_INSTALL: a shell, and its script, added to `argv`. */
void command_argv(const struct step *step, struct strv *argv);

#endif
