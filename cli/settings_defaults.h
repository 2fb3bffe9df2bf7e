/* cli/settings_defaults.h - values that the host decides. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_SETTINGS_DEFAULTS_H
#define CLI_SETTINGS_DEFAULTS_H

/*
 * All of base/config.h's `derive`: the text of a value, owned by the caller,
 * from `values`, the settings so far.
 */

/** The host's name, as far as it makes a name of a worker. */
char *settings_default_name(const void *values);
/** How many processors there are for us. */
char *settings_default_capacity(const void *values);
char *settings_default_state(const void *values);
/** Below `state_dir`, as the next. */
char *settings_default_log_store(const void *values);
char *settings_default_cache(const void *values);

#endif
