/* pipelines/review/skip.h - files of a change that nobody should review. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINES_REVIEW_SKIP_H
#define PIPELINES_REVIEW_SKIP_H

#include "pipelines/diff/diff.h"

/**
 * Why a file of a change is left out: binary, a lock file, generated, vendored,
 * nothing but a new name or mode, not among `paths` (as in review.h). NULL: it
 * is to be reviewed. Static.
 */
const char *skip_why(const struct diff_file *file, const struct strv *paths);

/** Whether a path is among patterns, `!` in front of those that are not. */
bool skip_wanted(const struct strv *patterns, const char *path);

#endif
