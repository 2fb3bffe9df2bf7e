/* pipelines/diff/diff.h - unified diffs: what git and its hosts write. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINES_DIFF_DIFF_H
#define PIPELINES_DIFF_DIFF_H

#include "base/mem.h"

#include <stdbool.h>
#include <stdint.h>

/* What is beyond these is left out, and the diff is `cut`. */
#define DIFF_MAX_BYTES ((size_t)32 << 20)
#define DIFF_MAX_FILES 10000u
#define DIFF_MAX_LINES 1000000u /* of all hunks together */
#define DIFF_MAX_PATH  4096u    /* bytes of a name */

enum diff_side { DIFF_NEW, DIFF_OLD };
enum diff_kind { DIFF_CONTEXT, DIFF_ADDED, DIFF_REMOVED };

/** A line of a hunk; none of it has a NUL behind it. */
struct diff_line {
    const char *text;  /* without the sign, CR and LF */
    size_t len;        /* bytes */
    uint32_t old_line; /* where there is none: that of the next that has one */
    uint32_t new_line;
    enum diff_kind kind;
    bool has_cr;     /* it ended with CR LF */
    bool no_newline; /* the last one of a file that ends so */
};

struct diff_hunk {
    /* Of the first line; where there is none, of that behind the hunk. */
    uint32_t old_start, old_count;
    uint32_t new_start, new_count;
    struct diff_line *lines;
    size_t count;
    bool cut; /* it had fewer lines than it says */
};

enum diff_status {
    DIFF_MODIFIED, /* or only its mode was */
    DIFF_NEW_FILE,
    DIFF_DELETED,
    DIFF_RENAMED,
    DIFF_COPIED,
};

struct diff_file {
    const char *old_path; /* never NULL: of a new file the same as the new, */
    const char *new_path; /* of a deleted one the same as the old */
    enum diff_status status;
    unsigned old_mode, new_mode; /* 0100644…; 0: not said */
    bool binary;
    bool cut;                /* of what was there, not all is here */
    struct diff_hunk *hunks; /* in order of their lines, none overlaps */
    size_t hunk_count;
};

struct diff {
    struct arena *arena; /* owned; all else is in it */
    struct diff_file *files;
    const struct diff_file **by_path[2]; /* sorted, for each side */
    size_t count;
    size_t line_count;
    bool cut; /* of any file, or files are missing */
};

/**
 * Read `len` bytes, of which a copy is kept: output of `git diff`, `git show`,
 * `git format-patch`, `diff -u`, or a host's `.diff`, with LF or CR LF. What
 * is no diff is passed over, and hunks that contradict themselves are left
 * out, with the file `cut`: any bytes at all give a diff, maybe an empty one.
 * `truncated`: the caller knows that the end is missing, so the last line may
 * be half of one. The result is owned by the caller.
 */
MUST_USE struct diff *diff_parse(const char *text, size_t len, bool truncated);
void diff_free(struct diff *diff);
OWNER(diff)

/**
 * The file of that name on that side, else of that name on the other one. NULL:
 * it is not in the diff.
 */
const struct diff_file *diff_file_find(const struct diff *diff,
                                       const char *path, enum diff_side side);

/** The path on a side. */
const char *diff_file_path(const struct diff_file *file, enum diff_side side);

/**
 * The line with that number on that side, and its hunk (`out_hunk`, NULL is
 * fine). NULL: no hunk shows it.
 */
const struct diff_line *diff_line_at(const struct diff_file *file,
                                     enum diff_side side, uint32_t number,
                                     const struct diff_hunk **out_hunk);

/**
 * The first hunk that has lines on that side at or behind that number; NULL:
 * none has.
 */
const struct diff_hunk *diff_hunk_behind(const struct diff_file *file,
                                         enum diff_side side, uint32_t number);

/** The line of a hunk with that number on that side, or NULL. */
const struct diff_line *diff_hunk_line(const struct diff_hunk *hunk,
                                       enum diff_side side, uint32_t number);

/** The number of a hunk's first line on a side, and how many it shows. */
uint32_t diff_hunk_start(const struct diff_hunk *hunk, enum diff_side side);
uint32_t diff_hunk_count(const struct diff_hunk *hunk, enum diff_side side);

/** Whether a line is there on a side. */
bool diff_line_on(const struct diff_line *line, enum diff_side side);
/** Its number on a side. */
uint32_t diff_line_number(const struct diff_line *line, enum diff_side side);

#endif
