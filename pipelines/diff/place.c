/* pipelines/diff/place.c - where in a diff a remark can stand. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/diff/place.h"

#include "base/sha1.h"

#include <stdio.h>
#include <string.h>

static uint32_t range_end(const struct diff_range *range)
{
    return range->end_line > range->line ? range->end_line : range->line;
}

struct diff_place diff_place(const struct diff *diff,
                             const struct diff_range *range)
{
    struct diff_place place = {DIFF_OUTSIDE, NULL, NULL, range->side,
                               NULL,         NULL, false};
    const struct diff_hunk *hunk;
    uint32_t first, last;

    place.file = diff_file_find(diff, range->path, range->side);
    if (!place.file)
        return place;
    place.where = DIFF_IN_FILE;
    hunk = range->line ? diff_hunk_behind(place.file, range->side, range->line)
                       : NULL;
    if (!hunk)
        return place;
    first = diff_hunk_start(hunk, range->side);
    last = first + diff_hunk_count(hunk, range->side) - 1;
    if (first < range->line)
        first = range->line;
    if (last > range_end(range))
        last = range_end(range);
    if (first > last)
        return place;
    place.start = diff_hunk_line(hunk, range->side, first);
    place.end = diff_hunk_line(hunk, range->side, last);
    if (!place.start || !place.end) /* the hunk is cut */
        return place;
    place.where = DIFF_INLINE;
    place.hunk = hunk;
    place.clipped = first != range->line || last != range_end(range);
    return place;
}

void diff_line_pair(const struct diff_line *line, uint32_t *out_old,
                    uint32_t *out_new)
{
    *out_old = diff_line_on(line, DIFF_OLD) ? line->old_line : 0;
    *out_new = diff_line_on(line, DIFF_NEW) ? line->new_line : 0;
}

static const struct diff_hunk *hunk_of(const struct diff_file *file,
                                       const struct diff_line *line)
{
    for (size_t i = 0; i < file->hunk_count; i++) {
        const struct diff_hunk *hunk = &file->hunks[i];

        if (line >= hunk->lines && line < hunk->lines + hunk->count)
            return hunk;
    }
    return NULL;
}

/*
 * GitLab counts from what the hunk's header says, which of a side that has no
 * lines is the one before: 0 in files that are new or deleted.
 */
const char *diff_line_code(const struct diff_file *file,
                           const struct diff_line *line,
                           char out[DIFF_LINE_CODE_SIZE])
{
    const struct diff_hunk *hunk = hunk_of(file, line);
    uint32_t no_old = hunk && !hunk->old_count;
    uint32_t no_new = hunk && !hunk->new_count;
    uint8_t digest[SHA1_SIZE];
    size_t n = 0;

    sha1(file->new_path, strlen(file->new_path), digest);
    for (size_t i = 0; i < SHA1_SIZE; i++)
        n += (size_t)snprintf(out + n, DIFF_LINE_CODE_SIZE - n, "%02x",
                              digest[i]);
    snprintf(out + n, DIFF_LINE_CODE_SIZE - n, "_%u_%u",
             line->old_line - no_old, line->new_line - no_new);
    return out;
}

/* ---- quoted code --------------------------------------------------------- */

#define QUOTE_MAX_LINES 200
#define PART_MIN        8    /* characters: less is everywhere */
#define PART_LINE_MAX   4096 /* bytes */

struct piece {
    const char *s;
    size_t len;
};

