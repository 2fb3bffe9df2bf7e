/* worker/secrets/file.h - a file with a secret, named by its path. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SECRETS_FILE_H
#define WORKER_SECRETS_FILE_H

#include "base/err.h"

#include <stdbool.h>

#define SECRET_FILE_MAX ((size_t)4 << 10)

/**
 * Its text without blanks and line ends at its end, owned by the caller, who
 * wipes it (secret_free_value). The file is root's or our own user's, and
 * nobody else may write it or, unless it is their group, read it; no symbolic
 * link. `*out_text` is NULL where there is no such file. ERR_USER.
 */
MUST_USE int secret_file_read(const char *path, char **out_text,
                              struct err *err);

#endif
