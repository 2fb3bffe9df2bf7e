/* cli/env_file.h - KEY=VALUE files, and k=v arguments. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_ENV_FILE_H
#define CLI_ENV_FILE_H

#include "base/err.h"

#define ENV_FILE_MAX_BYTES   ((size_t)1 << 20)
#define ENV_FILE_MAX_ENTRIES 512
#define ENV_VALUE_MAX        ((size_t)64 << 10) /* a value; a name: 256 */

/**
 * Read the lines of `text` (of `len` bytes; named `file` in messages) into
 * `env`, later ones in place of earlier ones:
 *
 *   # a comment, and empty lines
 *   NAME=value               to the end of the line, or to " #"; trimmed
 *   export NAME=value        the same
 *   NAME="a\nb \"c\" \$d"    escapes \n \r \t \\ \" \$; may have more lines
 *   NAME='as it is'          no escapes; may have more lines
 *
 * Nothing is expanded. ERR_USER names file:line:column and never quotes a
 * value: it may be a secret. `env` may hold some entries then.
 */
MUST_USE int env_file_parse(const char *file, const char *text, size_t len,
                            struct strv *env, struct err *err);

/** The same for a file; "-" is not standard input but a file of that name. */
MUST_USE int env_file_load(const char *file, struct strv *env, struct err *err);

/**
 * Add one `name=value` to `entries`; `option` names it in messages. Names are
 * [A-Za-z_][A-Za-z0-9_-]*. ERR_USER; also for a name that is there already.
 */
MUST_USE int env_add_argument(const char *option, const char *argument,
                              struct strv *entries, struct err *err);

#endif
