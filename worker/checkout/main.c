/* worker/checkout/main.c - the program: mirror, then what a commit holds. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "base/strbuf.h"
#include "worker/checkout/confine.h"
#include "worker/checkout/delta.h"
#include "worker/checkout/front.h"
#include "worker/checkout/gitdir.h"
#include "worker/checkout/giterr.h"
#include "worker/checkout/mirror.h"
#include "worker/checkout/modules.h"
#include "worker/checkout/report.h"
#include "worker/checkout/request.h"
#include "worker/checkout/show.h"
#include "worker/checkout/stream.h"
#include "worker/checkout/target.h"
#include "worker/checkout/tree.h"
#include "worker/checkout/url.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEBIAN_CA_FILE "/etc/ssl/certs/ca-certificates.crt"
#define MAX_OBJECT     ((size_t)1 << 30)
#define WINDOW_BYTES   ((size_t)32 << 20)
#define MAPPED_BYTES   ((size_t)1 << 30)

/* A certificate of our own making is trusted by naming it here. */
static int set_trust(struct err *err)
{
    const char *file = getenv("SSL_CERT_FILE");
    const char *dir = getenv("SSL_CERT_DIR");

    if ((!file || !*file) && (!dir || !*dir))
        file = DEBIAN_CA_FILE;
    if (file && *file)
        dir = NULL;
    if (git_libgit2_opts(GIT_OPT_SET_SSL_CERT_LOCATIONS, file, dir) < 0)
        return giterr_set(err, ERR_TRANSIENT,
                          "cannot read the certificates of '%s': install "
                          "ca-certificates, or set SSL_CERT_FILE",
                          file ? file : dir);
    return 0;
}

/* Without the option the limit on memory (confine.c) is what there is. */
static int limit_objects(void)
{
#ifdef HAVE_GIT_PACK_MAX_OBJECT_SIZE
    return git_libgit2_opts(GIT_OPT_SET_PACK_MAX_OBJECT_SIZE, MAX_OBJECT);
#else
    return 0;
#endif
}

/* Nobody's configuration but the mirror's and the tree's own, both ours. */
static int set_up_libgit2(const struct request *request, struct err *err)
{
    static const int levels[] = {GIT_CONFIG_LEVEL_PROGRAMDATA,
                                 GIT_CONFIG_LEVEL_SYSTEM, GIT_CONFIG_LEVEL_XDG,
                                 GIT_CONFIG_LEVEL_GLOBAL};

    if (git_libgit2_init() < 0)
        return giterr_set(err, ERR_TRANSIENT, "cannot start libgit2");
    for (size_t i = 0; i < ARRAY_LEN(levels); i++)
        if (git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, levels[i], "") < 0)
            return giterr_set(err, ERR_BUG, "cannot set up libgit2");
    if (git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0) < 0 ||
        git_libgit2_opts(GIT_OPT_ENABLE_STRICT_OBJECT_CREATION, 0) < 0 ||
        git_libgit2_opts(GIT_OPT_ENABLE_STRICT_HASH_VERIFICATION, 1) < 0 ||
        limit_objects() < 0 ||
        git_libgit2_opts(GIT_OPT_SET_MWINDOW_SIZE, WINDOW_BYTES) < 0 ||
        git_libgit2_opts(GIT_OPT_SET_MWINDOW_MAPPED_LIMIT, MAPPED_BYTES) < 0)
        return giterr_set(err, ERR_BUG, "cannot set up libgit2");
    if (request->stdio_transport)
        return 0;
    return stream_register(err) < 0 ? -1 : set_trust(err);
}

static int read_modules(git_repository *repo, const struct tree_facts *facts,
                        struct modules *out_modules, struct err *err)
{
    git_blob *blob = NULL;
    int rc;

    if (!facts->has_modules)
        return 0;
    if (git_blob_lookup(&blob, repo, &facts->modules) < 0)
        return giterr_set(err, ERR_TRANSIENT, "cannot read .gitmodules");
    if (git_blob_rawsize(blob) > MODULES_MAX_BYTES)
        rc = err_set(err, ERR_USER, ".gitmodules is too large");
    else
        rc = modules_parse(git_blob_rawcontent(blob),
                           (size_t)git_blob_rawsize(blob), out_modules, err);
    git_blob_free(blob);
    return rc;
}

/* Each is checked out by a process of its own, started by our client. */
static int report_modules(const struct request *request,
                          const struct tree_facts *facts,
                          const struct modules *modules, struct err *err)
{
    for (size_t i = 0; i < facts->link_count; i++) {
        const struct tree_link *link = &facts->links[i];
        const struct module *module = modules_at(modules, link->path);
        CLEANUP(mem) char *url = NULL;
        char oid[OID_HEX_SIZE];

        if (!module || !module->url)
            return err_set(err, ERR_USER,
                           "no address for submodule '%.300s' in .gitmodules",
                           link->path);
        if (url_resolve(request->url, module->url, &url, err) < 0)
            return err_wrap(err, "submodule '%.300s'", link->path);
        (void)git_oid_tostr(oid, sizeof(oid), &link->oid);
        report_submodule(link->path, url, oid);
    }
    return 0;
}

/* Find a base to make a layer from, all checked then; else there is no delta
 * and nothing is. */
