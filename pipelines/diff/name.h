/* pipelines/diff/name.h - names of files as git writes them in diffs. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINES_DIFF_NAME_H
#define PIPELINES_DIFF_NAME_H

#include "base/arena.h"

#include <stdbool.h>

/**
 * One name at the start of `len` bytes at `s`: in quotes with C's escapes
 * (core.quotePath), else all up to a TAB or the end. Returns the name, in
 * `arena`, and how many bytes it took in `*out_used`. NULL: there is none, its
 * quotes are wrong, it has a NUL, or is longer than DIFF_MAX_PATH.
 */
MUST_USE const char *diff_name_read(struct arena *arena, const char *s,
                                    size_t len, size_t *out_used);

/**
 * Both names behind `diff --git `, which is ambiguous but where they are the
 * same (git says renames and copies on lines of their own). False: they are
 * not to be had, and the outputs are untouched.
 */
bool diff_name_pair(struct arena *arena, const char *s, size_t len,
                    const char **out_old, const char **out_new);

/**
 * Take the prefixes off two names of one file, if they have any: a/ and b/, or
 * those of diff.mnemonicPrefix; with diff.noprefix the names are equal as they
 * stand.
 */
void diff_name_strip(const char **old_name, const char **new_name);

#endif
