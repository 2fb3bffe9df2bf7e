/* cli/text.h - a stranger's output made safe for a terminal, and its width. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include "base/mem.h"
#include "base/strbuf.h"

#include <stdbool.h>

/** Longest line that is kept; of a longer one the rest is counted. */
#define TEXT_LINE_MAX 8192

/** Whether the user's locale has UTF-8: more than ASCII can be drawn. */
bool text_is_utf8(void);

/** Columns that `len` bytes of cleaned UTF-8 take. */
size_t text_columns(const char *text, size_t len);
/** The bytes of the longest start of `text` that fits `columns`. */
size_t text_fit(const char *text, size_t len, size_t columns);
/** Add `text` cut to `columns`, ended with "…" or "~" where it was cut. */
void text_add_fit(struct strbuf *out, const char *text, size_t len,
                  size_t columns, bool ascii);

/** Add `text` (clean), with spaces around it to fill `columns`. */
void text_add_cell(struct strbuf *out, const char *text, size_t columns,
                   bool right);

struct text_cleaner;

/** One line, whole and clean: valid UTF-8, no newline; valid during the call.
 */
typedef void text_line_fn(void *arg, const char *line, size_t len);

/**
 * Take bytes as a program wrote them to its terminal, give lines that may be
 * printed anywhere: escape sequences (CSI, OSC, DCS …, 7-bit and C1), other
 * control characters and invisible ones, such as turn the direction of text
 * around, are left out; what is not UTF-8 becomes U+FFFD; tabs become spaces; a
 * backspace takes a character away; text behind a carriage return replaces the
 * line. Sequences may be split between feeds in any way. A newline ends every
 * sequence.
 */
MUST_USE struct text_cleaner *text_cleaner_new(text_line_fn *on_line,
                                               void *arg);
void text_cleaner_free(struct text_cleaner *cleaner);
OWNER(text_cleaner)

void text_cleaner_feed(struct text_cleaner *cleaner, const void *data,
                       size_t len);
/** No more comes: give a last line that had no newline. */
void text_cleaner_end(struct text_cleaner *cleaner);
/** The line so far, not yet ended: for a live view. Borrowed, NUL-ended. */
const char *text_cleaner_partial(const struct text_cleaner *cleaner);

/** Add one text (a name, a message) cleaned; newlines become spaces. */
void text_add_clean(struct strbuf *out, const char *text);

/** Add several lines cleaned, each ended with a newline. */
void text_add_clean_lines(struct strbuf *out, const char *text, size_t len);

#endif
