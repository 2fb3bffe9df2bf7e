/* worker/checkout/remote.c - bring a mirror up to date. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/checkout/remote.h"

#include "worker/checkout/giterr.h"
#include "worker/checkout/report.h"
#include "worker/checkout/url.h"
#include "worker/checkout/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_OBJECTS    20000000
#define MAX_PACK_BYTES ((size_t)4 << 30)
#define EXTRA_NAMES    16
#define PEELED         "^{}"

struct fetcher {
    struct mirror *mirror; /* borrowed, as the next two */
    const struct request *request;
    const struct remote_want *want;
    struct url origin;     /* what the credential is for */
    bool credential_given; /* offered once */
    bool too_large;
    bool receiving; /* a pack is on its way */
    struct strv specs;
    struct strv extra; /* names beside heads and tags that were asked for */
};

void remote_candidates(const char *ref, struct strv *out_names)
{
    if (strncmp(ref, "refs/", 5) == 0) {
        strv_add(out_names, ref + 5);
        return;
    }
    strv_addf(out_names, "heads/%s", ref);
    strv_addf(out_names, "tags/%s", ref);
    strv_add(out_names, ref);
}

/* ---- what libgit2 asks while it fetches ---------------------------------- */

static int on_credential(git_credential **out, const char *url,
                         const char *user_from_url, unsigned allowed,
                         void *payload)
{
    struct fetcher *f = payload;
    struct url asking = {0};
    struct err ignored;
    bool ours;

    (void)user_from_url;
    ours = url_parse(url, &asking, &ignored) == 0 &&
           url_same_origin(&asking, &f->origin);
    url_clear(&asking);
    if (!ours || f->credential_given ||
        !(allowed & GIT_CREDENTIAL_USERPASS_PLAINTEXT) ||
        (!*f->request->username && !*f->request->password))
        return GIT_EAUTH;
    f->credential_given = true;
    return git_credential_userpass_plaintext_new(out, f->request->username,
                                                 f->request->password);
}

static const char *size_text(size_t bytes, char out[32])
{
    if (bytes < (size_t)1 << 20)
        (void)snprintf(out, 32, "%zu KiB", bytes >> 10);
    else
        (void)snprintf(out, 32, "%zu MiB", bytes >> 20);
    return out;
}

static int on_transfer(const git_indexer_progress *stats, void *payload)
{
    struct fetcher *f = payload;
    char size[32];

    f->receiving = true;
    if (stats->total_objects > MAX_OBJECTS ||
        stats->received_bytes > MAX_PACK_BYTES) {
        f->too_large = true;
        return -1;
    }
    if (stats->received_objects < stats->total_objects)
        report_progress("receiving objects %u/%u, %s", stats->received_objects,
                        stats->total_objects,
                        size_text(stats->received_bytes, size));
    else if (stats->total_deltas)
        report_progress("resolving deltas %u/%u", stats->indexed_deltas,
                        stats->total_deltas);
    return 0;
}

static void set_options(struct fetcher *f, git_fetch_options *opts)
{
    bool secret = *f->request->username || *f->request->password;

    opts->callbacks.credentials = on_credential;
    opts->callbacks.transfer_progress = on_transfer;
    opts->callbacks.payload = f;
    if (f->request->stdio_transport)
        opts->callbacks.transport = wire_transport;
    opts->download_tags = GIT_REMOTE_DOWNLOAD_TAGS_NONE;
    opts->prune = GIT_FETCH_NO_PRUNE;
    opts->proxy_opts.type = GIT_PROXY_AUTO;
    /* With a credential, not even the first request may lead elsewhere. */
    opts->follow_redirects =
        secret ? GIT_REMOTE_REDIRECT_NONE : GIT_REMOTE_REDIRECT_INITIAL;
}

static int connect(struct fetcher *f, const git_fetch_options *opts,
                   git_remote **out_remote, struct err *err)
{
    const char *url =
        f->request->stdio_transport ? "berth://wire" : f->request->url;
    git_remote_connect_options connect_opts;
    git_remote *remote = NULL;
    int rc =
        git_remote_create_anonymous(&remote, mirror_repository(f->mirror), url);

    if (rc < 0)
        return giterr_set(err, ERR_USER, "cannot fetch from '%s'",
                          f->request->url);
    (void)git_remote_connect_options_init(&connect_opts,
                                          GIT_REMOTE_CONNECT_OPTIONS_VERSION);
    connect_opts.callbacks = opts->callbacks;
    connect_opts.proxy_opts = opts->proxy_opts;
    connect_opts.follow_redirects = opts->follow_redirects;
    rc = git_remote_connect_ext(remote, GIT_DIRECTION_FETCH, &connect_opts);
    if (rc < 0) {
        (void)giterr_fetch(err, rc, f->request->url);
        git_remote_free(remote);
        return -1;
    }
    *out_remote = remote;
    return 0;
}

