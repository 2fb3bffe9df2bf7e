/* worker/checkout/target.c - which commit a request means. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/checkout/target.h"

#include "base/log.h"
#include "worker/checkout/giterr.h"
#include "worker/checkout/remote.h"
#include "worker/checkout/repack.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct finder {
    struct mirror *mirror;         /* borrowed */
    const struct request *request; /* borrowed */
    char commit[OID_HEX_SIZE];     /* asked for by id; "" otherwise */
    const char *ref;               /* asked for by name; "" otherwise */
    const char *base;              /* short name or "" */
};

void target_clear(struct target *target)
{
    free(target->branch);
    free(target->kept_ref);
    free(target->base);
    refs_clear(&target->refs);
    memset(target, 0, sizeof(*target));
}

static const struct ref *find(const struct finder *f, const struct refs *refs,
                              const char *part, const char *name)
{
    CLEANUP(mem)
    char *full = xasprintf("%s%s%s", f->request->prefix, part, name);

    return refs_find(refs, full);
}

static bool needs_fetch(const struct finder *f, const struct refs *refs)
{
    if (!*f->commit || !mirror_has(f->mirror, f->commit))
        return true;
    return *f->base && !find(f, refs, "heads/", f->base);
}

static int read_refs(struct finder *f, struct target *t, struct err *err)
{
    refs_clear(&t->refs);
    /* First: should they be replaced meanwhile, the state is an old one. */
    refs_state(f->request->mirror, t->state);
    return mirror_refs(f->mirror, &t->refs, err);
}

static int refresh(struct finder *f, struct target *t, struct err *err)
{
    struct remote_want want = {.commit = f->commit,
                               .ref = f->ref,
                               .head = !*f->commit && !*f->ref,
                               .also = f->request->also,
                               .also_count = f->request->also_count};
    struct err ignored = {0};

    if (read_refs(f, t, err) < 0)
        return -1;
    if (!needs_fetch(f, &t->refs))
        return 0;
    if (mirror_lock(f->mirror, err) < 0)
        return -1;
    /* Who held the lock may have brought what we want. */
    if (read_refs(f, t, err) < 0)
        return -1;
    if (needs_fetch(f, &t->refs)) {
        if (remote_fetch(f->mirror, f->request, &want, err) < 0)
            return -1;
        t->fetched = true;
        if (repack(f->mirror, &ignored) < 0)
            log_warn("mirror of '%s': %s", f->request->url, ignored.msg);
        if (read_refs(f, t, err) < 0)
            return -1;
    }
    mirror_unlock(f->mirror);
    return 0;
}

static void take_branch(struct target *t, const char *name)
{
    CLEANUP(mem) char *full = xasprintf("refs/heads/%s", name);

    if (!ref_name_ok(full))
        return;
    free(t->branch);
    t->branch = xstrdup(name);
}

static int resolve_name(struct finder *f, struct target *t, struct err *err)
{
    CLEANUP(strv) struct strv names = {0};

    remote_candidates(f->ref, &names);
    for (size_t i = 0; i < names.count; i++) {
        const char *name = names.items[i];
        const struct ref *ref = find(f, &t->refs, "", name);

        if (!ref)
            continue;
        memcpy(t->commit, ref->oid, sizeof(t->commit));
        if (strncmp(name, "heads/", 6) == 0) {
            take_branch(t, name + 6);
        } else if (strncmp(name, "tags/", 5) != 0) {
            free(t->kept_ref);
            t->kept_ref = xasprintf("refs/%s", name);
        }
        return 0;
    }
    return err_set(err, ERR_USER,
                   "no branch, tag or reference '%.300s' in '%s': push it "
                   "first, or check --ref",
                   f->ref, f->request->url);
}

static int resolve_head(struct finder *f, struct target *t, struct err *err)
{
    CLEANUP(mem) char *branch = mirror_head(f->mirror);
    const struct ref *ref = find(f, &t->refs, "heads/", branch);

    if (ref)
        take_branch(t, branch);
    else
        ref = find(f, &t->refs, "", REMOTE_HEAD_NAME);
    if (!ref)
        return err_set(err, ERR_USER,
                       "'%s' has no HEAD to check out: name a branch with "
                       "--ref",
                       f->request->url);
    memcpy(t->commit, ref->oid, sizeof(t->commit));
    return 0;
}

