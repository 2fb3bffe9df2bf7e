/* pipelines/findings/fingerprint.h - the same finding, push after push. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINES_FINDINGS_FINGERPRINT_H
#define PIPELINES_FINDINGS_FINGERPRINT_H

#include "pipelines/findings/findings.h"

/**
 * The text of a line of a file, of `*out_len` bytes, borrowed until the next
 * call; NULL: not known.
 */
typedef const char *finding_line_fn(void *arg, const char *path,
                                    enum diff_side side, uint32_t line,
                                    size_t *out_len);

/**
 * Set the fingerprint of each finding that has none: a hash over tool, rule,
 * path, side, the text of its line and of the lines around it (white space
 * does not count), and which of those with the same it is, from the top of the
 * file. So it stays when lines move. Where the text is not known (`line_of`
 * NULL: nowhere) the message counts, save for numbers in it; of a test it is
 * only its name.
 */
void findings_fingerprint(struct findings *findings, finding_line_fn *line_of,
                          void *arg);

/** A finding_line_fn whose `arg` is a const struct diff. */
const char *fingerprint_diff_line(void *diff, const char *path,
                                  enum diff_side side, uint32_t line,
                                  size_t *out_len);

/** Whether it is one: FINGERPRINT_SIZE - 1 hexadecimal digits. */
bool fingerprint_ok(const char *text);

#endif
