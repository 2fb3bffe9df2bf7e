/* worker/job/machine.c - the job's one sandbox, booted when it is needed. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/job/machine.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/state.h"
#include "worker/cache/settings.h"
#include "worker/checkout/client.h"
#include "worker/job/egress.h"
#include "worker/job/save.h"
#include "worker/job/tools.h"
#include "worker/sandbox/drivers.h"
#include "worker/sandbox/forward.h"
#include "worker/sandbox/mounts.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_TIMEOUT_MS 120000
#define MAX_FORWARDS    16
#define SAVE_TIMEOUT_MS 60000 /* of all together */
#define SECRETS_BYTES   ((uint64_t)64 << 20)
#define SECRETS_INODES  2000

struct machine {
    struct loop *loop;             /* borrowed */
    const struct job_start *start; /* borrowed */
    const struct sandbox_driver *driver;
    struct sandbox *sandbox; /* owned */
    struct egress *egress;   /* owned; NULL without */
    int listener;            /* owned; for a gateway that comes later; or -1 */
    char *mirror;            /* owned, or NULL */
    char *secrets;           /* the same */
    struct cache *cache;     /* owned, or NULL */
    bool opened;             /* `cache` was asked for */
    bool kept;
    struct cache_entry *held; /* owned */
    size_t held_count;
    struct save **saves; /* owned, and each of them */
    size_t save_count;
    bool waits;  /* for a job to come */
    bool booted; /* it was started */
    bool wanted; /* by a step */
    bool running;
    struct err refused; /* why it did not start */
    machine_ready_fn *ready;
    void *ready_arg;
    struct machine_events events;
    struct {
        unsigned port;
        struct forward *forward; /* owned */
    } forwards[MAX_FORWARDS];
    size_t forward_count;
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
    char *name = checkout_mirror_name_as(
        machine->start->repo, machine->start->username,
        machine->start->password, machine->start->whose);
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

static bool has_secret_files(const struct pipeline *pipeline)
{
    for (size_t i = 0; i < pipeline->step_count; i++)
        for (size_t k = 0; k < pipeline->steps[i].secrets.count; k++)
            if (pipeline->steps[i].secrets.items[k].form == SECRET_FILE)
                return true;
    return false;
}

/* Memory that goes with our mounts; the directory that it is over stays empty,
 * and is that of all jobs. */
static int prepare_secrets(struct machine *machine, struct err *err)
{
    unsigned uid = machine->driver->host_uid(machine->sandbox);

    if (!has_secret_files(machine->start->pipeline))
        return 0;
    if (state_subdir("secrets", 0700, &machine->secrets, err) < 0 ||
        mounts_tmpfs(machine->secrets, SECRETS_BYTES, SECRETS_INODES, 0700,
                     err) < 0)
        return -1;
    if (geteuid() == 0 && chown(machine->secrets, uid, uid) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot give away '%s'",
                       machine->secrets);
    return machine->driver->bind_readonly(machine->sandbox, machine->secrets,
                                          PIPELINE_SECRETS_DIR, err);
}

static int create_sandbox(struct machine *machine, struct err *err)
{
    const struct job_start *start = machine->start;
    const struct pipeline *pipeline = start->pipeline;
    CLEANUP(mem) char *dir = NULL;
    CLEANUP(mem) char *images = NULL;
    CLEANUP(mem) char *disks = NULL;
    CLEANUP(mem)
    char *id =
        xasprintf("%s-%llu", start->job_id, (unsigned long long)start->epoch);
    CLEANUP(mem)
    char *image = driver_image(machine->driver, pipeline->image);
    struct sandbox_spec spec = {
        .id = id,
        .image = image,
        .docker_socket = driver_docker_socket(),
        .runtime = driver_runtime(machine->driver, start->runtime),
        .network = egress_network(pipeline),
        .cpu_millis = pipeline->instance_type->cpu_millis,
        .memory_bytes = pipeline->instance_type->memory_bytes,
        .disk_bytes = pipeline->instance_type->disk_bytes,
        .pids = pipeline->instance_type->pids,
    };

    if (state_subdir("sandboxes", 0711, &dir, err) < 0 ||
        state_subdir("images", 0711, &images, err) < 0 ||
        state_subdir("disks", 0700, &disks, err) < 0)
        return -1;
    spec.state_dir = dir;
    spec.image_dir = images;
    /* A stranger must not fill the directory with sizes of his own. */
    if (instance_type_find(pipeline->instance_type->name))
        spec.disk_templates = disks;
    return machine->driver->create(&spec, machine->loop, &machine->sandbox,
                                   err);
}

/* Without it all works as well. */
static void open_cache(struct machine *machine)
{
    struct cache_settings settings;
    struct err err = {0};

    machine->opened = true;
    cache_settings_read(&settings);
    machine->cache = cache_open_ours(&settings, &err);
    if (err.kind != ERR_NONE)
        log_warn("%s", err.msg);
}

int machine_new(struct loop *loop, const struct job_start *start,
                const struct machine_events *events,
                struct machine **out_machine, struct err *err)
{
    struct machine *machine = xcalloc(1, sizeof(*machine));

