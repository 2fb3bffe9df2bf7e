/* scheduler/report/post/words.h - what checks and summaries say. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_REPORT_POST_WORDS_H
#define SCHEDULER_REPORT_POST_WORDS_H

#include "scheduler/report/post/ask.h"
#include "scheduler/report/post/outline.h"

/** One line: "2 errors, 1 warning", "Timed out"; `findings` NULL: none. */
MUST_USE char *words_title(const struct report_ask *ask,
                           const struct findings *findings);
/** Markdown for the check, never "". */
MUST_USE char *words_check(const struct report_ask *ask, const char *title,
                           const struct findings *findings);
/** The one comment: a row for each finding of the outline that is one. */
MUST_USE char *words_summary(const struct report_ask *ask,
                             const struct outline *outline, size_t max);
/** For a comment whose finding is not there any more. */
MUST_USE char *words_fixed(const char *fingerprint);

/**
 * Annotations, the worst first: findings with a place in the files that the
 * outline does not show inline, or with `all` whatever it says. `*out_left` is
 * how many there were beyond WORDS_MAX_ANNOTATIONS. In `arena`.
 */
#define WORDS_MAX_ANNOTATIONS 500
struct check_annotation *words_annotations(struct arena *arena,
                                           const struct outline *outline,
                                           bool all, size_t *out_count,
                                           size_t *out_left);

#endif
