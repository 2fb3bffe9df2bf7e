/* cli/secret_option.h - --secret of `berth run`. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_SECRET_OPTION_H
#define CLI_SECRET_OPTION_H

#include "pipelines/pipeline.h"

/**
 * Add "secrets" and, of those that `pipeline` names and nobody gave,
 * "secrets_missing" (worker/job/events.h) to `message`. `given` has NAME=FILE,
 * or NAME of a variable, which is taken out of the environment. ERR_USER.
 */
MUST_USE int secret_options_add(const struct strv *given,
                                const struct pipeline *pipeline,
                                json_t *message, struct err *err);

/** Wipe what was added. NULL is fine. */
void secret_options_wipe(json_t *message);

#endif
