/* worker/checkout/gitdir.c - the .git of a tree, for those who work in it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/checkout/gitdir.h"

#include "base/fd.h"
#include "worker/checkout/giterr.h"
#include "worker/checkout/url.h"

#include <stdlib.h>
#include <string.h>

static int put(const char *path, const char *text, struct err *err)
{
    return file_write(path, text, strlen(text), 0644, err);
}

int gitdir_make(const struct mirror *mirror, git_repository **out_repo,
                struct err *err)
{
    static const char *const dirs[] = {".git/objects/info", ".git/objects/pack",
                                       ".git/refs/heads",   ".git/refs/tags",
                                       ".git/info",         ".git/hooks"};
    /* As `git init` has it; the protections are for our own writing too. */
    static const char config[] = "[core]\n"
                                 "\trepositoryformatversion = 0\n"
                                 "\tfilemode = true\n"
                                 "\tbare = false\n"
                                 "\tlogallrefupdates = true\n"
                                 "\tprotectHFS = true\n"
                                 "\tprotectNTFS = true\n";
    git_repository *repo = NULL;
    git_odb *odb = NULL;
    int rc;

    for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
        if (dir_make(dirs[i], 0755, err) < 0)
            return -1;
    if (put(".git/config", config, err) < 0 ||
        put(".git/HEAD", "ref: refs/heads/berth-unborn\n", err) < 0)
        return -1;
    rc = git_repository_open_ext(&repo, ".", GIT_REPOSITORY_OPEN_NO_SEARCH,
                                 NULL);
    if (rc == 0)
        rc = git_repository_odb(&odb, repo);
    if (rc == 0)
        rc = git_odb_add_disk_alternate(odb, mirror_objects(mirror));
    git_odb_free(odb);
    if (rc < 0) {
        git_repository_free(repo);
        return giterr_set(err, ERR_TRANSIENT, "cannot prepare the tree's .git");
    }
    *out_repo = repo;
    return 0;
}

/* "refs/heads/x" of the remote becomes "refs/remotes/origin/x" here. */
static void add_remote_refs(struct refs *refs, const struct request *request,
                            const struct target *target)
{
    size_t len = strlen(request->prefix);

    for (size_t i = 0; i < target->refs.count; i++) {
        const struct ref *ref = &target->refs.items[i];
        const char *name = ref->name + len;
        const char *peeled = *ref->peeled ? ref->peeled : NULL;
        CLEANUP(mem) char *full = NULL;

        if (strncmp(ref->name, request->prefix, len) != 0)
            continue;
        if (strncmp(name, "heads/", 6) == 0)
            full = xasprintf("refs/remotes/origin/%s", name + 6);
        else if (strncmp(name, "tags/", 5) == 0)
            full = xasprintf("refs/%s", name);
        else
            continue;
        (void)refs_add(refs, full, ref->oid, peeled);
    }
}

static int write_refs(const struct request *request,
                      const struct target *target, struct err *err)
{
    CLEANUP(refs) struct refs refs = {0};

    /* First come those that must be there should names clash. */
    if (*target->branch) {
        CLEANUP(mem) char *name = xasprintf("refs/heads/%s", target->branch);

        (void)refs_add(&refs, name, target->commit, NULL);
    }
    if (*target->base && strcmp(target->base, target->branch) != 0) {
        CLEANUP(mem) char *name = xasprintf("refs/heads/%s", target->base);

        (void)refs_add(&refs, name, target->base_oid, NULL);
    }
    if (*target->kept_ref)
        (void)refs_add(&refs, target->kept_ref, target->commit, NULL);
    add_remote_refs(&refs, request, target);
    return refs_save(&refs, ".git/packed-refs", err);
}

static int write_head(const struct target *target, struct err *err)
{
    CLEANUP(mem)
    char *text = *target->branch
                     ? xasprintf("ref: refs/heads/%s\n", target->branch)
                     : xasprintf("%s\n", target->commit);

    return put(".git/HEAD", text, err);
}

static int write_origin_head(const struct request *request,
                             const struct target *target, const char *branch,
                             struct err *err)
{
    CLEANUP(mem)
    char *name = xasprintf("%sheads/%s", request->prefix, branch);
    CLEANUP(mem)
    char *text = xasprintf("ref: refs/remotes/origin/%s\n", branch);

    /* A branch HEAD/… or HEAD of the remote would be in its way. */
    if (!refs_find(&target->refs, name) || strncmp(branch, "HEAD", 4) == 0)
        return 0;
    if (dir_make(".git/refs/remotes/origin", 0755, err) < 0)
        return -1;
    return put(".git/refs/remotes/origin/HEAD", text, err);
}

static int set_branch(git_config *config, const char *branch)
{
    CLEANUP(mem) char *remote = xasprintf("branch.%s.remote", branch);
    CLEANUP(mem) char *merge = xasprintf("branch.%s.merge", branch);
    CLEANUP(mem) char *full = xasprintf("refs/heads/%s", branch);

    if (git_config_set_string(config, remote, "origin") < 0)
        return -1;
    return git_config_set_string(config, merge, full);
}

/* What `git submodule init` writes, so that `git submodule` knows them. */
static int set_modules(git_config *config, const char *base,
                       const struct modules *modules)
{
    for (size_t i = 0; modules && i < modules->count; i++) {
        const struct module *module = &modules->items[i];
        CLEANUP(mem) char *active = NULL;
        CLEANUP(mem) char *key = NULL;
        CLEANUP(mem) char *text = NULL;
        CLEANUP(url) struct url url = {0};
        struct err ignored;

        if (!module->path || !module->url ||
            url_resolve(base, module->url, &text, &ignored) < 0 ||
            url_parse(text, &url, &ignored) < 0)
            continue;
        active = xasprintf("submodule.%s.active", module->name);
        key = xasprintf("submodule.%s.url", module->name);
        if (git_config_set_bool(config, active, 1) < 0 ||
            git_config_set_string(config, key, url.shown) < 0)
            return -1;
    }
    return 0;
}

static int write_config(git_repository *repo, const struct request *request,
                        const struct target *target,
                        const struct modules *modules, struct err *err)
{
    git_config *config = NULL;
    int rc = git_repository_config(&config, repo);

    if (rc == 0)
        rc = git_config_set_string(config, "remote.origin.url", request->url);
    if (rc == 0)
        rc = git_config_set_string(config, "remote.origin.fetch",
                                   "+refs/heads/*:refs/remotes/origin/*");
    if (rc == 0 && *target->branch)
        rc = set_branch(config, target->branch);
    if (rc == 0)
        rc = set_modules(config, request->url, modules);
    git_config_free(config);
    if (rc < 0)
        return giterr_set(err, ERR_USER, "cannot write the tree's .git/config");
    return 0;
}

int gitdir_finish(git_repository *repo, const struct request *request,
                  const struct target *target, const char *default_branch,
                  const struct modules *modules, struct err *err)
{
    CLEANUP(mem) char *alternates = xasprintf("%s\n", request->alternates);

    if (write_config(repo, request, target, modules, err) < 0 ||
        write_refs(request, target, err) < 0 ||
        write_origin_head(request, target, default_branch, err) < 0 ||
        put(".git/objects/info/alternates", alternates, err) < 0)
        return -1;
    return write_head(target, err);
}