/* ---- what to ask for ----------------------------------------------------- */

static bool is_common(const char *name)
{
    return strncmp(name, "refs/heads/", 11) == 0 ||
           strncmp(name, "refs/tags/", 10) == 0;
}

static bool is_also(const struct remote_want *want, const char *oid)
{
    for (size_t i = 0; i < want->also_count; i++)
        if (strcmp(oid, want->also[i]) == 0)
            return true;
    return false;
}

static bool is_wanted_extra(const struct fetcher *f,
                            const git_remote_head *head)
{
    CLEANUP(strv) struct strv names = {0};
    char oid[OID_HEX_SIZE];

    if (strncmp(head->name, "refs/", 5) != 0 || is_common(head->name) ||
        !ref_name_ok(head->name))
        return false;
    (void)git_oid_tostr(oid, sizeof(oid), &head->oid);
    if ((*f->want->commit && strcmp(oid, f->want->commit) == 0) ||
        is_also(f->want, oid))
        return true;
    if (*f->want->ref)
        remote_candidates(f->want->ref, &names);
    for (size_t i = 0; i < names.count; i++)
        if (strcmp(head->name + 5, names.items[i]) == 0)
            return true;
    return false;
}

static void choose(struct fetcher *f, const git_remote_head **heads,
                   size_t count)
{
    bool found = false;

    strv_add(&f->specs, "+refs/heads/*:refs/heads/*");
    strv_add(&f->specs, "+refs/tags/*:refs/tags/*");
    if (f->want->head && count && strcmp(heads[0]->name, "HEAD") == 0)
        strv_add(&f->specs, "+HEAD:refs/" REMOTE_HEAD_NAME);
    for (size_t i = 0; i < count; i++) {
        char oid[OID_HEX_SIZE];

        (void)git_oid_tostr(oid, sizeof(oid), &heads[i]->oid);
        found = found || (is_common(heads[i]->name) &&
                          strcmp(oid, f->want->commit) == 0);
        /* One of a thousand pull requests' names is enough. */
        if (f->extra.count < EXTRA_NAMES + f->want->also_count &&
            is_wanted_extra(f, heads[i])) {
            if (found && !*f->want->ref && !is_also(f->want, oid))
                continue;
            strv_add(&f->extra, heads[i]->name);
            strv_addf(&f->specs, "+%s:%s", heads[i]->name, heads[i]->name);
        }
    }
}

/* ---- what came ----------------------------------------------------------- */

static bool is_extra(const struct fetcher *f, const char *name)
{
    for (size_t i = 0; i < f->extra.count; i++)
        if (strcmp(f->extra.items[i], name) == 0)
            return true;
    return false;
}

/* Add one of the remote's to ours, below the prefix; `next` may peel it. */
static void keep(struct fetcher *f, struct refs *refs,
                 const git_remote_head *head, const git_remote_head *next)
{
    const char *prefix = f->request->prefix;
    size_t len = strlen(head->name);
    char oid[OID_HEX_SIZE];
    char peeled[OID_HEX_SIZE] = "";
    char *name;

    /* A server may name what it did not send. */
    if (!git_odb_exists(mirror_odb(f->mirror), &head->oid))
        return;
    (void)git_oid_tostr(oid, sizeof(oid), &head->oid);
    if (next && strncmp(next->name, head->name, len) == 0 &&
        strcmp(next->name + len, PEELED) == 0 &&
        git_odb_exists(mirror_odb(f->mirror), &next->oid))
        (void)git_oid_tostr(peeled, sizeof(peeled), &next->oid);
    name = xasprintf("%s%s", prefix, head->name + 5);
    if (!is_common(head->name))
        refs_drop_one(refs, name);
    (void)refs_add(refs, name, oid, *peeled ? peeled : NULL);
    free(name);
}

static int save_head(struct fetcher *f, struct refs *refs,
                     const git_remote_head *head, struct err *err)
{
    const char *branch = head->symref_target;
    char oid[OID_HEX_SIZE];
    CLEANUP(mem)
    char *name = xasprintf("%s" REMOTE_HEAD_NAME, f->request->prefix);

    (void)git_oid_tostr(oid, sizeof(oid), &head->oid);
    refs_drop_one(refs, name);
    if (git_odb_exists(mirror_odb(f->mirror), &head->oid))
        (void)refs_add(refs, name, oid, NULL);
    if (strcmp(f->request->prefix, "refs/") != 0)
        return 0;
    if (!branch || strncmp(branch, "refs/heads/", 11) != 0 ||
        !ref_name_ok(branch))
        return mirror_set_head(f->mirror, "", err);
    return mirror_set_head(f->mirror, branch + 11, err);
}

