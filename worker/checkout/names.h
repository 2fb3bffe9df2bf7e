/* worker/checkout/names.h - file names that a stranger's tree may not have. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CHECKOUT_NAMES_H
#define WORKER_CHECKOUT_NAMES_H

#include "base/depth.h"

#include <stdbool.h>
#include <stddef.h>

#define NAME_MAX_BYTES 255
#define PATH_MAX_BYTES 3500 /* leaves room for where the tree lies */
#define PATH_MAX_DEPTH TREE_MAX_DEPTH

/**
 * What is wrong with one component of a path in a tree, as the end of a
 * sentence ("is empty"), or NULL when it is fine. Whatever some file system
 * takes for `.git` is wrong on all: .GIT, git~1, `.git ` and `.git.`,
 * `.git::$DATA`, .g<zero width joiner>it; so is `.`, `..`, a '/' or a NUL.
 */
const char *name_fault(const char *name, size_t len);

/** The same for a relative path: every component, its length, its depth. */
const char *path_fault(const char *path);

/** Whether `path` is a pattern of protocol.h: its last name has a `*`. */
bool path_is_pattern(const char *path);

/** Whether some file system would take `name` for ".gitmodules". */
bool name_is_gitmodules(const char *name, size_t len);

#endif
