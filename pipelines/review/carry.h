/* pipelines/review/carry.h - what an earlier review found, and still stands. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINES_REVIEW_CARRY_H
#define PIPELINES_REVIEW_CARRY_H

#include "pipelines/diff/diff.h"
#include "pipelines/findings/findings.h"

/**
 * `earlier` was found in a commit, and `diff` leads from that one to now. Take
 * out what is about lines that are not as they were, or are gone: it is fixed,
 * or will be found again. The rest is put at where its lines are now. What the
 * diff does not tell stays.
 */
void carry_over(struct findings *earlier, const struct diff *diff);

#endif