static int save_refs(struct fetcher *f, const git_remote_head **heads,
                     size_t count, struct err *err)
{
    CLEANUP(refs) struct refs refs = {0};
    const char *const parts[] = {"heads/", "tags/"};

    if (mirror_refs(f->mirror, &refs, err) < 0)
        return -1;
    (void)git_odb_refresh(mirror_odb(f->mirror));
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        CLEANUP(mem)
        char *prefix = xasprintf("%s%s", f->request->prefix, parts[i]);

        refs_drop(&refs, prefix);
    }
    if (count && strcmp(heads[0]->name, "HEAD") == 0 &&
        save_head(f, &refs, heads[0], err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (is_common(heads[i]->name) || is_extra(f, heads[i]->name))
            keep(f, &refs, heads[i], i + 1 < count ? heads[i + 1] : NULL);
    return mirror_set_refs(f->mirror, &refs, err);
}

static int download(struct fetcher *f, git_remote *remote,
                    const git_fetch_options *opts, struct err *err)
{
    git_strarray specs = {f->specs.items, f->specs.count};
    int rc = git_remote_download(remote, &specs, opts);

    if (rc < 0 && f->too_large)
        return err_set(err, ERR_USER,
                       "'%s' is too large: more than 4 GiB, or %d objects",
                       f->request->url, MAX_OBJECTS);
    if (rc < 0)
        return giterr_fetch(err, rc, f->request->url);
    return 0;
}

static int fetch_all(struct fetcher *f, const git_fetch_options *opts,
                     struct err *err)
{
    const git_remote_head **heads = NULL;
    git_remote *remote = NULL;
    size_t count = 0;
    int rc;

    if (connect(f, opts, &remote, err) < 0)
        return -1;
    rc = git_remote_ls(&heads, &count, remote);
    if (rc < 0) {
        rc = giterr_fetch(err, rc, f->request->url);
    } else if (count == 0) {
        rc = err_set(err, ERR_USER, "'%s' is empty: push a commit to it first",
                     f->request->url);
    } else if (count > 2 * (size_t)REFS_MAX) {
        rc = err_set(err, ERR_USER, "'%s' has too many references",
                     f->request->url);
    } else {
        choose(f, heads, count);
        rc = download(f, remote, opts, err);
        if (rc == 0)
            rc = save_refs(f, heads, count, err);
    }
    (void)git_remote_disconnect(remote);
    git_remote_free(remote);
    return rc;
}

/*
 * Whether the server does not know the commit, or gives only what it names.
 * libgit2 does not read the line that says so, only the end of file behind it,
 * which 1.5 and 1.9 call by different names.
 */
static bool was_refused(const struct fetcher *f)
{
    const git_error *last = git_error_last();

    if (f->too_large || f->receiving || !last)
        return false;
    return last->klass == GIT_ERROR_INVALID ||
           strstr(last->message, "not our ref") ||
           strstr(last->message, "early EOF") ||
           strstr(last->message, "could not read from remote repository");
}

/*
 * Ask for a commit that no head or tag leads to. That it is refused is no
 * failure of ours: the caller sees that the commit is not there.
 */
static int fetch_commit(struct fetcher *f, const git_fetch_options *opts,
                        struct err *err)
{
    git_remote *remote = NULL;
    int rc;

    if (connect(f, opts, &remote, err) < 0)
        return -1;
    f->receiving = false;
    strv_clear(&f->specs);
    strv_addf(&f->specs, "%s:refs/berth/commit", f->want->commit);
    rc = download(f, remote, opts, err);
    if (rc < 0 && was_refused(f))
        rc = 0;
    (void)git_remote_disconnect(remote);
    git_remote_free(remote);
    (void)git_odb_refresh(mirror_odb(f->mirror));
    return rc;
}

int remote_fetch(struct mirror *mirror, const struct request *request,
                 const struct remote_want *want, struct err *err)
{
    struct fetcher f = {.mirror = mirror, .request = request, .want = want};
    git_fetch_options opts;
    int rc = 0;

    if (!request->stdio_transport)
        rc = url_parse(request->url, &f.origin, err);
    if (rc == 0) {
        (void)git_fetch_options_init(&opts, GIT_FETCH_OPTIONS_VERSION);
        set_options(&f, &opts);
        report_progress("fetching %s", request->url);
        rc = fetch_all(&f, &opts, err);
    }
    if (rc == 0 && *want->commit && !mirror_has(mirror, want->commit))
        rc = fetch_commit(&f, &opts, err);
    url_clear(&f.origin);
    strv_clear(&f.specs);
    strv_clear(&f.extra);
    return rc;
}
