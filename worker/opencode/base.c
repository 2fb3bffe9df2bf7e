/* worker/opencode/base.c - what the base of a change vouches for. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/opencode/base.h"

#include "base/strbuf.h"
#include "pipelines/review/skip.h"
#include "worker/opencode/git.h"

#include <stdlib.h>
#include <string.h>

#define HEAD_BYTES ((size_t)64 << 10) /* of a file that says what it is */

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort(struct strv *list)
{
    if (list->count)
        qsort(list->items, list->count, sizeof(*list->items), by_bytes);
}

static void read_files(const char *dir, const char *commit, struct strv *out)
{
    const char *const words[] = {"ls-tree",     "-r",   "-z", "--name-only",
                                 "--full-tree", commit, NULL};
    struct strbuf names = STRBUF_MAX(BASE_MAX_BYTES);
    struct err err;

    if (git_ask(dir, words, &names, &err) == 0)
        /* Each has a NUL behind it but the last one of what was cut. */
        for (size_t at = 0, len; at < names.len; at += len + 1) {
            len = strnlen(names.data + at, names.len - at);
            if (at + len < names.len)
                strv_add(out, names.data + at);
        }
    strbuf_clear(&names);
}

static bool was_marked(const char *dir, const char *commit, const char *path)
{
    CLEANUP(mem) char *what = xasprintf("%s:%s", commit, path);
    const char *const words[] = {"cat-file", "blob", what, NULL};
    struct strbuf text = STRBUF_MAX(HEAD_BYTES);
    struct err err;
    bool is = git_ask(dir, words, &text, &err) == 0 &&
              skip_head_says(text.data, text.len);

    strbuf_clear(&text);
    return is;
}

void base_read(const char *dir, const char *base, const struct diff *diff,
               struct base_files *out)
{
    CLEANUP(mem) char *commit = git_base(dir, base);
    size_t asked = 0;

    *out = (struct base_files){0};
    if (!commit)
        return;
    read_files(dir, commit, &out->files);
    for (size_t i = 0; i < diff->count && asked < BASE_MAX_MARKED; i++) {
        const struct diff_file *file = &diff->files[i];

        if (!skip_says_generated(file))
            continue;
        asked++;
        if (was_marked(dir, commit, file->new_path))
            strv_add(&out->marked, file->new_path);
    }
    sort(&out->files);
    sort(&out->marked);
}

void base_clear(struct base_files *files)
{
    strv_clear(&files->files);
    strv_clear(&files->marked);
}