    machine->loop = loop;
    machine->start = start;
    machine->events = *events;
    machine->listener = -1;
    if (driver_chosen(&machine->driver, err) < 0 ||
        egress_check(start, machine->driver, err) < 0 ||
        create_sandbox(machine, err) < 0 ||
        (has_checkout(start->pipeline) && prepare_mirror(machine, err) < 0) ||
        prepare_secrets(machine, err) < 0 ||
        tools_bind(start, machine->driver, machine->sandbox, err) < 0) {
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

static void on_running(void *arg, const struct err *err)
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

    machine->events.on_lost(machine->events.arg, err);
}

static void on_note(void *arg, const char *text)
{
    struct machine *machine = arg;

    machine->events.on_note(machine->events.arg, text);
}

static void on_event(void *arg, const struct gateway_event *event)
{
    struct machine *machine = arg;

    machine->events.on_connection(machine->events.arg, event);
}

static int let_out(struct machine *machine, struct err *err)
{
    const struct egress_spec spec = {
        .loop = machine->loop,
        .start = machine->start,
        .driver = machine->driver,
        .sandbox = machine->sandbox,
        .listener = machine->listener,
        .on_ready = on_running,
        .on_lost = on_lost,
        .on_note = on_note,
        .on_event = on_event,
        .arg = machine,
    };
    int rc = egress_start(&spec, &machine->egress, err);

    fd_close(&machine->listener);
    return rc;
}

/* Not ready before there is a way out; whereto, a job says that is to come. */
static void on_started(void *arg, const struct err *err)
{
    struct machine *machine = arg;
    struct err why;
    int rc = 0;

    if (err || machine->start->pipeline->network != NETWORK_HOSTS) {
        on_running(machine, err);
        return;
    }
    if (machine->waits)
        rc = egress_listen(machine->driver, machine->sandbox,
                           &machine->listener, &why);
    else
        rc = let_out(machine, &why);
    if (rc < 0)
        on_running(machine, &why);
    else if (machine->waits)
        on_running(machine, NULL);
}

static void on_booted(void *arg)
{
    answer(arg, NULL);
}

static void on_refused(void *arg)
{
    struct machine *machine = arg;

    answer(machine, &machine->refused);
}

static void start(struct machine *machine, machine_ready_fn *ready, void *arg)
{
    machine->ready = ready;
    machine->ready_arg = arg;
    if (machine->driver->start(machine->sandbox, on_started, on_lost, machine,
                               &machine->refused) < 0)
        (void)loop_add_timer(machine->loop, 0, on_refused, machine);
    machine->booted = true;
}

void machine_warm(struct machine *machine, machine_ready_fn *ready, void *arg)
{
    machine->waits = true;
    start(machine, ready, arg);
}

void machine_boot(struct machine *machine, machine_ready_fn *ready, void *arg)
{
    machine->wanted = true;
    if (!machine->booted) {
        start(machine, ready, arg);
        return;
    }
    machine->ready = ready;
    machine->ready_arg = arg;
    /* Else on_running() answers. */
    if (machine->running || machine->refused.kind != ERR_NONE)
        (void)loop_add_timer(machine->loop, 0,
                             machine->running ? on_booted : on_refused,
                             machine);
}

void machine_settle(struct machine *machine, void (*done)(void *arg), void *arg)
{
    if (machine->egress && machine->running)
        egress_settle(machine->egress, done, arg);
    else
        (void)loop_add_timer(machine->loop, 0, done, arg);
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
                  const struct machine_events *events, struct err *err)
{
    bool fit = fits(machine->start, start);

    machine->start = start;
    machine->events = *events;
    if (!fit)
        return err_set(err, ERR_USER, "the job asks for another sandbox");
    if (!machine->running)
        return err_set(err, ERR_TRANSIENT, "it does not run yet");
    machine->waits = false;
    if (egress_check(start, machine->driver, err) < 0 ||
        (has_checkout(start->pipeline) && prepare_mirror(machine, err) < 0) ||
        prepare_secrets(machine, err) < 0 ||
        tools_bind(start, machine->driver, machine->sandbox, err) < 0)
        return -1;
    if (start->pipeline->network != NETWORK_HOSTS)
        return 0;
    machine->running = false; /* until there is a way out */
    return let_out(machine, err);
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

const char *machine_secrets(const struct machine *machine)
{
    return machine->secrets;
}

void machine_inject(struct machine *machine, const json_t *fields,
                    void (*done)(void *arg), void *arg)
{
    if (machine->egress)
        egress_inject(machine->egress, fields, done, arg);
    else
        (void)loop_add_timer(machine->loop, 0, done, arg);
}

struct cache *machine_store(struct machine *machine)
{
    if (!machine->opened)
        open_cache(machine);
    return machine->cache;
}

struct cache *machine_cache(struct machine *machine)
{
    return machine->driver->push_layers && geteuid() == 0
               ? machine_store(machine)
               : NULL;
}

void machine_hold(struct machine *machine, struct cache_entry *entry)
{
    if (!entry->path)
        return;
    machine->held = xreallocarray(machine->held, machine->held_count + 1,
                                  sizeof(*machine->held));
    machine->held[machine->held_count++] = *entry;
    *entry = (struct cache_entry)CACHE_ENTRY_INIT;
}

void machine_add_save(struct machine *machine, struct save *save)
{
    machine->saves = xreallocarray(machine->saves, machine->save_count + 1,
                                   sizeof(struct save *));
    machine->saves[machine->save_count++] = save;
    machine->kept = true;
}

void machine_finish_saves(struct machine *machine, struct output *output)
{
    int64_t until = clock_mono_ms() + SAVE_TIMEOUT_MS;

    for (size_t i = 0; i < machine->save_count; i++) {
        int64_t left = until - clock_mono_ms();
        CLEANUP(strbuf) struct strbuf note = STRBUF_INIT;
        struct err err = {0};

        if (save_finish(machine->saves[i], left > 0 ? left : 0, &note, &err) <
            0)
            log_info("nothing was kept: %s", err.msg);
        if (note.len && output)
            output_note(output, "%s", note.data);
    }
    machine->save_count = 0;
}

void machine_note_kept(struct machine *machine)
{
    machine->kept = true;
}

bool machine_kept(const struct machine *machine)
{
    return machine->kept;
}

void machine_usage(struct machine *machine, struct sandbox_usage *out_usage)
{
    machine->driver->usage(machine->sandbox, out_usage);
}

int machine_expose(struct machine *machine, unsigned port, const char **out_url,
                   struct err *err)
{
    struct forward_spec spec = {machine->loop, machine->driver,
                                machine->sandbox, port};
    size_t n = 0;

    while (n < machine->forward_count && machine->forwards[n].port != port)
        n++;
    if (n == MAX_FORWARDS)
        return err_set(err, ERR_USER, "%d ports are exposed already",
                       MAX_FORWARDS);
    if (n == machine->forward_count) {
        if (forward_start(&spec, &machine->forwards[n].forward, err) < 0)
            return -1;
        machine->forwards[n].port = port;
        machine->forward_count++;
    }
    *out_url = forward_url(machine->forwards[n].forward);
    return 0;
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
    egress_free(machine->egress);
    fd_close(&machine->listener);
    for (size_t i = 0; i < machine->forward_count; i++)
        forward_free(machine->forwards[i].forward);
    for (size_t i = 0; i < machine->save_count; i++) {
        CLEANUP(strbuf) struct strbuf unread = STRBUF_INIT;
        struct err ignored;

        (void)save_finish(machine->saves[i], 0, &unread, &ignored);
    }
    free(machine->saves);
    if (machine->sandbox)
        rc = machine->driver->destroy(machine->sandbox, err);
    for (size_t i = 0; i < machine->held_count; i++)
        cache_entry_release(&machine->held[i]);
    free(machine->held);
    cache_free(machine->cache);
    free(machine->mirror);
    free(machine->secrets);
    free(machine);
    return rc;
}
