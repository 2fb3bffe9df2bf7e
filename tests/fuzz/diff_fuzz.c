/* tests/fuzz/diff_fuzz.c - diffs of any bytes, and places in them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/diff/place.h"
#include "tests/fuzz/fuzz.h"

/* Each line is found again by its number, on each side that it is on. */
static void check_line(const struct diff *diff, const struct diff_file *file,
                       const struct diff_hunk *hunk,
                       const struct diff_line *line)
{
    for (unsigned s = 0; s < 2; s++) {
        enum diff_side side = s ? DIFF_OLD : DIFF_NEW;
        struct diff_range range = {diff_file_path(file, side), side,
                                   diff_line_number(line, side), 0};
        const struct diff_hunk *found = NULL;
        struct diff_place place;

        if (!diff_line_on(line, side))
            continue;
        require(diff_line_at(file, side, range.line, &found) == line);
        require(found == hunk);
        place = diff_place(diff, &range);
        require(place.where != DIFF_OUTSIDE);
        if (place.file == file)
            require(place.where == DIFF_INLINE && place.start == line &&
                    place.end == line && !place.clipped);
    }
}

static void check_hunk(const struct diff *diff, const struct diff_file *file,
                       const struct diff_hunk *hunk)
{
    uint32_t old_lines = 0, new_lines = 0;

    for (size_t i = 0; i < hunk->count; i++) {
        const struct diff_line *line = &hunk->lines[i];

        require(line->old_line == hunk->old_start + old_lines);
        require(line->new_line == hunk->new_start + new_lines);
        require(!memchr(line->text, '\n', line->len));
        old_lines += diff_line_on(line, DIFF_OLD);
        new_lines += diff_line_on(line, DIFF_NEW);
        check_line(diff, file, hunk, line);
    }
    if (hunk->cut)
        require(old_lines <= hunk->old_count && new_lines <= hunk->new_count &&
                file->cut && diff->cut);
    else
        require(old_lines == hunk->old_count && new_lines == hunk->new_count);
}

static void find_again(const struct diff_file *file)
{
    char code[256];

    if (!file->hunk_count || !file->hunks[0].count)
        return;
    for (size_t i = 0; i < file->hunks[0].count && i < 8; i++) {
        const struct diff_line *line = &file->hunks[0].lines[i];
        struct diff_range range = {file->new_path, DIFF_NEW, 0, 0};

        if (line->len >= sizeof(code) || line->kind == DIFF_REMOVED)
            continue;
        memcpy(code, line->text, line->len);
        code[line->len] = '\0';
        if (diff_find(file, DIFF_NEW, code, line->new_line, &range))
            require(diff_says(file, &range, code));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(diff)
    struct diff *diff =
        diff_parse((const char *)data, size, size && data[size - 1] == 'T');

    for (size_t i = 0; i < diff->count; i++) {
        const struct diff_file *file = &diff->files[i];

        require(*file->old_path && *file->new_path);
        require(diff_file_find(diff, file->new_path, DIFF_NEW) &&
                diff_file_find(diff, file->old_path, DIFF_OLD));
        for (size_t h = 0; h < file->hunk_count; h++)
            check_hunk(diff, file, &file->hunks[h]);
        find_again(file);
    }
    return 0;
}
