/* pipelines/diff/parse.c - a unified diff, line by line. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "pipelines/diff/diff.h"
#include "pipelines/diff/name.h"

#include <stdlib.h>
#include <string.h>

#define NUMBER_MAX ((uint32_t)INT32_MAX / 2)

struct span {
    const char *s;
    size_t len;
    bool has_cr, has_lf;
};

/* What the lines before the hunks said; names as they are written. */
struct names {
    const char *git_old, *git_new; /* of `diff --git` */
    const char *minus, *plus;      /* of `---` and `+++`; "" is /dev/null */
    const char *from, *to;         /* of renames and copies */
    bool copy, is_new, is_deleted;
};

struct parser {
    struct diff *diff;
    const char *at, *end;
    bool truncated;
    struct diff_file *file; /* the one that is being read, or NULL */
    struct names names;
};

static bool peek(const struct parser *p, struct span *out)
{
    const char *lf;

    if (p->at == p->end)
        return false;
    lf = memchr(p->at, '\n', (size_t)(p->end - p->at));
    out->s = p->at;
    out->has_lf = lf != NULL;
    out->len = (size_t)((lf ? lf : p->end) - p->at);
    out->has_cr = out->len && out->s[out->len - 1] == '\r';
    if (out->has_cr)
        out->len--;
    return true;
}

static void skip(struct parser *p, const struct span *line)
{
    p->at = line->s + line->len + line->has_cr + line->has_lf;
}

static bool starts(const struct span *line, const char *with)
{
    size_t len = strlen(with);

    return line->len >= len && memcmp(line->s, with, len) == 0;
}

static struct span behind(const struct span *line, size_t n)
{
    return (struct span){line->s + n, line->len - n, false, false};
}

/* ---- files --------------------------------------------------------------- */

static void cut(struct parser *p)
{
    p->diff->cut = true;
    if (p->file)
        p->file->cut = true;
}

/* Where only one side has a name, and git does not say it again. */
static const char *strip_one(const char *name, char prefix)
{
    return name[0] == prefix && name[1] == '/' && name[2] ? name + 2 : name;
}

static bool settle_names(const struct names *n, struct diff_file *file)
{
    const char *old_name = n->git_old, *new_name = n->git_new;

    if (n->from && n->to) {
        file->old_path = n->from;
        file->new_path = n->to;
        return true;
    }
    if (n->minus && n->plus && *n->minus && *n->plus) {
        old_name = n->minus;
        new_name = n->plus;
    } else if (!old_name && n->minus && *n->minus) {
        old_name = new_name = strip_one(n->minus, 'a');
    } else if (!old_name && n->plus && *n->plus) {
        old_name = new_name = strip_one(n->plus, 'b');
    }
    if (!old_name || !new_name)
        return false;
    diff_name_strip(&old_name, &new_name);
    file->old_path = old_name;
    file->new_path = new_name;
    return true;
}

static void settle_status(const struct names *n, struct diff_file *file)
{
    if (n->is_new || (n->minus && !*n->minus)) {
        file->status = DIFF_NEW_FILE;
        file->old_path = file->new_path;
    } else if (n->is_deleted || (n->plus && !*n->plus)) {
        file->status = DIFF_DELETED;
        file->new_path = file->old_path;
    } else if (n->from && n->to) {
        file->status = n->copy ? DIFF_COPIED : DIFF_RENAMED;
    }
}

static void end_file(struct parser *p)
{
    struct diff_file *file = p->file;

    if (!file)
        return;
    if (settle_names(&p->names, file)) {
        settle_status(&p->names, file);
    } else { /* it cannot be told which file this is */
        p->diff->count--;
        p->diff->cut = true;
    }
    p->file = NULL;
    p->names = (struct names){0};
}

/* False: there are too many. */
static bool begin_file(struct parser *p)
{
    struct diff *diff = p->diff;

    end_file(p);
    if (diff->count == DIFF_MAX_FILES) {
        cut(p);
        p->at = p->end;
        return false;
    }
    diff->files =
        arena_grow(diff->arena, diff->files, diff->count, sizeof(*diff->files));
    p->file = &diff->files[diff->count++];
    *p->file = (struct diff_file){0};
    return true;
}

/* ---- the lines before the hunks ------------------------------------------ */

static const char *name_of(struct parser *p, struct span rest)
{
    size_t used;

    return diff_name_read(p->diff->arena, rest.s, rest.len, &used);
}

static void on_git(struct parser *p, struct span rest)
{
    if (begin_file(p))
        diff_name_pair(p->diff->arena, rest.s, rest.len, &p->names.git_old,
                       &p->names.git_new);
}

/* A merge's: its hunks have several old sides, and are passed over. */
static void on_combined(struct parser *p, struct span rest)
{
    if (!begin_file(p))
        return;
    p->names.git_old = p->names.git_new = name_of(p, rest);
    cut(p);
}

static unsigned read_mode(struct span rest)
{
    unsigned mode = 0;

    for (size_t i = 0; i < rest.len && i < 7; i++) {
        if (rest.s[i] < '0' || rest.s[i] > '7')
            return 0;
        mode = mode * 8 + (unsigned)(rest.s[i] - '0');
    }
    return mode;
}

