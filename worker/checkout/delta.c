/* worker/checkout/delta.c - a tree as what differs from another one. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/checkout/delta.h"

#include "base/fd.h"
#include "base/strbuf.h"
#include "worker/checkout/giterr.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define INDEX_MAX  ((size_t)512 << 20)
#define ATTRIBUTES ".gitattributes"
#define MAX_DELTAS 2000 /* more than this, and the tree is written whole */

struct delta {
    const struct layer_base *base; /* borrowed */
    git_tree *from;                /* owned, as what follows */
    git_tree *to;
    git_diff *diff;
    git_index *index;
    /* While it is written, all borrowed: */
    git_repository *repo;
    unsigned inside_uid;
    struct layer *layer;
    struct tree_facts *facts;
    struct err *err;
};

void delta_free(struct delta *delta)
{
    if (!delta)
        return;
    git_index_free(delta->index);
    git_diff_free(delta->diff);
    git_tree_free(delta->to);
    git_tree_free(delta->from);
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

static bool is_attributes(const char *path)
{
    const char *slash = strrchr(path, '/');

    return strcasecmp(slash ? slash + 1 : path, ATTRIBUTES) == 0;
}

/* What attributes say of files that did not change is no part of the diff. */
static bool same_attributes(const git_diff *diff)
{
    size_t count = git_diff_num_deltas(diff);

    for (size_t i = 0; i < count; i++) {
        const git_diff_delta *delta = git_diff_get_delta(diff, i);

        if (is_attributes(delta->old_file.path) ||
            is_attributes(delta->new_file.path))
            return false;
    }
    return true;
}

static int compare(struct delta *d, git_repository *mirror,
                   const git_oid *commit)
{
    git_diff_options opts;
    git_oid from;
    int rc;

    (void)git_diff_options_init(&opts, GIT_DIFF_OPTIONS_VERSION);
    opts.ignore_submodules = GIT_SUBMODULE_IGNORE_NONE;
    opts.flags |= GIT_DIFF_SKIP_BINARY_CHECK;
    rc = git_oid_fromstr(&from, d->base->commit);
    if (rc == 0)
        rc = commit_tree(mirror, &from, &d->from);
    if (rc == 0)
        rc = commit_tree(mirror, commit, &d->to);
    if (rc == 0)
        rc = git_diff_tree_to_tree(&d->diff, mirror, d->from, d->to, &opts);
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
    if (git_diff_num_deltas(d->diff) > MAX_DELTAS || !same_attributes(d->diff))
        return 0;
    *out_delta = STEAL(d);
    return 1;
}

static int copy_index(const char *from, struct err *err)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_MAX(INDEX_MAX);

    if (file_read(from, INDEX_MAX - 1, &text, err) < 0)
        return -1;
    return file_write(".git/index", text.data, text.len, 0644, err);
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

static int write_data(struct delta *d, const char *path, mode_t mode,
                      const char *data, size_t len)
{
    CLEANUP(fd)
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                  mode & 0777);

    if (fd < 0)
        return fail_at(d, path);
    d->layer->bytes += layer_cost(len);
    if (d->layer->bytes > d->layer->max_bytes)
        return err_set(d->err, ERR_TRANSIENT, "what changed is too large");
    return fd_write_all(fd, data, len, d->err);
}

/* Attributes come from the index: no file of them is here. */
static int write_file(struct delta *d, const git_diff_file *file)
{
    git_buf out = GIT_BUF_INIT;
    git_filter_list *filters = NULL;
    git_blob *blob = NULL;
    int rc = git_blob_lookup(&blob, d->repo, &file->id);

    if (rc == 0)
        rc = git_filter_list_load(&filters, d->repo, blob, file->path,
                                  GIT_FILTER_TO_WORKTREE, GIT_FILTER_DEFAULT);
    if (rc == 0 && filters)
        rc = git_filter_list_apply_to_blob(&out, filters, blob);
    if (rc < 0)
        (void)fail(d, rc);
    else if (filters)
        rc = write_data(d, file->path, file->mode, out.ptr, out.size);
    else
        rc = write_data(d, file->path, file->mode, git_blob_rawcontent(blob),
                        (size_t)git_blob_rawsize(blob));
    git_filter_list_free(filters);
    git_buf_dispose(&out);
    git_blob_free(blob);
    return rc;
}