static int choose_base(git_repository *mirror, const struct request *request,
                       const git_oid *oid, struct layer *layer,
                       struct delta **out_delta, struct tree_facts *facts,
                       struct err *err)
{
    for (size_t i = 0; i < request->base_count; i++) {
        const struct layer_base *base = &request->bases[i];
        git_oid known;
        int rc;

        tree_facts_clear(facts);
        if (git_oid_fromstr(&known, base->commit) < 0 ||
            tree_check(mirror, oid, request->submodules ? NULL : &known, facts,
                       err) < 0)
            return -1;
        /* No base has the trees of submodules in it. */
        if (request->submodules && facts->link_count)
            return 0;
        rc = delta_open(mirror, oid, base, out_delta, facts, err);
        layer->base = i;
        if (rc != 0)
            return rc < 0 ? -1 : 0;
    }
    return 0;
}

/* Look at all of it, before anything is written. */
static int check_tree(git_repository *mirror, const struct request *request,
                      const git_oid *oid, struct layer *layer,
                      struct delta **out_delta, struct tree_facts *facts,
                      struct err *err)
{
    if (choose_base(mirror, request, oid, layer, out_delta, facts, err) < 0)
        return -1;
    layer->kind = *out_delta ? LAYER_DELTA : LAYER_FULL;
    if (*out_delta)
        return 0;
    layer->base = 0;
    tree_facts_clear(facts);
    if (tree_check(mirror, oid, NULL, facts, err) < 0)
        return -1;
    if (!request->layered)
        return 0;
    return tree_measure(mirror, oid, request->max_bytes, &layer->bytes, err);
}

static int write_tree(struct mirror *mirror, const struct request *request,
                      const struct target *target, struct layer *layer,
                      struct tree_facts *facts, struct err *err)
{
    CLEANUP(modules) struct modules modules = {0};
    CLEANUP(mem) char *head = mirror_head(mirror);
    CLEANUP(delta) struct delta *delta = NULL;
    git_repository *repo = NULL;
    git_oid oid;
    int rc;

    if (git_oid_fromstr(&oid, target->commit) < 0 ||
        check_tree(mirror_repository(mirror), request, &oid, layer, &delta,
                   facts, err) < 0)
        return -1;
    if (request->submodules &&
        read_modules(mirror_repository(mirror), facts, &modules, err) < 0)
        return -1;
    if (gitdir_make(mirror, &repo, err) < 0)
        return -1;
    rc = delta
             ? delta_write(delta, repo, request->inside_uid, layer, facts, err)
             : tree_write(repo, &oid, request->inside_uid, facts, err);
    if (rc == 0)
        rc = gitdir_finish(repo, request, target, head, &modules, err);
    git_repository_free(repo);
    if (rc == 0 && request->submodules)
        rc = report_modules(request, facts, &modules, err);
    return rc;
}

static char *subject_of(const struct mirror *mirror, const char *commit)
{
    git_commit *object = NULL;
    const char *summary = NULL;
    char *subject;
    git_oid oid;

    if (git_oid_fromstr(&oid, commit) == 0 &&
        git_commit_lookup(&object, mirror_repository(mirror), &oid) == 0)
        summary = git_commit_summary(object);
    subject = xstrdup(summary ? summary : "");
    git_commit_free(object);
    return subject;
}

static int run(const struct request *request, struct err *err)
{
    CLEANUP(mirror) struct mirror *mirror = NULL;
    CLEANUP(target) struct target target = {0};
    CLEANUP(tree_facts) struct tree_facts facts = {0};
    CLEANUP(mem) char *subject = NULL;
    struct layer layer = {.max_bytes = request->max_bytes};
    struct err why = {0};
    bool more = false;
    int rc;

    if (set_up_libgit2(request, err) < 0 ||
        (!request->show && confine_enter_tree(request, err) < 0) ||
        mirror_open(request, &mirror, err) < 0 ||
        target_find(mirror, request, &target, err) < 0)
        return -1;
    rc = request->show
             ? show_files(mirror, request, target.commit, &more, &facts.damaged,
                          err)
             : write_tree(mirror, request, &target, &layer, &facts, err);
    if (rc < 0 && facts.damaged)
        mirror_condemn(mirror);
    if (rc < 0 && request->layered) {
        why = *err;
        layer.kind = LAYER_NONE;
    } else if (rc < 0) {
        return err_wrap(err, "commit %.12s of '%s'", target.commit,
                        request->url);
    }
    subject = subject_of(mirror, target.commit);
    report_done(&(struct report_done){
        target.commit, target.branch, subject, target.fetched, facts.files,
        request->layered ? &layer : NULL, target.state, why.msg, more});
    return 0;
}

static int run_confined(struct err *err)
{
    CLEANUP(request) struct request request = {0};

    if (request_read(STDIN_FILENO, &request, err) < 0 ||
        confine(&request, err) < 0)
        return -1;
    return run(&request, err);
}

int main(int argc, char **argv)
{
    struct err err = {0};
    int rc;

    log_init("checkout", LOG_WARN);
    if (argc == 2 && strcmp(argv[1], "--show") == 0)
        rc = front_run(STDIN_FILENO, &err);
    else
        rc = run_confined(&err);
    if (rc < 0)
        report_error(&err);
    /* No exit handlers: a process that cannot be traced has no use for them. */
    _exit(rc < 0 ? 1 : 0);
}
