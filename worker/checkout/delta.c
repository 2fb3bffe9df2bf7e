/* worker/checkout/delta.c - a tree as what differs from another one. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/checkout/delta.h"

#include "base/fd.h"
#include "base/strbuf.h"
#include "worker/checkout/changes.h"
#include "worker/checkout/giterr.h"
#include "worker/checkout/index_patch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define INDEX_MAX   ((size_t)512 << 20)
#define ATTRIBUTES  ".gitattributes"
#define MAX_CHANGES 2000 /* more than this, and the tree is written whole */

struct delta {
    const struct layer_base *base; /* borrowed */
    git_tree *to;                  /* owned */
    struct changes changes;        /* owned */
    /* While it is written, all borrowed: */
    git_repository *repo;
    struct layer *layer;
    struct tree_facts *facts;
    struct err *err;
    bool filtered; /* there are attributes */
};

void delta_free(struct delta *delta)
{
    if (!delta)
        return;
    changes_clear(&delta->changes);
    git_tree_free(delta->to);
    free(delta);
}

static int fail(struct delta *d, int code)
{
    return giterr_tree(d->err, code, "write what changed", &d->facts->damaged);
}

static int fail_at(struct delta *d, const char *path)
{
    return err_sys(d->err, ERR_TRANSIENT, "cannot write '%.300s'", path);
}

/* ---- is it worth it, and the same? --------------------------------------- */

static int commit_tree(git_repository *repo, const git_oid *oid,
                       git_tree **out_tree)
{
    git_commit *commit = NULL;
    int rc = git_commit_lookup(&commit, repo, oid);

    if (rc == 0)
        rc = git_commit_tree(out_tree, commit);
    git_commit_free(commit);
    return rc;
}

/* What attributes say of files that did not change is no part of the changes.
 */
static bool same_attributes(const struct changes *changes)
{
    for (size_t i = 0; i < changes->count; i++) {
        const char *slash = strrchr(changes->items[i].path, '/');

        if (strcasecmp(slash ? slash + 1 : changes->items[i].path,
                       ATTRIBUTES) == 0)
            return false;
    }
    return true;
}

static int compare(struct delta *d, git_repository *mirror,
                   const git_oid *commit)
{
    git_tree *from = NULL;
    git_oid base;
    int rc = git_oid_fromstr(&base, d->base->commit);

    if (rc == 0)
        rc = commit_tree(mirror, &base, &from);
    if (rc == 0)
        rc = commit_tree(mirror, commit, &d->to);
    if (rc == 0)
        rc = changes_find(mirror, git_tree_id(from), git_tree_id(d->to),
                          MAX_CHANGES, &d->changes);
    git_tree_free(from);
    return rc;
}

int delta_open(git_repository *mirror, const git_oid *commit,
               const struct layer_base *base, struct delta **out_delta,
               struct tree_facts *facts, struct err *err)
{
    CLEANUP(delta) struct delta *d = xcalloc(1, sizeof(*d));
    int rc;

    d->base = base;
    rc = compare(d, mirror, commit);
    if (rc < 0)
        return giterr_tree(err, rc, "compare trees", &facts->damaged);
    if (rc > 0 || !same_attributes(&d->changes))
        return 0;
    changes_sort(&d->changes);
    *out_delta = STEAL(d);
    return 1;
}

/* ---- writing ------------------------------------------------------------- */

static int make_parents(struct delta *d, const char *path)
{
    CLEANUP(mem) char *parent = xstrdup(path);
    char *slash = strrchr(parent, '/');

    if (!slash)
        return 0;
    *slash = '\0';
    return dir_make(parent, 0755, d->err);
}

/* Hide the topmost part of `path` that the new tree has nothing for. */
static int hide(struct delta *d, const char *path)
{
    CLEANUP(mem) char *part = xstrdup(path);

    for (char *end = part;; end++) {
        git_tree_entry *entry = NULL;
        bool goes_on = *(end += strcspn(end, "/"));
        git_filemode_t mode = GIT_FILEMODE_TREE;
        int rc;

        *end = '\0';
        rc = git_tree_entry_bypath(&entry, d->to, part);
        if (rc == 0)
            mode = git_tree_entry_filemode(entry);
        git_tree_entry_free(entry);
        if (rc == GIT_ENOTFOUND) {
            if (make_parents(d, part) < 0)
                return -1;
            if (mknod(part, S_IFCHR, makedev(0, 0)) < 0 && errno != EEXIST)
                return fail_at(d, part);
            return 0;
        }
        if (rc < 0)
            return fail(d, rc);
        /* What stands there now hides it by itself; a submodule's directory
         * does not. */
        if (!goes_on ||
            (mode != GIT_FILEMODE_TREE && mode != GIT_FILEMODE_COMMIT))
            return 0;
        *end = '/';
    }
}

