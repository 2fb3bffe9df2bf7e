/* worker/checkout/tree.c - a stranger's tree: look first, then write. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/checkout/tree.h"

#include "base/strbuf.h"
#include "worker/checkout/giterr.h"
#include "worker/checkout/layer.h"
#include "worker/checkout/names.h"
#include "worker/checkout/report.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define SHOWN 200 /* bytes of a path in a message */

struct walker {
    git_repository *repo; /* borrowed */
    struct tree_facts *facts;
    struct strbuf path;
    unsigned depth;
    unsigned entries;
    size_t path_bytes;
    struct err *err;
};

void tree_facts_clear(struct tree_facts *facts)
{
    for (size_t i = 0; i < facts->link_count; i++)
        free(facts->links[i].path);
    free(facts->links);
    memset(facts, 0, sizeof(*facts));
}

static int refuse(struct walker *w, const char *why)
{
    const char *path = w->path.data;
    size_t len = w->path.len;

    return err_set(w->err, ERR_USER, "the tree is refused: '%s%.*s' %s",
                   len > SHOWN ? "…" : "", len > SHOWN ? SHOWN : (int)len,
                   len > SHOWN ? path + len - SHOWN : path, why);
}

/* How git orders entries: a directory as if a slash stood behind its name. */
static int compare_entries(const git_tree_entry *a, const git_tree_entry *b)
{
    const char *x = git_tree_entry_name(a);
    const char *y = git_tree_entry_name(b);
    size_t i = 0;
    int c;
    int d;

    while (x[i] && x[i] == y[i])
        i++;
    c = (unsigned char)x[i];
    d = (unsigned char)y[i];
    if (!c && git_tree_entry_type(a) == GIT_OBJECT_TREE)
        c = '/';
    if (!d && git_tree_entry_type(b) == GIT_OBJECT_TREE)
        d = '/';
    return c - d;
}

