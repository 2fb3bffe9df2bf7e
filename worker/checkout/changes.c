/* worker/checkout/changes.c - what differs between two trees. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/checkout/changes.h"

#include "base/strbuf.h"

#include <stdlib.h>
#include <string.h>

struct finder {
    git_repository *repo; /* borrowed */
    struct changes *changes;
    struct strbuf path;
    size_t max;
};

void changes_clear(struct changes *changes)
{
    for (size_t i = 0; i < changes->count; i++)
        free(changes->items[i].path);
    free(changes->items);
    memset(changes, 0, sizeof(*changes));
}

static bool is_tree(const git_tree_entry *entry)
{
    return entry && git_tree_entry_type(entry) == GIT_OBJECT_TREE;
}

static struct change_side side_of(const git_tree_entry *entry)
{
    struct change_side side = {.mode = 0};

    if (entry && !is_tree(entry)) {
        side.oid = *git_tree_entry_id(entry);
        side.mode = git_tree_entry_filemode(entry);
    }
    return side;
}

static int add(struct finder *f, const git_tree_entry *from,
               const git_tree_entry *to)
{
    struct changes *all = f->changes;
    struct change change = {.before = side_of(from), .after = side_of(to)};

    if (change.before.mode == change.after.mode &&
        (!change.after.mode ||
         git_oid_equal(&change.before.oid, &change.after.oid)))
        return 0;
    if (all->count == f->max)
        return 1;
    change.path = xstrdup(f->path.data);
    all->items = xreallocarray(all->items, all->count + 1, sizeof(*all->items));
    all->items[all->count++] = change;
    return 0;
}

static int compare(struct finder *f, const git_oid *from, const git_oid *to);

/* One name of a directory, as it was and as it is; either may be NULL. */
static int compare_entry(struct finder *f, const git_tree_entry *from,
                         const git_tree_entry *to)
{
    const git_oid *below_from = is_tree(from) ? git_tree_entry_id(from) : NULL;
    const git_oid *below_to = is_tree(to) ? git_tree_entry_id(to) : NULL;
    size_t before = f->path.len;
    int rc;

    if (before)
        strbuf_addc(&f->path, '/');
    strbuf_adds(&f->path, git_tree_entry_name(to ? to : from));
    rc = add(f, from, to);
    if (rc == 0 && (below_from || below_to) &&
        !(below_from && below_to && git_oid_equal(below_from, below_to)))
        rc = compare(f, below_from, below_to);
    strbuf_cut(&f->path, before);
    return rc;
}

static int compare_entries(struct finder *f, const git_tree *from,
                           const git_tree *to)
{
    size_t count = to ? git_tree_entrycount(to) : 0;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < count; i++) {
        const git_tree_entry *entry = git_tree_entry_byindex(to, i);

        rc = compare_entry(
            f,
            from ? git_tree_entry_byname(from, git_tree_entry_name(entry))
                 : NULL,
            entry);
    }
    count = from ? git_tree_entrycount(from) : 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        const git_tree_entry *entry = git_tree_entry_byindex(from, i);

        if (!to || !git_tree_entry_byname(to, git_tree_entry_name(entry)))
            rc = compare_entry(f, entry, NULL);
    }
    return rc;
}

/* Depth and names are those of checked trees. */
static int compare(struct finder *f, const git_oid *from, const git_oid *to)
{
    git_tree *a = NULL;
    git_tree *b = NULL;
    int rc = from ? git_tree_lookup(&a, f->repo, from) : 0;

    if (rc == 0 && to)
        rc = git_tree_lookup(&b, f->repo, to);
    if (rc == 0)
        rc = compare_entries(f, a, b);
    git_tree_free(b);
    git_tree_free(a);
    return rc;
}

int changes_find(git_repository *repo, const git_oid *from, const git_oid *to,
                 size_t max, struct changes *changes)
{
    struct finder f = {.repo = repo, .changes = changes, .max = max};
    int rc;

    f.path = (struct strbuf)STRBUF_INIT;
    rc = git_oid_equal(from, to) ? 0 : compare(&f, from, to);
    strbuf_clear(&f.path);
    return rc;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct change *)a)->path,
                  ((const struct change *)b)->path);
}

void changes_sort(struct changes *changes)
{
    if (changes->count)
        qsort(changes->items, changes->count, sizeof(*changes->items), by_path);
}