static int write_data(struct delta *d, const struct change *change,
                      const char *data, size_t len)
{
    CLEANUP(fd)
    int fd =
        open(change->path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
             change->after.mode & 0777);

    if (fd < 0)
        return fail_at(d, change->path);
    d->layer->bytes += layer_cost(len);
    if (d->layer->bytes > d->layer->max_bytes)
        return err_set(d->err, ERR_TRANSIENT, "what changed is too large");
    return fd_write_all(fd, data, len, d->err);
}

/* Attributes come from the index: no file of them is here. */
static int write_file(struct delta *d, const struct change *change)
{
    git_buf out = GIT_BUF_INIT;
    git_filter_list *filters = NULL;
    git_blob *blob = NULL;
    int rc = git_blob_lookup(&blob, d->repo, &change->after.oid);

    if (rc == 0 && d->filtered)
        rc = git_filter_list_load(&filters, d->repo, blob, change->path,
                                  GIT_FILTER_TO_WORKTREE, GIT_FILTER_DEFAULT);
    if (rc == 0 && filters)
        rc = git_filter_list_apply_to_blob(&out, filters, blob);
    if (rc < 0)
        (void)fail(d, rc);
    else if (filters)
        rc = write_data(d, change, out.ptr, out.size);
    else
        rc = write_data(d, change, git_blob_rawcontent(blob),
                        (size_t)git_blob_rawsize(blob));
    git_filter_list_free(filters);
    git_buf_dispose(&out);
    git_blob_free(blob);
    return rc;
}

static int write_link(struct delta *d, const struct change *change)
{
    CLEANUP(mem) char *target = NULL;
    git_blob *blob = NULL;
    int rc = git_blob_lookup(&blob, d->repo, &change->after.oid);

    if (rc < 0)
        return fail(d, rc);
    target =
        xstrndup(git_blob_rawcontent(blob), (size_t)git_blob_rawsize(blob));
    git_blob_free(blob);
    d->layer->bytes += LAYER_FILE_BYTES;
    return symlink(target, change->path) < 0 ? fail_at(d, change->path) : 0;
}

static int write_one(struct delta *d, struct change *change)
{
    int rc;

    if (make_parents(d, change->path) < 0)
        return -1;
    switch (change->after.mode & S_IFMT) {
    case S_IFREG:
        rc = write_file(d, change);
        break;
    case S_IFLNK:
        rc = write_link(d, change);
        break;
    default: /* a submodule's place */
        rc = dir_make(change->path, 0755, d->err);
        break;
    }
    if (rc == 0 && lstat(change->path, &change->written) < 0)
        return fail_at(d, change->path);
    return rc;
}

/* What goes, first: what comes may stand in its place. */
static int write_changes(struct delta *d)
{
    struct changes *changes = &d->changes;

    for (size_t i = 0; i < changes->count; i++)
        if (!changes->items[i].after.mode &&
            hide(d, changes->items[i].path) < 0)
            return -1;
    for (size_t i = 0; i < changes->count; i++)
        if (changes->items[i].after.mode &&
            write_one(d, &changes->items[i]) < 0)
            return -1;
    return 0;
}

/* Anywhere in the tree: a file of that name is in the text of its index. */
static bool has_attributes(const struct strbuf *index)
{
    return memmem(index->data, index->len, ATTRIBUTES, strlen(ATTRIBUTES));
}

static int write_index(struct delta *d, const struct strbuf *old,
                       unsigned owner)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_MAX(INDEX_MAX);

    if (index_patch(old, &d->changes, owner, &text, &d->facts->files, d->err) <
        0)
        return -1;
    return file_write(".git/index", text.data, text.len, 0644, d->err);
}

int delta_write(struct delta *d, git_repository *repo, unsigned inside_uid,
                struct layer *layer, struct tree_facts *facts, struct err *err)
{
    CLEANUP(strbuf) struct strbuf old = STRBUF_MAX(INDEX_MAX);

    d->repo = repo;
    d->layer = layer;
    d->facts = facts;
    d->err = err;
    /* The old one is there while the files are written, for its attributes:
     * they are the new one's. */
    if (file_read(d->base->index, INDEX_MAX - 1, &old, err) < 0)
        return -1;
    d->filtered = has_attributes(&old);
    if ((d->filtered &&
         file_write(".git/index", old.data, old.len, 0644, err) < 0) ||
        write_changes(d) < 0)
        return -1;
    return write_index(d, &old, inside_uid);
}
