/* cli/model_setup.h - whether this machine can ask a model. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_MODEL_SETUP_H
#define CLI_MODEL_SETUP_H

#include "cli/settings.h"

/**
 * Whether the configuration has a model of that name (NULL: any), and opencode
 * is here. ERR_USER: what is missing, and what to write where, or to run.
 */
MUST_USE int model_setup_check(const struct settings_options *options,
                               const char *model, struct err *err);

#endif
