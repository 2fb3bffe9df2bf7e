/* worker/job/machine.c - the job's one sandbox, booted when it is needed. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/job/machine.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/proc.h"
#include "base/state.h"
#include "worker/checkout/client.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_TIMEOUT_MS 120000

struct machine {
    struct loop *loop;             /* borrowed */
    const struct job_start *start; /* borrowed */
    const struct sandbox_driver *driver;
    struct sandbox *sandbox; /* owned */
    char *mirror;            /* owned, or NULL */
    bool booted;             /* it was started */
    bool wanted;             /* by a step */
    bool running;
    struct err refused; /* why it did not start */
    machine_ready_fn *ready;
    void *ready_arg;
    machine_lost_fn *lost;
    void *lost_arg;
};

static bool has_checkout(const struct pipeline *pipeline)
{
    for (size_t i = 0; i < pipeline->step_count; i++)
        if (pipeline->steps[i].kind == STEP_CHECKOUT)
            return true;
    return false;
}

static int prepare_mirror(struct machine *machine, struct err *err)
{
    CLEANUP(mem)
    char *name =
        checkout_mirror_name(machine->start->repo, machine->start->username,
                             machine->start->password);
    CLEANUP(mem) char *below = xasprintf("mirrors/%s", name);
    unsigned uid = machine->driver->host_uid(machine->sandbox);

    if (state_subdir(below, 0711, &machine->mirror, err) < 0)
        return -1;
    /* Other jobs' sandboxes have the same user: only ours shows it. */
    if (chmod(machine->mirror, 0700) < 0 ||
        (geteuid() == 0 && chown(machine->mirror, uid, uid) < 0))
        return err_sys(err, ERR_TRANSIENT, "cannot give away '%s'",
                       machine->mirror);
    return machine->driver->bind_readonly(machine->sandbox, machine->mirror,
                                          MACHINE_MIRROR, err);
}

static int create_sandbox(struct machine *machine, struct err *err)
{
    const struct job_start *start = machine->start;
    const struct pipeline *pipeline = start->pipeline;
    CLEANUP(mem) char *dir = NULL;
    CLEANUP(mem) char *disks = NULL;
    CLEANUP(mem)
    char *id =
        xasprintf("%s-%llu", start->job_id, (unsigned long long)start->epoch);
    struct sandbox_spec spec = {
        .id = id,
        .image = pipeline->image,
        .runtime = *start->runtime ? start->runtime : NULL,
        .network = pipeline->network == NETWORK_FULL ? SANDBOX_NETWORK_FULL
                                                     : SANDBOX_NETWORK_NONE,
        .cpu_millis = pipeline->instance_type->cpu_millis,
        .memory_bytes = pipeline->instance_type->memory_bytes,
        .disk_bytes = pipeline->instance_type->disk_bytes,
        .pids = pipeline->instance_type->pids,
    };

    if (state_subdir("sandboxes", 0711, &dir, err) < 0 ||
        state_subdir("disks", 0700, &disks, err) < 0)
        return -1;
    spec.state_dir = dir;
    /* A stranger must not fill the directory with sizes of his own. */
    if (instance_type_find(pipeline->instance_type->name))
        spec.disk_templates = disks;
    return machine->driver->create(&spec, machine->loop, &machine->sandbox,
                                   err);
}

int machine_new(struct loop *loop, const struct job_start *start,
                machine_lost_fn *lost, void *arg, struct machine **out_machine,
                struct err *err)
{
    struct machine *machine = xcalloc(1, sizeof(*machine));

    machine->loop = loop;
    machine->start = start;
    machine->driver = &sandbox_oci;
    machine->lost = lost;
    machine->lost_arg = arg;
    if (create_sandbox(machine, err) < 0 ||
        (has_checkout(start->pipeline) && prepare_mirror(machine, err) < 0)) {
        struct err ignored;

        (void)machine_destroy(machine, &ignored);
        return -1;
    }
    *out_machine = machine;
    return 0;
}