static void on_old_mode(struct parser *p, struct span rest)
{
    p->file->old_mode = read_mode(rest);
}

static void on_new_mode(struct parser *p, struct span rest)
{
    p->file->new_mode = read_mode(rest);
}

static void on_new_file(struct parser *p, struct span rest)
{
    p->names.is_new = true;
    p->file->new_mode = read_mode(rest);
}

static void on_deleted(struct parser *p, struct span rest)
{
    p->names.is_deleted = true;
    p->file->old_mode = read_mode(rest);
}

static void on_index(struct parser *p, struct span rest)
{
    const char *space = memchr(rest.s, ' ', rest.len);

    if (space)
        p->file->old_mode = p->file->new_mode =
            read_mode(behind(&rest, (size_t)(space - rest.s) + 1));
}

static void on_from(struct parser *p, struct span rest)
{
    p->names.from = name_of(p, rest);
}

static void on_to(struct parser *p, struct span rest)
{
    p->names.to = name_of(p, rest);
}

static void on_copy_from(struct parser *p, struct span rest)
{
    p->names.copy = true;
    on_from(p, rest);
}

static void on_binary(struct parser *p, struct span rest)
{
    (void)rest;
    p->file->binary = true;
}

static const struct header {
    const char *prefix;
    void (*fn)(struct parser *p, struct span rest);
    bool of_file; /* only where one has begun */
} headers[] = {
    {"diff --git ", on_git, false},
    {"diff --cc ", on_combined, false},
    {"diff --combined ", on_combined, false},
    {"old mode ", on_old_mode, true},
    {"new mode ", on_new_mode, true},
    {"new file mode ", on_new_file, true},
    {"deleted file mode ", on_deleted, true},
    {"index ", on_index, true},
    {"rename from ", on_from, true},
    {"rename to ", on_to, true},
    {"copy from ", on_copy_from, true},
    {"copy to ", on_to, true},
    {"Binary files ", on_binary, true},
    {"GIT binary patch", on_binary, true},
};

static const char *side_name(struct parser *p, struct span rest)
{
    const char *name = name_of(p, rest);

    return name && strcmp(name, "/dev/null") == 0 ? "" : name;
}

/* `---` and `+++`, the one behind the other; `diff -u` has nothing before. */
static bool read_sides(struct parser *p, const struct span *minus)
{
    struct parser ahead = *p;
    struct span plus;

    if (!starts(minus, "--- "))
        return false;
    skip(&ahead, minus);
    if (!peek(&ahead, &plus) || !starts(&plus, "+++ "))
        return false;
    if ((!p->file || p->file->hunk_count || p->names.minus) && !begin_file(p))
        return true;
    p->names.minus = side_name(p, behind(minus, 4));
    p->names.plus = side_name(p, behind(&plus, 4));
    skip(p, &plus);
    return true;
}

/* ---- hunks --------------------------------------------------------------- */

static bool read_number(struct span *rest, uint32_t *out)
{
    uint32_t value = 0;
    size_t i = 0;

    for (; i < rest->len && rest->s[i] >= '0' && rest->s[i] <= '9'; i++) {
        value = value * 10 + (uint32_t)(rest->s[i] - '0');
        if (value > NUMBER_MAX)
            return false;
    }
    *rest = behind(rest, i);
    *out = value;
    return i > 0;
}

/* `START[,COUNT]`: git's start is the line before where the count is 0. */
static bool read_range(struct span *rest, uint32_t *start, uint32_t *count)
{
    *count = 1;
    if (!read_number(rest, start))
        return false;
    if (rest->len && rest->s[0] == ',') {
        *rest = behind(rest, 1);
        if (!read_number(rest, count))
            return false;
    }
    if (!*count)
        ++*start;
    return *start > 0;
}

static bool read_hunk_header(const struct span *line, struct diff_hunk *hunk)
{
    struct span rest = behind(line, 4);

    if (!read_range(&rest, &hunk->old_start, &hunk->old_count) ||
        !starts(&rest, " +"))
        return false;
    rest = behind(&rest, 2);
    return read_range(&rest, &hunk->new_start, &hunk->new_count) &&
           starts(&rest, " @@") && hunk->old_count + hunk->new_count > 0;
}

static bool follows(const struct diff_file *file, const struct diff_hunk *hunk)
{
    const struct diff_hunk *last;

    if (!file->hunk_count)
        return true;
    last = &file->hunks[file->hunk_count - 1];
    return hunk->old_start >= last->old_start + last->old_count &&
           hunk->new_start >= last->new_start + last->new_count;
}

/* 0: no line of a hunk. An empty one is context whose space was lost. */
static int sign_of(const struct span *line)
{
    char c = (char)(line->len ? line->s[0] : ' ');

    return c == ' ' || c == '+' || c == '-' || c == '\\' ? c : 0;
}

