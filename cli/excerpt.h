/* cli/excerpt.h - the first and the last lines of an output of any size. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_EXCERPT_H
#define CLI_EXCERPT_H

#include "base/strbuf.h"

#include <stdint.h>

/** Longest start of a line that is kept. */
#define EXCERPT_LINE_MAX 400

struct excerpt;

/** Keep `head` first and `tail` last lines, of what is added. */
MUST_USE struct excerpt *excerpt_new(size_t head, size_t tail);
void excerpt_free(struct excerpt *excerpt);
OWNER(excerpt)

/** `line` is clean (cli/text.h), without a newline; copied. */
void excerpt_add(struct excerpt *excerpt, const char *line, size_t len);

/** All lines that were added. */
uint64_t excerpt_count(const struct excerpt *excerpt);
/** The last lines that are kept, `back` = 0 the very last; NULL: none. */
const char *excerpt_last(const struct excerpt *excerpt, size_t back);

/**
 * Add what is kept to `out`, `prefix` in front of each line, and between head
 * and tail how many lines were left out.
 */
void excerpt_print(const struct excerpt *excerpt, const char *prefix,
                   struct strbuf *out);

#endif