/* A commit was given: `ref` only says on which branch it is. */
static void name_branch(struct finder *f, struct target *t)
{
    const char *ref = f->request->ref;

    if (strncmp(ref, "refs/heads/", 11) == 0)
        take_branch(t, ref + 11);
    else if (*ref && find(f, &t->refs, "heads/", ref))
        take_branch(t, ref);
}

/* An annotated tag stands for its commit; anything else is refused. */
static int peel(struct finder *f, struct target *t, struct err *err)
{
    git_repository *repo = mirror_repository(f->mirror);
    git_object *object = NULL;
    git_object *commit = NULL;
    git_oid oid;
    int rc = git_oid_fromstr(&oid, t->commit);

    if (rc == 0)
        rc = git_object_lookup(&object, repo, &oid, GIT_OBJECT_ANY);
    if (rc == GIT_ENOTFOUND)
        return err_set(err, ERR_USER,
                       "no commit %s in '%s': push it first, or check "
                       "--commit",
                       t->commit, f->request->url);
    if (rc == 0)
        rc = git_object_peel(&commit, object, GIT_OBJECT_COMMIT);
    if (rc == 0)
        (void)git_oid_tostr(t->commit, sizeof(t->commit),
                            git_object_id(commit));
    git_object_free(commit);
    git_object_free(object);
    if (rc < 0)
        return giterr_set(err, ERR_USER, "%s in '%s' is no commit", t->commit,
                          f->request->url);
    return 0;
}

static bool is_here(struct finder *f, const char *commit)
{
    git_commit *found = NULL;
    git_oid oid;
    bool here =
        git_oid_fromstr(&oid, commit) == 0 &&
        git_commit_lookup(&found, mirror_repository(f->mirror), &oid) == 0;

    git_commit_free(found);
    return here;
}

/* A branch; or a commit, which no ref needs to name in the tree. */
static int resolve_base(struct finder *f, struct target *t, struct err *err)
{
    const struct ref *base = find(f, &t->refs, "heads/", f->base);

    if (!base && oid_ok(f->base) && is_here(f, f->base))
        return 0;
    if (!base)
        return err_set(err, ERR_USER,
                       "no branch '%.300s' to compare with in '%s'", f->base,
                       f->request->url);
    free(t->base);
    t->base = xstrdup(f->base);
    memcpy(t->base_oid, base->oid, sizeof(t->base_oid));
    return 0;
}

static int resolve(struct finder *f, struct target *t, struct err *err)
{
    int rc = 0;

    if (*f->commit) {
        memcpy(t->commit, f->commit, sizeof(t->commit));
        name_branch(f, t);
    } else {
        rc = *f->ref ? resolve_name(f, t, err) : resolve_head(f, t, err);
    }
    if (rc < 0 || peel(f, t, err) < 0)
        return -1;
    return *f->base ? resolve_base(f, t, err) : 0;
}

int target_find(struct mirror *mirror, const struct request *request,
                struct target *out_target, struct err *err)
{
    CLEANUP(target) struct target t = {0};
    struct finder f = {.mirror = mirror, .request = request};
    const char *id = request->commit;

    f.ref = request->ref;
    f.base = request->base;
    if (strncmp(f.base, "refs/heads/", 11) == 0)
        f.base += 11;
    if (!*id && oid_ok(f.ref))
        id = f.ref;
    for (size_t i = 0; id[i]; i++)
        f.commit[i] = (char)tolower((unsigned char)id[i]);
    t.branch = xstrdup("");
    t.kept_ref = xstrdup("");
    t.base = xstrdup("");
    if (refresh(&f, &t, err) < 0 || resolve(&f, &t, err) < 0)
        return -1;
    *out_target = t;
    memset(&t, 0, sizeof(t));
    return 0;
}