static int write_link(struct delta *d, const git_diff_file *file)
{
    CLEANUP(mem) char *target = NULL;
    git_blob *blob = NULL;
    int rc = git_blob_lookup(&blob, d->repo, &file->id);

    if (rc < 0)
        return fail(d, rc);
    target =
        xstrndup(git_blob_rawcontent(blob), (size_t)git_blob_rawsize(blob));
    git_blob_free(blob);
    d->layer->bytes += LAYER_FILE_BYTES;
    return symlink(target, file->path) < 0 ? fail_at(d, file->path) : 0;
}

static int write_one(struct delta *d, const git_diff_file *file)
{
    if (make_parents(d, file->path) < 0)
        return -1;
    switch (file->mode & S_IFMT) {
    case S_IFREG:
        return write_file(d, file);
    case S_IFLNK:
        return write_link(d, file);
    default: /* a submodule's place */
        return dir_make(file->path, 0755, d->err);
    }
}

/* As git_index_add_bypath would, which needs the file to be a work tree's. */
static int add_to_index(struct delta *d, const git_diff_file *file)
{
    git_index_entry entry = {0};
    struct stat st;
    int rc;

    if (lstat(file->path, &st) < 0)
        return fail_at(d, file->path);
    entry.ctime.seconds = (int32_t)st.st_ctim.tv_sec;
    entry.ctime.nanoseconds = (uint32_t)st.st_ctim.tv_nsec;
    entry.mtime.seconds = (int32_t)st.st_mtim.tv_sec;
    entry.mtime.nanoseconds = (uint32_t)st.st_mtim.tv_nsec;
    entry.dev = (uint32_t)st.st_dev;
    entry.ino = (uint32_t)st.st_ino;
    entry.mode = file->mode;
    entry.uid = d->inside_uid;
    entry.gid = d->inside_uid;
    entry.file_size =
        (file->mode & S_IFMT) == S_IFREG || (file->mode & S_IFMT) == S_IFLNK
            ? (uint32_t)st.st_size
            : 0;
    entry.id = file->id;
    entry.path = file->path;
    rc = git_index_add(d->index, &entry);
    return rc < 0 ? fail(d, rc) : 0;
}

/* Before the files are written: attributes are looked up in the index. */
static int forget_gone(struct delta *d)
{
    size_t count = git_diff_num_deltas(d->diff);

    for (size_t i = 0; i < count; i++) {
        const git_diff_delta *delta = git_diff_get_delta(d->diff, i);
        int rc;

        if (delta->status != GIT_DELTA_DELETED)
            continue;
        rc = git_index_remove(d->index, delta->old_file.path, 0);
        if (rc < 0)
            return fail(d, rc);
        if (hide(d, delta->old_file.path) < 0)
            return -1;
    }
    return 0;
}

static int write_changed(struct delta *d)
{
    size_t count = git_diff_num_deltas(d->diff);

    for (size_t i = 0; i < count; i++) {
        const git_diff_delta *delta = git_diff_get_delta(d->diff, i);

        if (delta->status == GIT_DELTA_DELETED)
            continue;
        if (write_one(d, &delta->new_file) < 0 ||
            add_to_index(d, &delta->new_file) < 0)
            return -1;
    }
    return 0;
}

/* The index is what is there; its tree has to be the commit's. */
static int verify(struct delta *d)
{
    git_oid oid;
    int rc = git_index_write_tree_to(&oid, d->index, d->repo);

    if (rc < 0)
        return fail(d, rc);
    if (!git_oid_equal(&oid, git_tree_id(d->to)))
        return err_set(d->err, ERR_BUG,
                       "what was made of an earlier tree is not the commit's");
    rc = git_index_write(d->index);
    return rc < 0 ? fail(d, rc) : 0;
}

int delta_write(struct delta *d, git_repository *repo, unsigned inside_uid,
                struct layer *layer, struct tree_facts *facts, struct err *err)
{
    int rc;

    d->repo = repo;
    d->inside_uid = inside_uid;
    d->layer = layer;
    d->facts = facts;
    d->err = err;
    if (copy_index(d->base->index, err) < 0)
        return -1;
    rc = git_repository_index(&d->index, repo);
    if (rc < 0)
        return fail(d, rc);
    if (forget_gone(d) < 0 || write_changed(d) < 0 || verify(d) < 0)
        return -1;
    facts->files = (unsigned)git_index_entrycount(d->index);
    return 0;
}
