/* pipelines/diff/place.h - where in a diff a remark can stand. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINES_DIFF_PLACE_H
#define PIPELINES_DIFF_PLACE_H

#include "pipelines/diff/diff.h"

/** Lines of a file on one side. */
struct diff_range {
    const char *path;
    enum diff_side side;
    uint32_t line;     /* from 1; 0: the whole file */
    uint32_t end_line; /* not before it; 0: the same */
};

enum diff_where {
    DIFF_OUTSIDE, /* the file is not in the diff */
    DIFF_IN_FILE, /* it is, but no hunk shows the lines */
    DIFF_INLINE,
};

/** All of it is borrowed from the diff. */
struct diff_place {
    enum diff_where where;
    const struct diff_file *file; /* NULL outside */
    const struct diff_hunk *hunk; /* the rest: inline only */
    enum diff_side side;
    const struct diff_line *start, *end; /* of the hunk; the same for one */
    bool clipped; /* the range has lines that the hunk does not show */
};

/**
 * Place a range: inline if a hunk shows any of it, from the first line shown to
 * the last one in the same hunk, which is what hosts ask of several lines.
 */
struct diff_place diff_place(const struct diff *diff,
                             const struct diff_range *range);

/**
 * The numbers that GitLab calls old_line and new_line: one of an added or
 * removed line, both of an unchanged one; 0: not that one.
 */
void diff_line_pair(const struct diff_line *line, uint32_t *out_old,
                    uint32_t *out_new);

/** "<SHA-1 of the path>_<old>_<new>", GitLab's name for a line of a diff. */
#define DIFF_LINE_CODE_SIZE 64
const char *diff_line_code(const struct diff_file *file,
                           const struct diff_line *line,
                           char out[DIFF_LINE_CODE_SIZE]);

/**
 * Look for quoted code (lines, maybe with the signs of the diff) on a side of
 * a file, whatever its white space: whole lines, of several places the one
 * nearest to line `near`; else part of one line if no other has it. Sets the
 * lines of `*out_range`. False: it is not there.
 */
bool diff_find(const struct diff_file *file, enum diff_side side,
               const char *code, uint32_t near, struct diff_range *out_range);

/**
 * Whether the lines of a range, which one hunk must show, say what is quoted,
 * as diff_find() compares.
 */
bool diff_says(const struct diff_file *file, const struct diff_range *range,
               const char *code);

#endif
