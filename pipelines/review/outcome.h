/* pipelines/review/outcome.h - what a job's result says of its reviews. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINES_REVIEW_OUTCOME_H
#define PIPELINES_REVIEW_OUTCOME_H

#include "base/strbuf.h"

#include <jansson.h>
#include <stdbool.h>

/*
 * All take a result (schemas/result.schema.json), which may be any JSON, or
 * NULL: its texts are strangers'.
 */

#define OUTCOME_MAX_FINDINGS 50u
/* Bytes of those that are whole; of a text of the others. */
#define OUTCOME_MAX_WHOLE ((size_t)96 << 10)
#define OUTCOME_MAX_TEXT  ((size_t)400)

/**
 * Add, as Markdown, for the foot of a summary: what each step that reviewed
 * compared, with which model, how long it took and what it cost; what was left
 * out, not reviewed, or refuted. Nothing where no step did.
 */
void outcome_note(struct strbuf *out, const json_t *result);

/**
 * What the next review of the same change is told of this one: the `previous`
 * of a job document (schemas/job.schema.json), with the first findings. The
 * next result tells again of those that stand, so they are whole as long as
 * there is room; then without reasons and fixes, and their texts are cut, which
 * they say. Those beyond are counted as `overflow`. Owned by the caller. NULL:
 * no step reviewed all that it was to review, so that its commit must not count
 * as looked at.
 */
MUST_USE json_t *outcome_previous(const json_t *result);

/** Whether a review gave no answer of use about a part of what it was to. */
bool outcome_is_partial(const json_t *result);

#endif
