/* cli/review_output.h - what a review found, in several formats. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_REVIEW_OUTPUT_H
#define CLI_REVIEW_OUTPUT_H

#include "base/strbuf.h"
#include "pipelines/findings/findings.h"

enum review_format {
    REVIEW_TEXT,   /* path:line:column: severity: message, why, a suggestion */
    REVIEW_JSON,   /* schemas/findings.schema.json */
    REVIEW_RDJSON, /* pipelines/findings/write.h, as the next */
    REVIEW_SARIF,
    REVIEW_MD, /* the summary as Git hosts show it */
    REVIEW_FORMAT_COUNT
};

/** "text" … "md"; -1: there is no such format. */
int review_format_find(const char *name);

/** Add the whole document; texts of strangers in it do no harm. */
void review_output_add(struct strbuf *out, enum review_format format,
                       const struct findings *findings);

/**
 * The findings of all steps of a result (schemas/result.schema.json); owned by
 * the caller. NULL: no step has any list of them.
 */
MUST_USE struct findings *review_findings_of(const json_t *result);

/** How many are at least as bad as `severity`. */
size_t review_count(const struct findings *findings,
                    enum finding_severity severity);

/**
 * A line or two about how it went: what was compared, what it cost, what was
 * not looked at. Nothing without a step that reviewed.
 */
void review_facts_add(struct strbuf *out, const json_t *result);

#endif
