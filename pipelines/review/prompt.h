/* pipelines/review/prompt.h - what a model is told. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINES_REVIEW_PROMPT_H
#define PIPELINES_REVIEW_PROMPT_H

#include "base/strbuf.h"
#include "pipelines/review/review.h"

/*
 * Each adds a whole question. What comes from whoever wrote the change stands
 * between lines with the nonce, which are taken out of it, and is called data.
 */

/** What is wrong with a part of a change. `part`: from 1. */
void prompt_find(struct strbuf *out, const struct review_options *options,
                 const char *chunk, size_t part, size_t parts);

/** The same once more, for `answer` was not what was asked for: `why`. */
void prompt_repair(struct strbuf *out, const struct review_options *options,
                   const char *answer, size_t len, const char *why);

/** Which of these do not stand; each is at its place in `diff`. */
void prompt_verify(struct strbuf *out, const struct review_options *options,
                   const struct diff *diff, const struct finding *const *items,
                   size_t count);

/** Bytes that a question of prompt_find() takes without its chunk. */
size_t prompt_overhead(const struct review_options *options);

#endif
