/* pipelines/findings/markdown.h - Markdown with texts of strangers in it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINES_FINDINGS_MARKDOWN_H
#define PIPELINES_FINDINGS_MARKDOWN_H

#include "base/strbuf.h"

/*
 * For comments on GitHub, GitLab, Gitea and Forgejo. A text that goes through
 * here shows as it is, but for characters that cannot be seen. It does not
 * mention people, issues or commits, link, command (GitLab's /quick actions),
 * hide, load pictures or set mathematics, and ends where it ends.
 */

#define MARKDOWN_TABLE 1U /* for a cell of a table: one line */

/**
 * Prose. `code spans` in it stay; lines stay lines, empty lines paragraphs.
 */
void markdown_text(struct strbuf *out, const char *text, unsigned flags);

/** A code span, one line of it. */
void markdown_code(struct strbuf *out, const char *text, unsigned flags);

/**
 * A block between fences that are longer than any in it, on lines of its own.
 * `info` is ours: "", "text", "suggestion"… With "suggestion…" the text is
 * written as it stands, for remark.h has looked at it.
 */
void markdown_fence(struct strbuf *out, const char *info, const char *text);

/** Characters as hosts count them: those beyond 16 bits twice. */
size_t markdown_count(const char *text, size_t len);

/**
 * Cut a whole body, made with the functions above, to `max` characters, with
 * `note` (ours) behind it: at the end of a line, or inside a block at a
 * character, and then the block is closed. Nothing happens to one that fits.
 */
void markdown_cut(struct strbuf *body, size_t max, const char *note);

#endif
