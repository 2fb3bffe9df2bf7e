/* worker/checkout/show.c - files of a commit, without a tree. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/checkout/show.h"

#include "worker/checkout/giterr.h"
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
 * From the tree `oid` to what `path` names, which it then is, component by
 * component: git_tree_entry_bypath() does not tell why there is nothing.
 */
static int descend(git_repository *repo, const char *path, git_oid *oid,
                   const char **out_why)
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
        *out_why = entry ? mode_fault(git_tree_entry_filemode_raw(entry), !rest)
                         : NOT_THERE;
        if (entry)
            *oid = *git_tree_entry_id(entry);
        git_tree_free(tree);
    }
    return 0;
}

static int show_blob(const struct mirror *mirror, const git_oid *oid)
{
    git_object_t type;
    git_blob *blob = NULL;
    size_t size;
    int rc = git_odb_read_header(&size, &type, mirror_odb(mirror), oid);

    if (rc < 0)
        return rc;
    if (size > SHOW_MAX_BYTES) {
        report_file(NULL, 0, "is larger than 1 MiB");
        return 0;
    }
    rc = git_blob_lookup(&blob, mirror_repository(mirror), oid);
    if (rc == 0)
        report_file(git_blob_rawcontent(blob), (size_t)git_blob_rawsize(blob),
                    NULL);
    git_blob_free(blob);
    return rc;
}

static int show_file(const struct mirror *mirror, const git_oid *root,
                     const char *path)
{
    git_oid oid = *root;
    const char *why;
    int rc = descend(mirror_repository(mirror), path, &oid, &why);

    if (rc < 0)
        return rc;
    if (!why)
        return show_blob(mirror, &oid);
    report_file(NULL, 0, why);
    return 0;
}

int show_files(const struct mirror *mirror, const struct request *request,
               const char *commit, bool *out_damaged, struct err *err)
{
    git_commit *object = NULL;
    git_oid oid;
    int rc = git_oid_fromstr(&oid, commit);

    if (rc == 0)
        rc = git_commit_lookup(&object, mirror_repository(mirror), &oid);
    for (size_t i = 0; rc == 0 && i < request->path_count; i++)
        rc = show_file(mirror, git_commit_tree_id(object), request->paths[i]);
    if (rc < 0)
        (void)giterr_tree(err, rc, "read the tree", out_damaged);
    git_commit_free(object);
    return rc < 0 ? -1 : 0;
}
