/* worker/job/operation.c - steps that are no command: files, ports, caches. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/job/operation.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/units.h"
#include "worker/artifacts/artifacts.h"
#include "worker/job/cache_step.h"
#include "worker/job/events.h"
#include "worker/sandbox/hostenv.h"

#include <stdlib.h>
#include <string.h>

struct operation {
    const struct attempt_spec *spec; /* borrowed */
    operation_end_fn *end;
    void *arg;
    struct sandbox_tree tree; /* of artifacts */
    char *host_dir;           /* owned: the same */
    struct cache_step *cache; /* owned: of STEP_CACHE */
    struct loop_source *timer;
    struct err err; /* what went wrong at once */
};

static const struct step *step_of(const struct operation *op)
{
    return &op->spec->start->pipeline->steps[op->spec->index];
}

static const struct sandbox_driver *driver_of(const struct operation *op)
{
    return machine_driver(op->spec->machine);
}

static struct sandbox *sandbox_of(const struct operation *op)
{
    return machine_sandbox(op->spec->machine);
}

static void on_soon(void *arg)
{
    struct operation *op = arg;

    op->timer = NULL;
    op->end(op->arg, op->err.kind == ERR_NONE ? NULL : &op->err);
}

static void end_soon(struct operation *op)
{
    op->timer = loop_add_timer(op->spec->loop, 0, on_soon, op);
}

/* ---- files ------------------------------------------------------------ */

static void on_written(void *arg, const void *data UNUSED, size_t len UNUSED,
                       const struct err *err)
{
    struct operation *op = arg;

    op->end(op->arg, err);
}

static int write_file(struct operation *op, struct err *err)
{
    CLEANUP(mem)
    char *path = xasprintf("%s/%s", SANDBOX_WORKSPACE, op->spec->path);

    return driver_of(op)->write_file(sandbox_of(op), path, op->spec->content,
                                     strlen(op->spec->content),
                                     step_of(op)->mode, on_written, op, err);
}

static void on_read(void *arg, const void *data, size_t len,
                    const struct err *err)
{
    struct operation *op = arg;

    if (!err)
        output_add(op->spec->output, JOB_FRAME_STDOUT, data, len);
    op->end(op->arg, err);
}

static int read_file(struct operation *op, struct err *err)
{
    CLEANUP(mem)
    char *path = xasprintf("%s/%s", SANDBOX_WORKSPACE, op->spec->path);

    return driver_of(op)->read_file(sandbox_of(op), path,
                                    OPERATION_READ_MAX_BYTES, on_read, op, err);
}

/* ---- artifacts -------------------------------------------------------- */

static void on_artifact(void *arg, const char *path, uint64_t size_bytes)
{
    struct operation *op = arg;

    job_result_add_artifact(op->spec->result, op->spec->index, path,
                            size_bytes);
}

/* Half of them are none. */
static void give_up_artifacts(struct operation *op)
{
    struct err ignored;

    job_result_drop_artifacts(op->spec->result, op->spec->index);
    if (tree_remove(op->host_dir, &ignored) < 0)
        output_note(op->spec->output, "warning: %s", ignored.msg);
}

static void on_copied(void *arg, const void *data UNUSED, size_t len UNUSED,
                      const struct err *err)
{
    struct operation *op = arg;
    uint64_t bytes = 0;
    unsigned count =
        job_result_count_artifacts(op->spec->result, op->spec->index, &bytes);
    char size[SIZE_TEXT_SIZE];

    if (!err && !count)
        (void)err_set(&op->err, ERR_USER, "no file fits '%.100s'%s",
                      step_of(op)->patterns.items[0],
                      step_of(op)->patterns.count > 1 ? " or the others" : "");
    if (!err && op->err.kind != ERR_NONE)
        err = &op->err;
    if (err)
        give_up_artifacts(op);
    else
        output_note(op->spec->output, "kept %u file%s, %s: berth artifacts %s",
                    count, count == 1 ? "" : "s", size_format(bytes, size),
                    op->spec->start->job_id);
    op->end(op->arg, err);
}

static int keep_artifacts(struct operation *op, struct err *err)
{
    const struct job_start *start = op->spec->start;
    const struct step *step = step_of(op);
    uint64_t bytes = 0;
    uint64_t most = artifacts_max_bytes();
    unsigned removed, count;
    struct err ignored;

    /* Here nobody else may ever look (berth run). */
    if (artifacts_expire(clock_wall_ms(), &removed, &ignored) < 0)
        output_note(op->spec->output, "warning: %s", ignored.msg);
    job_result_drop_artifacts(op->spec->result, op->spec->index);
    count = job_result_count_artifacts(op->spec->result, SIZE_MAX, &bytes);
    if (artifacts_make(start->job_id, start->epoch, (unsigned)op->spec->index,
                       clock_wall_ms() + step->retention_ms, &op->host_dir,
                       err) < 0)
        return -1;
    op->tree = (struct sandbox_tree){
        .path = SANDBOX_WORKSPACE,
        .host_dir = op->host_dir,
        .patterns = (const char *const *)step->patterns.items,
        .max_bytes = most > bytes ? most - bytes : 0,
        .max_entries = ARTIFACTS_MAX_FILES - count,
        .on_entry = on_artifact,
        .arg = op,
    };
    return driver_of(op)->get_tree(sandbox_of(op), &op->tree, on_copied, op,
                                   err);
}

/* ---- ports ------------------------------------------------------------ */

static int expose_port(struct operation *op, struct err *err)
{
    const char *url;

    if (machine_expose(op->spec->machine, step_of(op)->port, &url, err) < 0)
        return -1;
    output_note(op->spec->output,
                "until the job ends port %u is, on this host, at %s",
                step_of(op)->port, url);
    end_soon(op);
    return 0;
}

/* ---- caches ----------------------------------------------------------- */

static void on_cached(void *arg, const struct err *err)
{
    struct operation *op = arg;

    op->end(op->arg, err);
}

static int use_cache(struct operation *op, struct err *err UNUSED)
{
    op->cache = cache_step_start(op->spec, on_cached, op);
    return 0;
}

/* ---- starting --------------------------------------------------------- */

static int (*const starts[STEP_KINDS])(struct operation *op,
                                       struct err *err) = {
    [STEP_WRITE_FILE] = write_file,    [STEP_READ_FILE] = read_file,
    [STEP_ARTIFACTS] = keep_artifacts, [STEP_EXPOSE_PORT] = expose_port,
    [STEP_CACHE] = use_cache,
};

bool operation_is(enum step_kind kind)
{
    return starts[kind] != NULL;
}

struct operation *operation_start(const struct attempt_spec *spec,
                                  operation_end_fn *end, void *arg)
{
    struct operation *op = xcalloc(1, sizeof(*op));

    op->spec = spec;
    op->end = end;
    op->arg = arg;
    if (starts[step_of(op)->kind](op, &op->err) < 0)
        end_soon(op);
    return op;
}

void operation_stop(struct operation *op)
{
    if (op->cache)
        cache_step_stop(op->cache);
    else
        driver_of(op)->stop_files(sandbox_of(op));
}

void operation_free(struct operation *op)
{
    if (!op)
        return;
    loop_remove(op->timer);
    cache_step_free(op->cache);
    free(op->host_dir);
    free(op);
}
