/* worker/job/install.c - node_modules from the cache, or into it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/job/install.h"

#include "base/log.h"
#include "worker/cache/verified.h"
#include "worker/job/caches.h"
#include "worker/job/install_key.h"
#include "worker/job/save.h"
#include "worker/job/trust.h"
#include "worker/job/verify.h"

#include <stdlib.h>

#define KIND        "installs"
#define FORMAT      1
#define PROBE_MAX   ((size_t)8 << 10)
#define SHARE_BYTES 4 /* of the job's disk, for one install */

struct install {
    const struct attempt_spec *spec; /* borrowed */
    install_ready_fn *ready;
    void *arg;
    char *dir; /* owned: relative to the workspace, "" for it */
    struct strbuf probe;
    char key[INSTALL_KEY_SIZE];
    struct trust trust;
    struct cache_entry found;
    struct verify *verify; /* owned */
    bool waiting;          /* for the store of caches */
    bool fresh;            /* layers are there to see what npm changes */
};

static const struct sandbox_driver *driver_of(const struct install *in)
{
    return machine_driver(in->spec->machine);
}

static struct sandbox *sandbox_of(const struct install *in)
{
    return machine_sandbox(in->spec->machine);
}

void install_free(struct install *in)
{
    if (!in)
        return;
    if (in->waiting)
        far_ask_forget(caches_far(in->spec->caches), in);
    verify_free(in->verify);
    cache_entry_release(&in->found);
    trust_clear(&in->trust);
    strbuf_clear(&in->probe);
    free(in->dir);
    free(in);
}

static int push_both(struct install *in, struct err *err)
{
    for (int dir = 0; dir < SANDBOX_DIRS; dir++)
        if (driver_of(in)->push_layers(sandbox_of(in), (enum sandbox_dir)dir,
                                       NULL, 0, err) < 0)
            return -1;
    return 0;
}

/* npm has to run: into layers of its own, so that all of its work is seen. */
static void miss(struct install *in)
{
    struct err err = {0};

    cache_entry_release(&in->found);
    in->fresh = push_both(in, &err) == 0;
    if (!in->fresh)
        log_info("the install will not be kept: %s", err.msg);
    in->ready(in->arg, false);
}

static void hit(struct install *in)
{
    CLEANUP(mem) char *root = xasprintf("%s/" CACHE_ROOT, in->found.path);
    const char *lowers[] = {root};
    json_int_t files =
        json_integer_value(json_object_get(in->found.meta, "files"));
    struct err err = {0};

    if (driver_of(in)->push_layers(sandbox_of(in), SANDBOX_WORKSPACE, lowers, 1,
                                   &err) < 0) {
        log_info("the install is not taken from the cache: %s", err.msg);
        miss(in);
        return;
    }
    machine_hold(in->spec->machine, &in->found);
    output_note(in->spec->output,
                "node_modules from the cache (%lld files): the lock file is "
                "known",
                (long long)files);
    in->ready(in->arg, true);
}

/* ---- whether it is what was written -------------------------------------- */

static void on_verified(void *arg, const char *digest, bool late)
{
    struct install *in = arg;

    verify_free(STEAL(in->verify));
    if (late) {
        output_note(in->spec->output, "the cache is too slow: not used");
        miss(in);
    } else if (verified_judge(&in->found, digest)) {
        hit(in);
    } else {
        output_note(in->spec->output,
                    "what the cache had is damaged: not used");
        cache_condemn(machine_cache(in->spec->machine), &in->found);
        machine_note_kept(in->spec->machine);
        miss(in);
    }
}

static void verify(struct install *in)
{
    CLEANUP(mem) char *root = xasprintf("%s/" CACHE_ROOT, in->found.path);
    struct err err = {0};

    if (verify_start(in->spec->loop, root, on_verified, in, &in->verify,
                     &err) == 0)
        return;
    log_info("the install in the cache cannot be verified: %s", err.msg);
    miss(in);
}

static void use(struct install *in)
{
    if (verified_since_boot(in->found.path))
        hit(in);
    else
        verify(in);
}

/* ---- looking ------------------------------------------------------------- */