static void add_line(struct parser *p, struct diff_hunk *hunk,
                     const struct span *line, struct diff_line made)
{
    made.text = line->len ? line->s + 1 : line->s;
    made.len = line->len ? line->len - 1 : 0;
    made.has_cr = line->has_cr;
    hunk->lines = arena_grow(p->diff->arena, hunk->lines, hunk->count,
                             sizeof(*hunk->lines));
    hunk->lines[hunk->count++] = made;
    p->diff->line_count++;
}

/* Up to the end of what the hunk says it has; false: it has not. */
static bool read_lines(struct parser *p, struct diff_hunk *hunk)
{
    uint32_t old_left = hunk->old_count, new_left = hunk->new_count;
    struct span line;

    while (peek(p, &line)) {
        int sign = sign_of(&line);
        bool is_old = sign == ' ' || sign == '-';
        bool is_new = sign == ' ' || sign == '+';

        if (sign == '\\' && hunk->count) {
            hunk->lines[hunk->count - 1].no_newline = true;
            skip(p, &line);
            continue;
        }
        if (!old_left && !new_left)
            return true;
        if (!sign || (is_old && !old_left) || (is_new && !new_left) ||
            sign == '\\' || p->diff->line_count == DIFF_MAX_LINES)
            return false;
        skip(p, &line);
        if (!line.has_lf &&
            (p->truncated || old_left > is_old || new_left > is_new))
            return false; /* half of a line */
        add_line(p, hunk, &line,
                 (struct diff_line){
                     .kind = is_old && is_new ? DIFF_CONTEXT
                             : is_new         ? DIFF_ADDED
                                              : DIFF_REMOVED,
                     .old_line = hunk->old_start + hunk->old_count - old_left,
                     .new_line = hunk->new_start + hunk->new_count - new_left,
                 });
        old_left -= is_old;
        new_left -= is_new;
    }
    return !old_left && !new_left;
}

static void read_hunk(struct parser *p, const struct span *line)
{
    struct diff_file *file = p->file;
    struct diff_hunk hunk = {0};

    skip(p, line);
    if (!read_hunk_header(line, &hunk) || !follows(file, &hunk)) {
        cut(p);
        return;
    }
    if (!read_lines(p, &hunk)) {
        hunk.cut = true;
        cut(p);
        if (p->diff->line_count == DIFF_MAX_LINES)
            p->at = p->end;
    }
    file->hunks = arena_grow(p->diff->arena, file->hunks, file->hunk_count,
                             sizeof(*file->hunks));
    file->hunks[file->hunk_count++] = hunk;
}

/* ---- all of it ----------------------------------------------------------- */

static void read_header(struct parser *p, const struct span *line)
{
    skip(p, line);
    for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
        const struct header *header = &headers[i];

        if (!starts(line, header->prefix))
            continue;
        if (p->file || !header->of_file)
            header->fn(p, behind(line, strlen(header->prefix)));
        return;
    }
}

/* Files that were made or removed have a name only on one side. */
static int rank(const struct diff_file *file, enum diff_side side)
{
    return side == DIFF_NEW
               ? file->status == DIFF_DELETED
               : file->status == DIFF_NEW_FILE || file->status == DIFF_COPIED;
}

static int compare(const void *a, const void *b, enum diff_side side)
{
    const struct diff_file *x = *(const struct diff_file *const *)a;
    const struct diff_file *y = *(const struct diff_file *const *)b;
    int order = strcmp(diff_file_path(x, side), diff_file_path(y, side));

    if (!order)
        order = rank(x, side) - rank(y, side);
    return order ? order : (x > y) - (x < y);
}

static int compare_new(const void *a, const void *b)
{
    return compare(a, b, DIFF_NEW);
}

static int compare_old(const void *a, const void *b)
{
    return compare(a, b, DIFF_OLD);
}

static void index_files(struct diff *diff)
{
    for (unsigned side = 0; side < 2; side++) {
        diff->by_path[side] =
            arena_alloc(diff->arena, diff->count * sizeof(struct diff_file *));
        for (size_t i = 0; i < diff->count; i++)
            diff->by_path[side][i] = &diff->files[i];
        if (diff->count)
            qsort(diff->by_path[side], diff->count, sizeof(struct diff_file *),
                  side == DIFF_NEW ? compare_new : compare_old);
    }
}

struct diff *diff_parse(const char *text, size_t len, bool truncated)
{
    struct diff *diff = xcalloc(1, sizeof(*diff));
    struct parser p = {.diff = diff, .truncated = truncated};
    struct span line;

    if (len > DIFF_MAX_BYTES) {
        len = DIFF_MAX_BYTES;
        p.truncated = true;
    }
    diff->arena = arena_new();
    diff->cut = p.truncated;
    p.at = arena_strndup(diff->arena, text, len);
    p.end = p.at + len;
    while (peek(&p, &line)) {
        if (p.file && starts(&line, "@@ -"))
            read_hunk(&p, &line);
        else if (!read_sides(&p, &line))
            read_header(&p, &line);
    }
    if (p.truncated && p.file)
        p.file->cut = true;
    end_file(&p);
    index_files(diff);
    return diff;
}
