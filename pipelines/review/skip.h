/* pipelines/review/skip.h - files of a change that nobody should review. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINES_REVIEW_SKIP_H
#define PIPELINES_REVIEW_SKIP_H

#include "pipelines/diff/diff.h"

/**
 * What the base of a change vouches for: else a change could call its own code
 * generated or vendored, and nobody would see it. Both are sorted by bytes.
 */
struct skip_base {
    const struct strv *files;  /* all of its paths */
    const struct strv *marked; /* those of which skip_head_says() is true */
};

/**
 * Why a file of a change is left out: binary, a lock file, nothing but a new
 * name or mode, not among `paths` (as in review.h); generated, if that very
 * file was there before, or vendored, if the directory was. `base` NULL:
 * nothing is known to have been there. NULL: it is to be reviewed. Static.
 */
const char *skip_why(const struct diff_file *file, const struct strv *paths,
                     const struct skip_base *base);

/** Whether a file says in its first lines that it is generated. */
bool skip_head_says(const char *text, size_t len);
/** The same, as far as a change shows these lines, as it leaves them. */
bool skip_says_generated(const struct diff_file *file);

/** Whether a path is among patterns, `!` in front of those that are not. */
bool skip_wanted(const struct strv *patterns, const char *path);

#endif
