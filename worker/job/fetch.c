/* worker/job/fetch.c - the checkout step. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/job/fetch.h"

#include "base/fd.h"
#include "base/log.h"
#include "worker/checkout/client.h"
#include "worker/job/events.h"
#include "worker/job/kept_tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FETCH_TIMEOUT_MS 1800000 /* where the step sets none */

struct fetch {
    struct attempt_spec spec;
    fetch_end_fn *on_end;
    void *arg;
    struct checkout *checkout;  /* owned while it runs */
    struct kept_tree *snapshot; /* owned; NULL: into the workspace itself */
    struct loop_source *found;  /* the end of one that was in the cache */
    char *beside; /* owned: the tree's place while the sandbox runs, or NULL */
};

static const struct sandbox_driver *driver_of(const struct fetch *fetch)
{
    return machine_driver(fetch->spec.machine);
}

static struct sandbox *sandbox_of(const struct fetch *fetch)
{
    return machine_sandbox(fetch->spec.machine);
}

static void remove_beside(struct fetch *fetch)
{
    struct err ignored;

    if (fetch->beside && tree_remove(fetch->beside, &ignored) < 0)
        return; /* it lies on the sandbox's disk, which goes with it */
    free(STEAL(fetch->beside));
}

static void end(struct fetch *fetch, const struct err *err)
{
    remove_beside(fetch);
    fetch->on_end(fetch->arg, err);
}

static void on_put(void *arg, const void *data UNUSED, size_t len UNUSED,
                   const struct err *err)
{
    end(arg, err);
}

static void on_cleared(void *arg, const struct sandbox_exit *ended)
{
    struct fetch *fetch = arg;
    struct err err = {0};

    if (ended->code != 0) {
        (void)err_set(&err, ERR_USER, "cannot clear the workspace");
        end(fetch, &err);
    } else if (driver_of(fetch)->put_tree(sandbox_of(fetch), fetch->beside,
                                          "/workspace", on_put, fetch,
                                          &err) < 0) {
        end(fetch, &err);
    }
}

/* What ran before may have left files and links: clear them from inside. */
static void replace_workspace(struct fetch *fetch)
{
    static const char *const argv[] = {
        "sh", "-c",
        "chmod -R u+rwX /workspace; find /workspace -mindepth 1 -delete", NULL};
    const struct sandbox_exec exec = {
        .argv = argv,
        .env = (const char *const *)fetch->spec.env->items,
        .cwd = "/",
        .on_exit = on_cleared,
        .arg = fetch,
    };
    struct err err = {0};
    uint32_t id;

    if (driver_of(fetch)->exec(sandbox_of(fetch), &exec, &id, &err) < 0)
        end(fetch, &err);
}

static void on_progress(void *arg, const char *line)
{
    struct fetch *fetch = arg;

    output_progress(fetch->spec.output, line);
}

static void note_result(struct fetch *fetch,
                        const struct checkout_result *result, const char *how)
{
    struct job_result *job = fetch->spec.result;

    (void)snprintf(job->commit, sizeof(job->commit), "%s", result->commit);
    free(job->branch);
    free(job->subject);
    job->branch = xstrdup(result->branch);
    job->subject = xstrdup(result->subject);
    output_note(fetch->spec.output, "%.12s %s (%u files%s)", result->commit,
                result->subject, result->files, how);
}

static int start_checkout(struct fetch *fetch, struct err *err);

/* False: the checkout is done once more, into the workspace. */
static bool keep(struct fetch *fetch, const struct checkout_result *result)
{
    struct err why = {0};
    struct err err = {0};

    if (kept_tree_keep(fetch->snapshot, result, &why) == 0)
        return true;
    log_info("the tree is not kept: %s", why.msg);
    kept_tree_free(STEAL(fetch->snapshot));
    if (start_checkout(fetch, &err) < 0)
        end(fetch, &err);
    return false;
}

/* Nobody could be asked for a credential: that is not the job's fault. */
static const struct err *blame(const struct fetch *fetch, const struct err *err,
                               struct err *out)
{
    if (!err || strcmp(fetch->spec.start->credential, "later") != 0 ||
        !checkout_is_denied(err))
        return err;
    *out = *err;
    out->kind = ERR_TRANSIENT;
    return out;
}

static void on_done(void *arg, const struct checkout_result *result,
                    const struct err *err)
{
    struct fetch *fetch = arg;
    struct err other;

    fetch->checkout = NULL;
    err = blame(fetch, err, &other);
    if (!err && fetch->snapshot && !keep(fetch, result))
        return;
    if (!err)
        note_result(fetch, result, result->fetched ? "" : ", from the mirror");
    if (!err && fetch->beside)
        replace_workspace(fetch);
    else
        end(fetch, err);
}

