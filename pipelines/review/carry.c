/* pipelines/review/carry.c - what an earlier review found, and still stands. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/review/carry.h"

#include "base/arena.h"

#include <string.h>

/* Whether a hunk leaves the old lines from `first` to `last` as they were. */
static bool leaves(const struct diff_hunk *hunk, uint32_t first, uint32_t last)
{
    for (size_t i = 0; i < hunk->count; i++) {
        const struct diff_line *line = &hunk->lines[i];

        if (line->kind == DIFF_REMOVED && line->old_line >= first &&
            line->old_line <= last)
            return false;
        /* In between; what is put in front of all of them moves them. */
        if (line->kind == DIFF_ADDED && line->old_line > first &&
            line->old_line <= last)
            return false;
    }
    return true;
}

/* By how much a hunk moves what begins at an old line. */
static int64_t shift_of(const struct diff_hunk *hunk, uint32_t first)
{
    int64_t shift = 0;

    for (size_t i = 0; i < hunk->count; i++) {
        const struct diff_line *line = &hunk->lines[i];

        if (line->kind == DIFF_ADDED && line->old_line <= first)
            shift++;
        else if (line->kind == DIFF_REMOVED && line->old_line < first)
            shift--;
    }
    return shift;
}

static uint32_t moved(uint32_t line, int64_t shift)
{
    int64_t now = (int64_t)line + shift;

    return !line || now < 1 || now > (int64_t)FINDING_MAX_LINE ? line
                                                               : (uint32_t)now;
}

/* The file of which `path` was the old name. */
static const struct diff_file *find_old(const struct diff *diff,
                                        const char *path)
{
    const struct diff_file *file = diff_file_find(diff, path, DIFF_OLD);

    if (!file || strcmp(file->old_path, path) != 0 ||
        file->status == DIFF_NEW_FILE || file->status == DIFF_COPIED)
        return NULL;
    return file;
}

static bool stands(struct findings *list, struct finding *finding,
                   const struct diff *diff)
{
    const struct diff_file *file =
        *finding->path ? find_old(diff, finding->path) : NULL;
    uint32_t last =
        finding->end_line > finding->line ? finding->end_line : finding->line;
    int64_t shift = 0;

    /* Lines that the change removed are not of the commit before this. */
    if (!file || finding->side == DIFF_OLD)
        return true;
    if (file->status == DIFF_DELETED)
        return false;
    for (size_t i = 0; finding->line && i < file->hunk_count; i++) {
        if (!leaves(&file->hunks[i], finding->line, last))
            return false;
        shift += shift_of(&file->hunks[i], finding->line);
    }
    finding->path =
        arena_strndup(list->arena, file->new_path, strlen(file->new_path));
    finding->line = moved(finding->line, shift);
    finding->end_line = moved(finding->end_line, shift);
    finding->fix.line = moved(finding->fix.line, shift);
    finding->fix.end_line = moved(finding->fix.end_line, shift);
    return true;
}

void carry_over(struct findings *earlier, const struct diff *diff)
{
    size_t kept = 0;

    for (size_t i = 0; i < earlier->count; i++)
        if (stands(earlier, &earlier->items[i], diff))
            earlier->items[kept++] = earlier->items[i];
    earlier->count = kept;
}