static bool find(struct install *in)
{
    for (size_t i = 0; i < in->trust.reader_count; i++) {
        const struct trust_scope *scope = &in->trust.readers[i];
        const struct cache_name name = {KIND, scope->name, in->key};

        if (!cache_find(machine_cache(in->spec->machine), &name, &in->found))
            continue;
        if (verified_is_sealed(&in->found) &&
            trust_owns(&in->trust, scope, in->found.meta) &&
            json_integer_value(json_object_get(in->found.meta, "format")) ==
                FORMAT)
            return true;
        cache_entry_release(&in->found);
    }
    return false;
}

static void on_far(void *arg)
{
    struct install *in = arg;

    in->waiting = false;
    machine_note_kept(in->spec->machine); /* there may be more, or rubbish */
    if (find(in))
        use(in);
    else
        miss(in);
}

static bool ask_far(struct install *in)
{
    const struct far_wanted wanted = {KIND, in->key, NULL, &in->trust};

    in->waiting =
        far_ask_begin(caches_far(in->spec->caches), &wanted, on_far, in);
    return in->waiting;
}

static void on_probed(void *arg, const struct sandbox_exit *ended)
{
    struct install *in = arg;
    struct err err = {0};

    /* Without node there is nothing to look for: npm tells. */
    if (ended->code != 0 || in->probe.truncated ||
        install_key(in->spec, in->dir, &in->probe, in->key, &err) < 0) {
        log_info("the install is not looked for: %s", err.msg);
        in->ready(in->arg, false);
    } else if (!find(in)) {
        if (!ask_far(in))
            miss(in);
    } else {
        use(in);
    }
}

static void on_probe_output(void *arg, enum sandbox_stream stream,
                            const void *data, size_t len)
{
    struct install *in = arg;

    if (stream == SANDBOX_STDOUT)
        strbuf_add(&in->probe, data, len);
}

struct install *install_start(const struct attempt_spec *spec,
                              install_ready_fn *ready, void *arg)
{
    static const char *const argv[] = {"sh", "-c", INSTALL_PROBE, NULL};
    CLEANUP(install) struct install *in = NULL;
    struct sandbox_exec exec = {
        .argv = argv,
        .env = (const char *const *)spec->env->items,
        .cwd = spec->cwd,
        .on_output = on_probe_output,
        .on_exit = on_probed,
    };
    struct err err = {0};
    uint32_t id;

    if (!machine_cache(spec->machine))
        return NULL;
    in = xcalloc(1, sizeof(*in));
    in->spec = spec;
    in->ready = ready;
    in->arg = arg;
    in->found = (struct cache_entry)CACHE_ENTRY_INIT;
    in->probe = (struct strbuf)STRBUF_MAX(PROBE_MAX);
    exec.arg = in;
    if (install_dir(spec, &in->dir, &err) < 0 ||
        trust_of(spec, &in->trust, &err) < 0 ||
        driver_of(in)->exec(sandbox_of(in), &exec, &id, &err) < 0) {
        log_info("the install is not looked for: %s", err.msg);
        return NULL;
    }
    return STEAL(in);
}

/* ---- keeping ------------------------------------------------------------- */

void install_passed(struct install *in)
{
    struct machine *machine = in->spec->machine;
    struct save_spec spec = {
        .cache = machine_cache(machine),
        .name = {KIND, in->trust.writer.name, in->key},
        .uid = driver_of(in)->host_uid(sandbox_of(in)),
        .max_bytes =
            in->spec->start->pipeline->instance_type->disk_bytes / SHARE_BYTES,
        .dir = in->dir,
    };
    struct save *save = NULL;
    struct err err = {0};

    if (!in->fresh || push_both(in, &err) < 0)
        return;
    spec.workspace = driver_of(in)->frozen(sandbox_of(in), SANDBOX_WORKSPACE);
    spec.home = driver_of(in)->frozen(sandbox_of(in), SANDBOX_HOME);
    spec.meta = trust_meta(&in->trust, FORMAT);
    if (save_start(&spec, &save, &err) < 0) {
        log_info("the install is not kept: %s", err.msg);
        return;
    }
    machine_add_save(machine, save);
}
