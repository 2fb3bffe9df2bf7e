/* pipelines/diff/diff.c - files and lines of a diff, found. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/diff/diff.h"

#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

void diff_free(struct diff *diff)
{
    if (!diff)
        return;
    arena_free(diff->arena);
    free(diff);
}

const char *diff_file_path(const struct diff_file *file, enum diff_side side)
{
    return side == DIFF_OLD ? file->old_path : file->new_path;
}

static const struct diff_file *find_on(const struct diff *diff,
                                       const char *path, enum diff_side side)
{
    const struct diff_file **files = diff->by_path[side];
    size_t low = 0, high = diff->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(diff_file_path(files[middle], side), path) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == diff->count ||
        strcmp(diff_file_path(files[low], side), path) != 0)
        return NULL;
    return files[low];
}

const struct diff_file *diff_file_find(const struct diff *diff,
                                       const char *path, enum diff_side side)
{
    const struct diff_file *file = find_on(diff, path, side);

    if (file)
        return file;
    return find_on(diff, path, side == DIFF_NEW ? DIFF_OLD : DIFF_NEW);
}

bool diff_line_on(const struct diff_line *line, enum diff_side side)
{
    return line->kind != (side == DIFF_NEW ? DIFF_REMOVED : DIFF_ADDED);
}

uint32_t diff_line_number(const struct diff_line *line, enum diff_side side)
{
    return side == DIFF_NEW ? line->new_line : line->old_line;
}

uint32_t diff_hunk_start(const struct diff_hunk *hunk, enum diff_side side)
{
    return side == DIFF_NEW ? hunk->new_start : hunk->old_start;
}

uint32_t diff_hunk_count(const struct diff_hunk *hunk, enum diff_side side)
{
    return side == DIFF_NEW ? hunk->new_count : hunk->old_count;
}

const struct diff_hunk *diff_hunk_behind(const struct diff_file *file,
                                         enum diff_side side, uint32_t number)
{
    size_t low = 0, high = file->hunk_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct diff_hunk *hunk = &file->hunks[middle];

        if (diff_hunk_start(hunk, side) + diff_hunk_count(hunk, side) <= number)
            low = middle + 1;
        else
            high = middle;
    }
    while (low < file->hunk_count && !diff_hunk_count(&file->hunks[low], side))
        low++;
    return low < file->hunk_count ? &file->hunks[low] : NULL;
}

/* The lines of a hunk count up; one that is not on the side has the number of
 * the next that is. */
const struct diff_line *diff_hunk_line(const struct diff_hunk *hunk,
                                       enum diff_side side, uint32_t number)
{
    size_t low = 0, high = hunk->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (diff_line_number(&hunk->lines[middle], side) < number)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < hunk->count; low++) {
        const struct diff_line *line = &hunk->lines[low];

        if (diff_line_number(line, side) != number)
            return NULL;
        if (diff_line_on(line, side))
            return line;
    }
    return NULL;
}

const struct diff_line *diff_line_at(const struct diff_file *file,
                                     enum diff_side side, uint32_t number,
                                     const struct diff_hunk **out_hunk)
{
    const struct diff_hunk *hunk = diff_hunk_behind(file, side, number);
    const struct diff_line *line =
        hunk ? diff_hunk_line(hunk, side, number) : NULL;

    if (line && out_hunk)
        *out_hunk = hunk;
    return line;
}
