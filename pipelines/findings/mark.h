/* pipelines/findings/mark.h - how we know our own comments again. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINES_FINDINGS_MARK_H
#define PIPELINES_FINDINGS_MARK_H

#include "base/strbuf.h"

#include <stdbool.h>

#define MARK_MAX_VALUE 512u /* bytes */

/**
 * Add the first line of a body, which shows nothing: `<!-- berth:KIND VALUE
 * -->`. `kind` is a word of ours ("finding", "summary"), `value` any text of up
 * to MARK_MAX_VALUE bytes.
 */
void mark_write(struct strbuf *out, const char *kind, const char *value);

/**
 * Read it back: only from the very first line, where nobody else's text stands
 * in what we write. That the author of the comment is us is for the caller to
 * see to. Sets `out_value` to the value. False: there is none of that kind.
 */
bool mark_read(const char *body, const char *kind, struct strbuf *out_value);

/**
 * Add the marks of a kind that follow the first line without a gap, as
 * mark_write() writes them: the pipelines that a comment is of.
 */
void mark_rest(const char *body, const char *kind, struct strbuf *out);
/** Whether this one is among them. */
bool mark_among(const char *marks, const char *kind, const char *value);
/** The body without this one; owned by the caller. */
MUST_USE char *mark_remove(const char *body, const char *kind,
                           const char *value);

#endif