static int empty_dir(const char *path, unsigned uid, struct err *err)
{
    if (tree_remove(path, err) < 0)
        return -1;
    if (mkdir(path, 0755) < 0 || (geteuid() == 0 && chown(path, uid, uid) < 0))
        return err_sys(err, ERR_TRANSIENT, "cannot make '%s'", path);
    return 0;
}

/* A second try of the step finds what the first one left. As long as no command
 * was run inside, nothing of a stranger's gets in the way. */
static int prepare_tree(struct fetch *fetch, const char **out_tree,
                        struct err *err)
{
    const char *workspace = driver_of(fetch)->host_workspace(sandbox_of(fetch));
    unsigned uid = driver_of(fetch)->host_uid(sandbox_of(fetch));

    *out_tree = workspace;
    if (!machine_is_booted(fetch->spec.machine))
        return driver_of(fetch)->reset_dir(sandbox_of(fetch), SANDBOX_WORKSPACE,
                                           err);
    fetch->beside = xasprintf("%s.checkout", workspace);
    *out_tree = fetch->beside;
    return empty_dir(fetch->beside, uid, err);
}

static int start_checkout(struct fetch *fetch, struct err *err)
{
    static const struct checkout_callbacks callbacks = {on_progress, on_done};
    const struct attempt_spec *spec = &fetch->spec;
    const struct job_start *start = spec->start;
    CLEANUP(mem)
    char *mirror =
        xasprintf("%s/" MACHINE_MIRROR_REPO, machine_mirror(spec->machine));
    unsigned uid = driver_of(fetch)->host_uid(sandbox_of(fetch));
    struct checkout_request request = {
        .url = start->repo,
        .commit = start->commit,
        .ref = *start->ref ? start->ref : start->branch,
        .base = start->base,
        .username = start->username,
        .password = start->password,
        .whose = start->whose,
        .mirror = mirror,
        .alternates = MACHINE_MIRROR "/" MACHINE_MIRROR_REPO "/objects",
        .submodules = start->pipeline->steps[spec->index].submodules,
        .uid = geteuid() == 0 ? uid : 0,
        .inside_uid = 1000,
        .timeout_ms = spec->timeout_ms ? spec->timeout_ms : FETCH_TIMEOUT_MS,
    };

    if (fetch->snapshot &&
        kept_tree_prepare(fetch->snapshot, &request, err) < 0) {
        log_info("the tree will not be kept: %s", err->msg);
        kept_tree_free(STEAL(fetch->snapshot));
    }
    if (!fetch->snapshot && prepare_tree(fetch, &request.tree, err) < 0)
        return -1;
    return checkout_start(spec->loop, &request, &callbacks, fetch,
                          &fetch->checkout, err);
}

static void on_found(void *arg)
{
    struct fetch *fetch = arg;

    fetch->found = NULL;
    end(fetch, NULL);
}

static bool find(struct fetch *fetch)
{
    struct checkout_result result;

    if (!kept_tree_find(fetch->snapshot, &result))
        return false;
    note_result(fetch, &result, ", from the cache");
    return true;
}

int fetch_start(const struct attempt_spec *spec, fetch_end_fn *on_end,
                void *arg, struct fetch **out_fetch, struct err *err)
{
    CLEANUP(fetch) struct fetch *fetch = xcalloc(1, sizeof(*fetch));

    fetch->spec = *spec;
    fetch->on_end = on_end;
    fetch->arg = arg;
    if (!*spec->start->repo)
        return err_set(err, ERR_USER, "the job names no repository");
    fetch->snapshot = kept_tree_new(&fetch->spec);
    if (fetch->snapshot && find(fetch))
        fetch->found = loop_add_timer(spec->loop, 0, on_found, fetch);
    else if (start_checkout(fetch, err) < 0)
        return -1;
    *out_fetch = STEAL(fetch);
    return 0;
}

bool fetch_is_inside(const struct fetch *fetch)
{
    return fetch->beside && !fetch->checkout;
}

void fetch_free(struct fetch *fetch)
{
    if (!fetch)
        return;
    checkout_kill(fetch->checkout);
    loop_remove(fetch->found);
    kept_tree_free(fetch->snapshot);
    remove_beside(fetch);
    free(fetch->beside);
    free(fetch);
}
