/* pipelines/review/chunk.h - a change as a model reads it, in parts. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINES_REVIEW_CHUNK_H
#define PIPELINES_REVIEW_CHUNK_H

#include "base/strbuf.h"
#include "pipelines/diff/diff.h"

struct chunk {
    char *text; /* owned */
    size_t files;
};

struct chunk_list {
    struct chunk *items; /* owned */
    size_t count;
    size_t unseen; /* lines of written files that are not, or only in part */
};
void chunk_list_clear(struct chunk_list *list);

/**
 * Write files with both numbers of each line, `count` of them, in order, into
 * as few chunks of up to `max_bytes` as that takes without parting a file that
 * fits into one; else its hunks are parted, and the lines of one that is
 * larger. Of a line there are 2000 bytes. Files that find no room in
 * `max_chunks` are not written: `out_written[i]` says which are.
 */
void chunk_make(const struct diff_file *const *files, size_t count,
                size_t max_bytes, size_t max_chunks, struct chunk_list *out,
                bool *out_written);

/** The lines of a file on both sides of a range of its new side, as above. */
void chunk_excerpt(struct strbuf *out, const struct diff_file *file,
                   enum diff_side side, uint32_t line, uint32_t end_line,
                   uint32_t around);

#endif