struct quote {
    struct piece lines[QUOTE_MAX_LINES];
    size_t count;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static bool piece_empty(struct piece piece)
{
    for (size_t i = 0; i < piece.len; i++)
        if (!is_blank(piece.s[i]))
            return false;
    return true;
}

/* False: there is nothing in it, or too much. */
static bool quote_read(const char *code, struct quote *out)
{
    out->count = 0;
    while (*code) {
        size_t len = strcspn(code, "\n");
        struct piece piece = {code, len};

        code += len + (code[len] == '\n');
        if (!out->count && piece_empty(piece))
            continue;
        if (out->count == QUOTE_MAX_LINES)
            return false;
        out->lines[out->count++] = piece;
    }
    while (out->count && piece_empty(out->lines[out->count - 1]))
        out->count--;
    return out->count > 0;
}

/* Take the signs of a diff off; false: not all lines have one. */
static bool quote_unsign(struct quote *quote)
{
    for (size_t i = 0; i < quote->count; i++) {
        const struct piece *piece = &quote->lines[i];

        if (piece->len && !strchr("+- ", piece->s[0]))
            return false;
    }
    for (size_t i = 0; i < quote->count; i++) {
        struct piece *piece = &quote->lines[i];

        if (piece->len) {
            piece->s++;
            piece->len--;
        }
    }
    return true;
}

/* Whether both are the same but for blanks; `part`: `a` begins with `b`. */
static bool same(struct piece a, struct piece b, bool part)
{
    size_t i = 0, j = 0;

    for (;;) {
        while (i < a.len && is_blank(a.s[i]))
            i++;
        while (j < b.len && is_blank(b.s[j]))
            j++;
        if (j == b.len)
            return part || i == a.len;
        if (i == a.len || a.s[i++] != b.s[j++])
            return false;
    }
}

/* Whether the quote starts at line `i` of the hunk; sets the last number. */
static bool starts_at(const struct diff_hunk *hunk, size_t i,
                      enum diff_side side, const struct quote *quote,
                      uint32_t *out_last)
{
    size_t matched = 0;

    for (; i < hunk->count && matched < quote->count; i++) {
        const struct diff_line *line = &hunk->lines[i];

        if (!diff_line_on(line, side))
            continue;
        if (!same((struct piece){line->text, line->len}, quote->lines[matched],
                  false))
            return false;
        *out_last = diff_line_number(line, side);
        matched++;
    }
    return matched == quote->count;
}

/* Not in lines that nobody wrote: it takes the square of their length. */
static bool contains(const struct diff_line *line, struct piece piece)
{
    for (size_t i = 0; i < line->len && line->len <= PART_LINE_MAX; i++)
        if (same((struct piece){line->text + i, line->len - i}, piece, true))
            return true;
    return false;
}

static uint32_t distance(uint32_t a, uint32_t b)
{
    return a > b ? a - b : b - a;
}

static bool find_lines(const struct diff_file *file, enum diff_side side,
                       const struct quote *quote, uint32_t near,
                       struct diff_range *out)
{
    bool found = false;

    for (size_t h = 0; h < file->hunk_count; h++) {
        const struct diff_hunk *hunk = &file->hunks[h];

        for (size_t i = 0; i < hunk->count; i++) {
            uint32_t first = diff_line_number(&hunk->lines[i], side), last = 0;

            if (!diff_line_on(&hunk->lines[i], side) ||
                (found && distance(first, near) >= distance(out->line, near)) ||
                !starts_at(hunk, i, side, quote, &last))
                continue;
            out->line = first;
            out->end_line = last;
            found = true;
        }
    }
    return found;
}

static size_t weight(struct piece piece)
{
    size_t n = 0;

    for (size_t i = 0; i < piece.len; i++)
        n += !is_blank(piece.s[i]);
    return n;
}

static bool find_part(const struct diff_file *file, enum diff_side side,
                      const struct quote *quote, struct diff_range *out)
{
    uint32_t found = 0;

    if (quote->count != 1 || weight(quote->lines[0]) < PART_MIN)
        return false;
    for (size_t h = 0; h < file->hunk_count; h++) {
        const struct diff_hunk *hunk = &file->hunks[h];

        for (size_t i = 0; i < hunk->count; i++) {
            const struct diff_line *line = &hunk->lines[i];

            if (!diff_line_on(line, side) || !contains(line, quote->lines[0]))
                continue;
            if (found)
                return false;
            found = diff_line_number(line, side);
        }
    }
    if (found)
        out->line = out->end_line = found;
    return found > 0;
}

bool diff_find(const struct diff_file *file, enum diff_side side,
               const char *code, uint32_t near, struct diff_range *out_range)
{
    struct quote quote;

    if (!quote_read(code, &quote))
        return false;
    return find_lines(file, side, &quote, near, out_range) ||
           find_part(file, side, &quote, out_range) ||
           (quote_unsign(&quote) &&
            find_lines(file, side, &quote, near, out_range));
}

bool diff_says(const struct diff_file *file, const struct diff_range *range,
               const char *code)
{
    const struct diff_hunk *hunk = NULL;
    const struct diff_line *line =
        diff_line_at(file, range->side, range->line, &hunk);
    struct quote quote;
    uint32_t last = 0;

    if (!line || !quote_read(code, &quote))
        return false;
    if (starts_at(hunk, (size_t)(line - hunk->lines), range->side, &quote,
                  &last) ||
        (quote.count == 1 && contains(line, quote.lines[0])))
        return true;
    return quote_unsign(&quote) && starts_at(hunk, (size_t)(line - hunk->lines),
                                             range->side, &quote, &last);
}
