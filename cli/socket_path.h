/* cli/socket_path.h - a place for a socket whose address is short enough. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_SOCKET_PATH_H
#define CLI_SOCKET_PATH_H

#include "base/err.h"

/** Longest path that fits a socket's address (unix(7)), without its NUL. */
#define SOCKET_PATH_MAX 107

/**
 * `<dir>/<name>` where that is short enough; else a name made from a digest
 * of it, in the first of these that can be had: /run/berth (root),
 * $XDG_RUNTIME_DIR/berth, /tmp/berth-<uid>. That directory is made (0700), and
 * refused if it is not a directory of this user's alone.
 * Owned by the caller. ERR_USER: none can be had.
 */
MUST_USE int socket_path(const char *dir, const char *name, char **out_path,
                         struct err *err);

#endif
