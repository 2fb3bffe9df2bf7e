/* pipelines/findings/remark.c - a finding at its place in a change. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/findings/remark.h"

#include "base/strbuf.h"
#include "base/utf8.h"

#include <string.h>

/* The byte of a line that column `column` (from 1) begins at; -1: none. */
static long column_offset(const struct diff_line *line, uint32_t column,
                          enum finding_unit unit)
{
    size_t i = 0;

    for (uint32_t at = 1; at < column;) {
        uint32_t c = 0;
        size_t n;

        if (i >= line->len)
            return -1;
        n = utf8_decode(line->text + i, line->len - i, &c);
        if (!n || unit == FINDING_BYTES)
            n = 1;
        at += unit == FINDING_UTF16 && n == 4 ? 2 : 1;
        i += n;
    }
    return (long)i;
}

/* Whether people see all of it. */
static bool is_plain(const char *text)
{
    size_t len = strlen(text);

    for (size_t i = 0; i < len;) {
        uint32_t c = 0;
        size_t n = utf8_decode(text + i, len - i, &c);

        if (!n || utf8_is_invisible(c) ||
            (utf8_is_control(c) && c != '\n' && c != '\t'))
            return false;
        i += n;
    }
    return true;
}

/* A range that ends before the first column of a line ends with the line
 * above, if what replaces it ends a line as well. */
static struct finding_fix whole_lines(const struct finding_fix *fix)
{
    struct finding_fix whole = *fix;
    size_t len = strlen(fix->text);
    bool at_begin = fix->column <= 1;

    if (fix->end_column == 1 && fix->end_line > fix->line &&
        (len ? fix->text[len - 1] == '\n' : at_begin)) {
        whole.end_line--;
        whole.end_column = 0;
    }
    return whole;
}

static bool build(const struct diff_place *place, const struct finding_fix *fix,
                  struct strbuf *out)
{
    const struct diff_line *first = place->start, *last = place->end;
    long from = fix->column ? column_offset(first, fix->column, fix->unit) : 0;
    long to = fix->end_column ? column_offset(last, fix->end_column, fix->unit)
                              : (long)last->len;

    if (from < 0 || to < 0 || (first == last && to < from))
        return false;
    strbuf_add(out, first->text, (size_t)from);
    strbuf_adds(out, fix->text);
    strbuf_add(out, last->text + to, last->len - (size_t)to);
    if (!fix->end_column && out->len && out->data[out->len - 1] == '\n')
        strbuf_cut(out, out->len - 1);
    return !out->truncated;
}

static bool same_as_now(const struct diff_place *place, const char *text)
{
    const struct diff_line *line = place->start;
    size_t len = strlen(text);

    return line == place->end && line->len == len &&
           memcmp(line->text, text, len) == 0;
}

static bool has_cr(const struct diff_place *place)
{
    for (const struct diff_line *line = place->start; line <= place->end;
         line++)
        if (line->has_cr)
            return true;
    return false;
}

static void suggest(struct arena *arena, const struct diff *diff,
                    const struct finding_fix *wanted, struct remark *remark)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_MAX(2 * FINDING_MAX_FIX);
    struct finding_fix fix = whole_lines(wanted);
    struct diff_range range = {remark->finding->path, DIFF_NEW, fix.line,
                               fix.end_line};
    struct diff_place place = diff_place(diff, &range);

    if (place.where != DIFF_INLINE || place.clipped || place.hunk->cut ||
        has_cr(&place) || !build(&place, &fix, &text) ||
        strlen(text.data) != text.len || !is_plain(text.data) ||
        same_as_now(&place, text.data))
        return;
    remark->place = place;
    remark->suggestion = arena_strndup(arena, text.data, text.len);
}

/* Follow what is quoted; the fix goes with it if it is of the same lines. */
static void follow_quote(const struct diff_file *file,
                         const struct finding *finding,
                         struct diff_range *range, struct finding_fix *fix,
                         struct remark *remark)
{
    struct diff_range found = *range;

    if (diff_says(file, range, finding->quote))
        return;
    if (!diff_find(file, range->side, finding->quote, range->line, &found)) {
        remark->unquoted = true;
        fix->text = NULL;
        return;
    }
    if (fix->text &&
        (fix->line != range->line || fix->column || fix->end_column))
        fix->text = NULL;
    fix->line = found.line;
    fix->end_line = found.end_line;
    *range = found;
    remark->moved = true;
}

struct remark remark_make(struct arena *arena, const struct diff *diff,
                          const struct finding *finding)
{
    struct remark remark = {.finding = finding};
    struct diff_range range = {finding->path, finding->side, finding->line,
                               finding->end_line};
    struct finding_fix fix = finding->fix;
    const struct diff_file *file;

    if (!*finding->path)
        return remark;
    file = diff_file_find(diff, finding->path, finding->side);
    if (file && *finding->quote)
        follow_quote(file, finding, &range, &fix, &remark);
    remark.place = diff_place(diff, &range);
    if (fix.text)
        suggest(arena, diff, &fix, &remark);
    return remark;
}
