/* worker/checkout/show.c - files of a commit, without a tree. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/checkout/show.h"

#include "base/glob.h"
#include "base/utf8.h"
#include "worker/checkout/giterr.h"
#include "worker/checkout/names.h"
#include "worker/checkout/report.h"

#include <string.h>
#include <sys/stat.h>

#define NOT_THERE "is not there"

/* Why what has this mode is no file to read (`last`) or directory to enter. */
static const char *mode_fault(git_filemode_t mode, bool last)
{
    if (S_ISLNK(mode))
        return last ? "is a symbolic link" : "is behind a symbolic link";
    if ((mode & S_IFMT) == GIT_FILEMODE_COMMIT)
        return last ? "is a submodule" : "is in a submodule";
    if (last)
        return S_ISREG(mode) ? NULL : "is a directory";
    return S_ISDIR(mode) ? NULL : NOT_THERE;
}

/*
 * From the tree `oid` to the file, or directory, that `path` names, which it
 * then is, component by component: git_tree_entry_bypath() does not tell why
 * there is nothing.
 */
static int descend(git_repository *repo, const char *path, bool file,
                   git_oid *oid, const char **out_why)
{
    const char *rest = path;

    *out_why = NULL;
    while (rest && !*out_why) {
        size_t len = strcspn(rest, "/");
        CLEANUP(mem) char *name = xstrndup(rest, len);
        const git_tree_entry *entry;
        git_tree *tree = NULL;
        int rc = git_tree_lookup(&tree, repo, oid);

        if (rc < 0)
            return rc;
        rest = rest[len] ? rest + len + 1 : NULL;
        entry = git_tree_entry_byname(tree, name);
        *out_why = entry ? mode_fault(git_tree_entry_filemode_raw(entry),
                                      file && !rest)
                         : NOT_THERE;
        if (entry)
            *oid = *git_tree_entry_id(entry);
        git_tree_free(tree);
    }
    return 0;
}

/* `path` NULL: it was asked for by its name. */
static int show_blob(const struct mirror *mirror, const char *path,
                     const git_oid *oid)
{
    git_object_t type;
    git_blob *blob = NULL;
    size_t size;
    int rc = git_odb_read_header(&size, &type, mirror_odb(mirror), oid);

    if (rc < 0)
        return rc;
    if (size > SHOW_MAX_BYTES) {
        report_file(path, NULL, 0, "is larger than 1 MiB");
        return 0;
    }
    rc = git_blob_lookup(&blob, mirror_repository(mirror), oid);
    if (rc == 0)
        report_file(path, git_blob_rawcontent(blob),
                    (size_t)git_blob_rawsize(blob), NULL);
    git_blob_free(blob);
    return rc;
}

static int show_file(const struct mirror *mirror, const git_oid *root,
                     const char *path)
{
    git_oid oid = *root;
    const char *why;
    int rc = descend(mirror_repository(mirror), path, true, &oid, &why);

    if (rc < 0)
        return rc;
    if (!why)
        return show_blob(mirror, NULL, &oid);
    report_file(NULL, NULL, 0, why);
    return 0;
}

/* ---- a pattern ----------------------------------------------------------- */

/* The first of the entries that fit, in order. */
struct found {
    const git_tree_entry *items[SHOW_MAX_FILES]; /* borrowed */
    size_t count, max;
    bool more;
};

/* What can be written as it is in a line of ours. */
static bool is_plain(const char *name)
{
    size_t len = strlen(name), n;
    uint32_t c;

    for (size_t i = 0; i < len; i += n) {
        n = utf8_decode(name + i, len - i, &c);
        if (!n || utf8_is_control(c))
            return false;
    }
    return !name_fault(name, len);
}

/* A tree that somebody made by hand is in no order, and has names twice. */
static void add_found(struct found *found, const git_tree_entry *entry)
{
    const char *name = git_tree_entry_name(entry);
    size_t at = found->count;
    int order = 1;

    while (at && (order = strcmp(git_tree_entry_name(found->items[at - 1]),
                                 name)) > 0)
        at--;
    if (at && !order)
        return;
    if (found->count == found->max) {
        found->more = true;
        if (at == found->max)
            return;
        found->count--;
    }
    for (size_t i = found->count; i > at; i--)
        found->items[i] = found->items[i - 1];
    found->items[at] = entry;
    found->count++;
}

static int show_found(const struct mirror *mirror, const char *dir,
                      const struct found *found)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < found->count; i++) {
        const char *name = git_tree_entry_name(found->items[i]);
        CLEANUP(mem)
        char *path = xasprintf("%s%s%s", dir, *dir ? "/" : "", name);

        rc = show_blob(mirror, path, git_tree_entry_id(found->items[i]));
    }
    return rc;
}

/* At most `max` files. */
static int show_pattern(const struct mirror *mirror, const git_oid *root,
                        const char *pattern, size_t max, bool *out_more)
{
    const char *slash = strrchr(pattern, '/');
    CLEANUP(mem)
    char *dir = xstrndup(pattern, slash ? (size_t)(slash - pattern) : 0);
    git_repository *repo = mirror_repository(mirror);
    struct found found = {.max = max};
    const char *why = NULL;
    git_tree *tree = NULL;
    git_oid oid = *root;
    int rc = *dir ? descend(repo, dir, false, &oid, &why) : 0;

    if (rc == 0 && !why)
        rc = git_tree_lookup(&tree, repo, &oid);
    for (size_t i = 0; tree && i < git_tree_entrycount(tree); i++) {
        const git_tree_entry *entry = git_tree_entry_byindex(tree, i);
        const char *name = git_tree_entry_name(entry);

        if (S_ISREG(git_tree_entry_filemode_raw(entry)) &&
            glob_match(slash ? slash + 1 : pattern, name) && is_plain(name))
            add_found(&found, entry);
    }
    if (rc == 0)
        rc = show_found(mirror, dir, &found);
    git_tree_free(tree);
    *out_more = found.more;
    return rc;
}

int show_files(const struct mirror *mirror, const struct request *request,
               const char *commit, bool *out_more, bool *out_damaged,
               struct err *err)
{
    git_commit *object = NULL;
    git_oid oid;
    int rc = git_oid_fromstr(&oid, commit);

    if (rc == 0)
        rc = git_commit_lookup(&object, mirror_repository(mirror), &oid);
    for (size_t i = 0; rc == 0 && i < request->path_count; i++) {
        const git_oid *root = git_commit_tree_id(object);
        const char *path = request->paths[i];

        if (path_is_pattern(path))
            rc = show_pattern(mirror, root, path, SHOW_MAX_FILES - i, out_more);
        else
            rc = show_file(mirror, root, path);
    }
    if (rc < 0)
        (void)giterr_tree(err, rc, "read the tree", out_damaged);
    git_commit_free(object);
    return rc < 0 ? -1 : 0;
}
