/* cli/style.h - colours, marks and words of what berth prints. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_STYLE_H
#define CLI_STYLE_H

#include "base/strbuf.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct style {
    bool colour; /* escape sequences are welcome */
    bool ascii;  /* the locale shows no more */
};

/**
 * How to print to `fd`: colours on a terminal unless NO_COLOR is set. True: it
 * is a terminal on which lines can be drawn anew.
 */
bool style_choose(int fd, struct style *out);

enum tint { TINT_RED, TINT_GREEN, TINT_YELLOW, TINT_DIM, TINT_BOLD };

/** Add `text` in a colour, or as it is where colours are off. */
void style_add(const struct style *style, enum tint tint, const char *text,
               struct strbuf *out);

/** Add the mark of "passed", "failed", "skipped" or "cancelled": "✓". */
void style_add_mark(const struct style *style, const char *outcome,
                    struct strbuf *out);
/** The colour of an outcome's word. */
enum tint style_outcome_tint(const char *outcome);

/** The spinner's `frame`-th picture. Static, one column wide. */
const char *style_spinner(const struct style *style, uint64_t frame);
/** What stands in front of a step's output: "  │ ". Static. */
const char *style_gutter(const struct style *style);

/**
 * Add in a few words why a step (of schemas/result.schema.json) ended as it
 * did: "exit code 1", "killed by SIGKILL, 3 attempts", "timed out"; nothing
 * when there is nothing to say.
 */
void style_add_detail(const json_t *step, struct strbuf *out);

#endif
