/* pipelines/review/chunk.c - a change as a model reads it, in parts. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/review/chunk.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES 2000 /* of one line of code; the rest says nothing */

/* ---- writing ------------------------------------------------------------- */

/* Paths have no line feeds that could begin something else. */
static void add_path(struct strbuf *out, const char *path)
{
    for (; *path; path++)
        strbuf_addc(out, (unsigned char)*path < 0x20 ? '?' : *path);
}

static void add_heading(struct strbuf *out, const struct diff_file *file,
                        bool again)
{
    static const char *const status[] = {[DIFF_MODIFIED] = "modified",
                                         [DIFF_NEW_FILE] = "new",
                                         [DIFF_DELETED] = "deleted",
                                         [DIFF_RENAMED] = "renamed",
                                         [DIFF_COPIED] = "copied"};

    strbuf_adds(out, "\n=== ");
    add_path(out, file->new_path);
    strbuf_addf(out, " (%s", status[file->status]);
    if (strcmp(file->old_path, file->new_path) != 0) {
        strbuf_adds(out, " from ");
        add_path(out, file->old_path);
    }
    strbuf_addf(out, "%s)\n", again ? ", continued" : "");
}

/* False: not all of it. */
static bool add_line(struct strbuf *out, const struct diff_line *line)
{
    static const char sign[] = {
        [DIFF_CONTEXT] = ' ', [DIFF_ADDED] = '+', [DIFF_REMOVED] = '-'};
    size_t len = line->len < LINE_MAX_BYTES ? line->len : LINE_MAX_BYTES;

    if (line->kind == DIFF_ADDED)
        strbuf_addf(out, "      %6" PRIu32, line->new_line);
    else if (line->kind == DIFF_REMOVED)
        strbuf_addf(out, "%6" PRIu32 "      ", line->old_line);
    else
        strbuf_addf(out, "%6" PRIu32 "%6" PRIu32, line->old_line,
                    line->new_line);
    strbuf_addf(out, " %c", sign[line->kind]);
    /* A NUL would end the prompt. */
    for (size_t i = 0; i < len; i++)
        strbuf_addc(out, line->text[i] ? line->text[i] : '?');
    strbuf_adds(out, len < line->len ? " [cut]\n" : "\n");
    return len == line->len;
}

/* Returns how many lines are not there as a whole. */
static size_t add_hunk(struct strbuf *out, const struct diff_hunk *hunk)
{
    size_t cut = 0;

    strbuf_adds(out, "   old   new\n");
    for (size_t i = 0; i < hunk->count; i++)
        cut += !add_line(out, &hunk->lines[i]);
    return cut;
}

/* ---- parts --------------------------------------------------------------- */

struct packer {
    struct chunk_list *list;
    struct strbuf text; /* of the chunk that is being filled */
    size_t files;       /* in it */
    size_t max_bytes, max_chunks;
};

static void close_chunk(struct packer *p)
{
    struct chunk_list *list = p->list;

    if (!p->text.len)
        return;
    list->items =
        xreallocarray(list->items, list->count + 1, sizeof(*list->items));
    list->items[list->count++] =
        (struct chunk){.text = strbuf_take(&p->text), .files = p->files};
    p->files = 0;
}

static bool is_full(const struct packer *p)
{
    return p->list->count >= p->max_chunks;
}

static void begin_part(struct packer *p, const struct diff_file *file,
                       bool *again)
{
    add_heading(&p->text, file, *again);
    p->files = 1;
    *again = true;
}

/* A hunk that fits into no chunk, line by line, into as many as it takes. */
static void add_parts(struct packer *p, const struct diff_file *file,
                      const struct diff_hunk *hunk, bool *again)
{
    bool is_new = true; /* the chunk has no line of it yet */

    for (size_t i = 0; i < hunk->count; i++) {
        size_t before = p->text.len;
        bool whole;

        if (is_full(p)) {
            p->list->unseen += hunk->count - i;
            return;
        }
        if (!before)
            begin_part(p, file, again);
        if (is_new)
            strbuf_adds(&p->text, "   old   new\n");
        whole = add_line(&p->text, &hunk->lines[i]);
        if (!is_new && p->text.len > p->max_bytes) {
            strbuf_cut(&p->text, before);
            close_chunk(p);
            is_new = true;
            i--; /* again, in the next one */
            continue;
        }
        p->list->unseen += !whole;
        is_new = false;
    }
}

/* A file that fits into no chunk: hunk by hunk. */
static void add_large(struct packer *p, const struct diff_file *file)
{
    bool again = false;

    close_chunk(p);
    for (size_t i = 0; i < file->hunk_count; i++) {
        CLEANUP(strbuf) struct strbuf hunk = STRBUF_INIT;
        size_t cut = add_hunk(&hunk, &file->hunks[i]);

        if (p->text.len && p->text.len + hunk.len > p->max_bytes)
            close_chunk(p);
        if (is_full(p)) {
            p->list->unseen += file->hunks[i].count;
            continue;
        }
        if (!p->text.len)
            begin_part(p, file, &again);
        if (p->text.len + hunk.len > p->max_bytes) {
            add_parts(p, file, &file->hunks[i], &again);
        } else {
            strbuf_add(&p->text, hunk.data, hunk.len);
            p->list->unseen += cut;
        }
    }
    close_chunk(p);
}

void chunk_make(const struct diff_file *const *files, size_t count,
                size_t max_bytes, size_t max_chunks, struct chunk_list *out,
                bool *out_written)
{
    struct packer p = {.list = out,
                       .text = STRBUF_INIT,
                       .max_bytes = max_bytes,
                       .max_chunks = max_chunks};

    for (size_t i = 0; i < count; i++) {
        struct strbuf file = STRBUF_INIT;
        size_t cut = 0;

        add_heading(&file, files[i], false);
        for (size_t k = 0; k < files[i]->hunk_count && file.len <= max_bytes;
             k++)
            cut += add_hunk(&file, &files[i]->hunks[k]);
        if (p.text.len && p.text.len + file.len > max_bytes)
            close_chunk(&p);
        out_written[i] = !is_full(&p);
        if (out_written[i] && file.len > max_bytes) {
            add_large(&p, files[i]);
        } else if (out_written[i]) {
            strbuf_add(&p.text, file.data, file.len);
            p.files++;
            out->unseen += cut;
        }
        strbuf_clear(&file);
    }
    close_chunk(&p);
    strbuf_clear(&p.text);
}

void chunk_list_clear(struct chunk_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i].text);
    free(list->items);
    *list = (struct chunk_list){0};
}

void chunk_excerpt(struct strbuf *out, const struct diff_file *file,
                   enum diff_side side, uint32_t line, uint32_t end_line,
                   uint32_t around)
{
    uint32_t from = line > around ? line - around : 1;

    add_heading(out, file, false);
    for (size_t i = 0; i < file->hunk_count; i++)
        for (size_t k = 0; k < file->hunks[i].count; k++) {
            const struct diff_line *one = &file->hunks[i].lines[k];
            uint32_t number = side == DIFF_NEW ? one->new_line : one->old_line;

            if (number >= from && number <= end_line + around)
                (void)add_line(out, one);
        }
}
