/* worker/opencode/base.h - what the base of a change vouches for. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_OPENCODE_BASE_H
#define WORKER_OPENCODE_BASE_H

#include "base/mem.h"
#include "pipelines/diff/diff.h"

/** Lists for a struct skip_base (pipelines/review/skip.h). */
struct base_files {
    struct strv files, marked;
};

#define BASE_MAX_BYTES  ((size_t)64 << 20) /* of all names */
#define BASE_MAX_MARKED 500u               /* files that are looked into */

/**
 * Ask git what the commit of `base` (as in git_base()) has: its files, and
 * which of those that `diff` shows as generated were so before. What is beyond
 * the limits, or cannot be read, is left out: nobody vouches for it.
 */
void base_read(const char *dir, const char *base, const struct diff *diff,
               struct base_files *out);
void base_clear(struct base_files *files);

#endif
