/* pipelines/findings/comment.h - findings as people read them on a host. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINES_FINDINGS_COMMENT_H
#define PIPELINES_FINDINGS_COMMENT_H

#include "base/strbuf.h"
#include "pipelines/findings/remark.h"

/** How a host wants changes to be suggested. */
enum suggestion_style {
    SUGGESTION_NONE,   /* it has no such thing: the code is shown */
    SUGGESTION_GITHUB, /* ```suggestion: in place of the comment's lines */
    SUGGESTION_GITLAB, /* ```suggestion:-N+0: the comment is at the last one */
};

struct comment_style {
    enum suggestion_style suggestion;
    size_t max;           /* characters of a body, as markdown_count() counts */
    const char *pipeline; /* who found it; NULL or "": it is not said */
    const char *marks;    /* others who did, of mark_rest(); NULL: nobody */
};

/**
 * The body of the comment of a finding, with its fingerprint as the mark
 * "finding" on the first line, and the pipelines' names as marks "pipeline" on
 * the next ones; owned by the caller. One that does not fit goes without its
 * suggestion, and is then cut, which it says.
 */
MUST_USE char *comment_write(const struct remark *remark,
                             const struct comment_style *style);

struct summary_spec {
    const char *key;   /* of the mark "summary": one a change and pipeline */
    const char *title; /* plain text */
    size_t max_rows;   /* of the table */
    size_t max;        /* characters of the body */
    /* Whether a finding is to have a row; NULL: all are. */
    bool (*listed)(void *arg, const struct finding *finding);
    void *arg;
};

/**
 * The body of the one comment of a change: what was counted, then a table of
 * the findings, the worst first, and how many had no room ("+12 more in the
 * log"). Owned by the caller.
 */
MUST_USE char *summary_write(const struct findings *findings,
                             const struct summary_spec *spec);

/** "2 errors, 1 warning; 12 tests passed, 1 failed", or "no findings". */
void summary_counts(struct strbuf *out, const struct findings *findings);

#endif