static int compare_strings(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Two entries of one name, of which one is a tree, may stand far apart. */
static int check_twins(struct walker *w, const git_tree *tree)
{
    size_t count = git_tree_entrycount(tree);
    const char **names = xreallocarray(NULL, count + 1, sizeof(*names));
    int rc = 0;

    for (size_t i = 0; i < count; i++)
        names[i] = git_tree_entry_name(git_tree_entry_byindex(tree, i));
    qsort(names, count, sizeof(*names), compare_strings);
    for (size_t i = 1; rc == 0 && i < count; i++) {
        if (strcmp(names[i - 1], names[i]) != 0)
            continue;
        strbuf_adds(&w->path, names[i]);
        rc = refuse(w, "is there twice");
    }
    free(names);
    return rc;
}

static void add_link(struct walker *w, const git_tree_entry *entry)
{
    struct tree_facts *facts = w->facts;

    facts->links = xreallocarray(facts->links, facts->link_count + 1,
                                 sizeof(*facts->links));
    facts->links[facts->link_count].path = xstrdup(w->path.data);
    facts->links[facts->link_count++].oid = *git_tree_entry_id(entry);
}

static int check_tree(struct walker *w, const git_oid *oid,
                      const git_oid *base);

/* The same there and here: it was looked at when it came. */
static bool is_known(const git_tree_entry *entry, const git_tree_entry *known)
{
    return known && git_tree_entry_type(known) == GIT_OBJECT_TREE &&
           git_oid_equal(git_tree_entry_id(known), git_tree_entry_id(entry));
}

static int check_below(struct walker *w, const git_tree_entry *entry,
                       const git_tree_entry *known)
{
    if (is_known(entry, known))
        return 0;
    if (known && git_tree_entry_type(known) != GIT_OBJECT_TREE)
        known = NULL;
    return check_tree(w, git_tree_entry_id(entry),
                      known ? git_tree_entry_id(known) : NULL);
}

static int check_kind(struct walker *w, const git_tree_entry *entry,
                      const git_tree_entry *known)
{
    const char *name = git_tree_entry_name(entry);
    bool modules = w->depth == 1 && name_is_gitmodules(name, strlen(name));
    git_filemode_t mode = git_tree_entry_filemode_raw(entry);

    if (S_ISDIR(mode))
        return modules ? refuse(w, "must be a regular file")
                       : check_below(w, entry, known);
    w->facts->files++;
    if ((mode & S_IFMT) == GIT_FILEMODE_COMMIT) {
        add_link(w, entry);
        return modules ? refuse(w, "must be a regular file") : 0;
    }
    if (S_ISLNK(mode))
        return modules ? refuse(w, "must be a regular file") : 0;
    if (!S_ISREG(mode))
        return refuse(w, "is of no kind that git has");
    if (strcasecmp(name, ".gitattributes") == 0)
        w->facts->has_attributes = true;
    if (modules && strcmp(name, ".gitmodules") == 0) {
        w->facts->has_modules = true;
        w->facts->modules = *git_tree_entry_id(entry);
    }
    return 0;
}

static int check_entry(struct walker *w, const git_tree_entry *entry,
                       const git_tree_entry *known)
{
    const char *name = git_tree_entry_name(entry);
    size_t len = strlen(name);
    const char *fault = name_fault(name, len);
    size_t before = w->path.len;
    int rc;

    if (before)
        strbuf_addc(&w->path, '/');
    strbuf_adds(&w->path, name);
    w->path_bytes += w->path.len;
    if (fault)
        return refuse(w, fault);
    if (w->path.truncated || w->path.len > PATH_MAX_BYTES)
        return refuse(w, "is longer than 3500 bytes");
    if (++w->entries > TREE_MAX_ENTRIES || w->path_bytes > TREE_MAX_PATH_BYTES)
        return refuse(w, "is one of more than a million files");
    rc = check_kind(w, entry, known);
    if (rc == 0)
        strbuf_cut(&w->path, before);
    return rc;
}

static int check_entries(struct walker *w, const git_tree *tree,
                         const git_tree *base)
{
    size_t count = git_tree_entrycount(tree);

    for (size_t i = 0; i < count; i++) {
        const git_tree_entry *entry = git_tree_entry_byindex(tree, i);

        if (i &&
            compare_entries(git_tree_entry_byindex(tree, i - 1), entry) >= 0) {
            strbuf_adds(&w->path, "/");
            strbuf_adds(&w->path, git_tree_entry_name(entry));
            return refuse(w, "is there twice, or out of order");
        }
        if (check_entry(
                w, entry,
                base ? git_tree_entry_byname(base, git_tree_entry_name(entry))
                     : NULL) < 0)
            return -1;
    }
    return check_twins(w, tree);
}

static int check_tree(struct walker *w, const git_oid *oid, const git_oid *base)
{
    git_tree *tree = NULL;
    git_tree *known = NULL;
    int rc;

    if (w->depth >= PATH_MAX_DEPTH)
        return refuse(w, "is deeper than 256 directories");
    rc = git_tree_lookup(&tree, w->repo, oid);
    if (rc == 0 && base)
        rc = git_tree_lookup(&known, w->repo, base);
    if (rc < 0) {
        git_tree_free(tree);
        return giterr_tree(w->err, rc, "write the tree", &w->facts->damaged);
    }
    w->depth++;
    rc = check_entries(w, tree, known);
    w->depth--;
    git_tree_free(known);
    git_tree_free(tree);
    return rc;
}

static int tree_of(git_repository *repo, const git_oid *commit,
                   git_oid *out_tree)
{
    git_commit *object = NULL;
    int rc = git_commit_lookup(&object, repo, commit);

    if (rc == 0)
        *out_tree = *git_commit_tree_id(object);
    git_commit_free(object);
    return rc;
}

int tree_check(git_repository *repo, const git_oid *commit, const git_oid *base,
               struct tree_facts *out_facts, struct err *err)
{
    struct walker w = {.repo = repo, .facts = out_facts, .err = err};
    git_oid tree;
    git_oid known;
    int rc = tree_of(repo, commit, &tree);

    /* A base that the mirror lost is no base. */
    if (base && tree_of(repo, base, &known) < 0)
        base = NULL;
    if (rc < 0)
        return giterr_tree(err, rc, "write the tree", &out_facts->damaged);
    w.path = (struct strbuf)STRBUF_MAX(PATH_MAX_BYTES + NAME_MAX_BYTES + 2);
    rc = check_tree(&w, &tree, base ? &known : NULL);
    strbuf_clear(&w.path);
    return rc;
}

struct measure {
    git_odb *odb; /* borrowed */
    uint64_t bytes;
    uint64_t max;
};

static int measure_entry(const char *root, const git_tree_entry *entry,
                         void *payload)
{
    struct measure *m = payload;
    git_object_t type;
    size_t size = 0;
    int rc = 0;

    (void)root;
    if (git_tree_entry_type(entry) == GIT_OBJECT_BLOB)
        rc =
            git_odb_read_header(&size, &type, m->odb, git_tree_entry_id(entry));
    m->bytes += layer_cost(size);
    return rc < 0 || m->bytes > m->max ? -1 : 0;
}

int tree_measure(git_repository *repo, const git_oid *commit,
                 uint64_t max_bytes, uint64_t *bytes, struct err *err)
{
    struct measure m = {.bytes = *bytes, .max = max_bytes};
    git_tree *tree = NULL;
    git_oid oid;
    int rc = tree_of(repo, commit, &oid);

    if (rc == 0)
        rc = git_tree_lookup(&tree, repo, &oid);
    if (rc == 0)
        rc = git_repository_odb(&m.odb, repo);
    if (rc == 0)
        rc = git_tree_walk(tree, GIT_TREEWALK_PRE, measure_entry, &m);
    git_odb_free(m.odb);
    git_tree_free(tree);
    if (m.bytes > max_bytes)
        return err_set(err, ERR_USER, "the tree is too large to be kept");
    if (rc < 0)
        return giterr_set(err, ERR_TRANSIENT, "cannot measure the tree");
    *bytes = m.bytes;
    return 0;
}

static void on_written(const char *path, size_t done, size_t total,
                       void *payload)
{
    (void)path;
    (void)payload;
    if (done)
        report_progress("writing files %zu/%zu", done, total);
}

/*
 * The stat data is right for the host; inside a user namespace the owner is
 * another number, and git would take every file for changed and read it.
 * libgit2 has no setter that does not look the file up again.
 */
static void set_owner(git_index *index, unsigned uid)
{
    size_t count = git_index_entrycount(index);

    for (size_t i = 0; i < count; i++) {
        git_index_entry *entry =
            (git_index_entry *)(uintptr_t)git_index_get_byindex(index, i);

        entry->uid = uid;
        entry->gid = uid;
    }
}

/*
 * libgit2 takes attributes from the index, or from a file that is there: of
 * those that come before .gitattributes ("+y.txt") it would know nothing.
 */
static int write_attributes(git_repository *repo, const git_object *commit,
                            const struct tree_facts *facts)
{
    git_index *index = NULL;
    git_tree *tree = NULL;
    int rc;

    if (!facts->has_attributes)
        return 0;
    rc = git_commit_tree(&tree, (const git_commit *)commit);
    if (rc == 0)
        rc = git_repository_index(&index, repo);
    if (rc == 0)
        rc = git_index_read_tree(index, tree);
    if (rc == 0)
        rc = git_index_write(index);
    git_index_free(index);
    git_tree_free(tree);
    return rc;
}

int tree_write(git_repository *repo, const git_oid *commit, unsigned inside_uid,
               struct tree_facts *facts, struct err *err)
{
    git_checkout_options opts;
    git_object *object = NULL;
    git_index *index = NULL;
    git_oid tree;
    int rc;

    (void)git_checkout_options_init(&opts, GIT_CHECKOUT_OPTIONS_VERSION);
    opts.checkout_strategy = GIT_CHECKOUT_FORCE | GIT_CHECKOUT_DONT_WRITE_INDEX;
    opts.progress_cb = on_written;
    rc = git_object_lookup(&object, repo, commit, GIT_OBJECT_COMMIT);
    if (rc == 0)
        rc = write_attributes(repo, object, facts);
    if (rc == 0)
        rc = git_checkout_tree(repo, object, &opts);
    if (rc == 0)
        rc = git_repository_index(&index, repo);
    if (rc == 0) {
        set_owner(index, inside_uid);
        /* With the trees that it is of: git, and the next delta, need not
         * make them again. */
        rc = git_index_write_tree_to(&tree, index, repo);
    }
    if (rc == 0 &&
        !git_oid_equal(&tree, git_commit_tree_id((git_commit *)object)))
        rc = GIT_EMISMATCH;
    if (rc == 0) {
        rc = git_index_write(index);
    }
    if (rc < 0)
        (void)giterr_tree(err, rc, "write the tree", &facts->damaged);
    git_index_free(index);
    git_object_free(object);
    return rc < 0 ? -1 : 0;
}