static void answer(struct machine *machine, const struct err *err)
{
    machine_ready_fn *ready = machine->ready;

    machine->ready = NULL;
    if (ready)
        ready(machine->ready_arg, err);
}

static void on_started(void *arg, const struct err *err)
{
    struct machine *machine = arg;

    machine->running = !err;
    if (err)
        machine->refused = *err;
    answer(machine, err);
}

static void on_lost(void *arg, const struct err *err)
{
    struct machine *machine = arg;

    machine->lost(machine->lost_arg, err);
}

static void on_running(void *arg)
{
    answer(arg, NULL);
}

static void on_refused(void *arg)
{
    struct machine *machine = arg;

    answer(machine, &machine->refused);
}

void machine_warm(struct machine *machine, machine_ready_fn *ready, void *arg)
{
    machine->ready = ready;
    machine->ready_arg = arg;
    if (machine->driver->start(machine->sandbox, on_started, on_lost, machine,
                               &machine->refused) < 0)
        (void)loop_add_timer(machine->loop, 0, on_refused, machine);
    machine->booted = true;
}

void machine_boot(struct machine *machine, machine_ready_fn *ready, void *arg)
{
    machine->wanted = true;
    if (!machine->booted) {
        machine_warm(machine, ready, arg);
        return;
    }
    machine->ready = ready;
    machine->ready_arg = arg;
    (void)loop_add_timer(machine->loop, 0,
                         machine->running ? on_running : on_refused, machine);
}

bool machine_is_booted(const struct machine *machine)
{
    return machine->wanted;
}

static bool fits(const struct job_start *a, const struct job_start *b)
{
    const struct pipeline *p = a->pipeline;
    const struct pipeline *q = b->pipeline;
    const struct instance_type *t = p->instance_type;
    const struct instance_type *u = q->instance_type;

    return !strcmp(a->runtime, b->runtime) && !strcmp(p->image, q->image) &&
           p->network == q->network && t->cpu_millis == u->cpu_millis &&
           t->memory_bytes == u->memory_bytes &&
           t->disk_bytes == u->disk_bytes && t->pids == u->pids;
}

int machine_adopt(struct machine *machine, const struct job_start *start,
                  machine_lost_fn *lost, void *arg, struct err *err)
{
    bool fit = fits(machine->start, start);

    machine->start = start;
    machine->lost = lost;
    machine->lost_arg = arg;
    if (!fit)
        return err_set(err, ERR_USER, "the job asks for another sandbox");
    if (!machine->running)
        return err_set(err, ERR_TRANSIENT, "it does not run yet");
    return has_checkout(start->pipeline) ? prepare_mirror(machine, err) : 0;
}

const struct sandbox_driver *machine_driver(const struct machine *machine)
{
    return machine->driver;
}

struct sandbox *machine_sandbox(const struct machine *machine)
{
    return machine->sandbox;
}

const char *machine_mirror(const struct machine *machine)
{
    return machine->mirror;
}

void machine_usage(struct machine *machine, struct sandbox_usage *out_usage)
{
    machine->driver->usage(machine->sandbox, out_usage);
}

int machine_keep(struct machine *machine, char **out_path, struct err *err)
{
    const char *from = machine->driver->host_workspace(machine->sandbox);
    CLEANUP(mem) char *dir = NULL;
    CLEANUP(mem) char *to = NULL;
    const char *argv[] = {"cp", "-a", "--reflink=auto", from, NULL, NULL};

    if (state_subdir("kept", 0700, &dir, err) < 0)
        return -1;
    argv[4] = to = xasprintf("%s/%s", dir, machine->start->job_id);
    if (proc_run(argv, COPY_TIMEOUT_MS, NULL, err) < 0)
        return err_wrap(err, "cannot keep the workspace");
    *out_path = STEAL(to);
    return 0;
}

int machine_destroy(struct machine *machine, struct err *err)
{
    int rc = 0;

    if (!machine)
        return 0;
    if (machine->sandbox)
        rc = machine->driver->destroy(machine->sandbox, err);
    free(machine->mirror);
    free(machine);
    return rc;
}
