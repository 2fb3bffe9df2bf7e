/* worker/sandbox/snapshot.c - the workspace as it was, to go back to. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/snapshot.h"

#include "worker/sandbox/hostenv.h"

#include <stdlib.h>

struct snapshot {
    struct snapshot_spec spec;
    struct sandbox_tree tree;
};

static struct snapshot *snapshot_new(const struct snapshot_spec *spec)
{
    struct snapshot *snapshot = xcalloc(1, sizeof(*snapshot));

    snapshot->spec = *spec;
    return snapshot;
}

void snapshot_free(struct snapshot *snapshot)
{
    free(snapshot);
}

static void on_done(void *arg, const void *data UNUSED, size_t len UNUSED,
                    const struct err *err)
{
    struct snapshot *snapshot = arg;

    snapshot->spec.on_end(snapshot->spec.arg, err);
}

int snapshot_take(const struct snapshot_spec *spec,
                  struct snapshot **out_snapshot, struct err *err)
{
    CLEANUP(snapshot) struct snapshot *snapshot = snapshot_new(spec);

    snapshot->tree = (struct sandbox_tree){
        .path = SANDBOX_WORKSPACE,
        .host_dir = spec->host_dir,
        .max_bytes = spec->max_bytes,
        .max_entries = spec->max_entries,
    };
    if (spec->driver->get_tree(spec->sandbox, &snapshot->tree, on_done,
                               snapshot, err) < 0)
        return -1;
    *out_snapshot = STEAL(snapshot);
    return 0;
}

static void on_cleared(void *arg, const void *data UNUSED, size_t len UNUSED,
                       const struct err *err)
{
    struct snapshot *snapshot = arg;
    const struct snapshot_spec *spec = &snapshot->spec;
    struct err why;

    if (err)
        spec->on_end(spec->arg, err);
    else if (spec->driver->put_tree(spec->sandbox, spec->host_dir,
                                    SANDBOX_WORKSPACE, on_done, snapshot,
                                    &why) < 0)
        spec->on_end(spec->arg, &why);
}

int snapshot_restore(const struct snapshot_spec *spec,
                     struct snapshot **out_snapshot, struct err *err)
{
    CLEANUP(snapshot) struct snapshot *snapshot = snapshot_new(spec);

    if (spec->driver->clear(spec->sandbox, SANDBOX_WORKSPACE, on_cleared,
                            snapshot, err) < 0)
        return -1;
    *out_snapshot = STEAL(snapshot);
    return 0;
}
