/* worker/sandbox/oci.c - sandboxes; those by crun or runc. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/oci.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/proc.h"
#include "worker/sandbox/bundle.h"
#include "worker/sandbox/dirs.h"
#include "worker/sandbox/disk.h"
#include "worker/sandbox/fetched.h"
#include "worker/sandbox/mounts.h"
#include "worker/sandbox/place.h"
#include "worker/sandbox/rootfs.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define RUN_BYTES   ((uint64_t)64 << 20)
#define RUN_INODES  4096u
#define BOOT_MS     30000
#define STOP_MS     1000
#define PID_POLL_MS 2
#define LAST_MS     500 /* for the runtime to say why the agent is gone */
#define USER_INSIDE 1000u

static const struct backend backend_oci;

/* ---- create ----------------------------------------------------------- */

/* The sandbox's uid has to get through to what is below. */
static int check_way(const char *path, struct err *err)
{
    CLEANUP(mem) char *copy = xstrdup(path);

    for (char *p = copy + 1; *p; p++) {
        struct stat st;

        if (*p != '/')
            continue;
        *p = '\0';
        if (stat(copy, &st) == 0 && !(st.st_mode & S_IXOTH))
            return err_set(err, ERR_TRANSIENT,
                           "sandboxes cannot be entered below '%s': chmod o+x "
                           "it, or set BERTH_STATE_DIR to another directory",
                           copy);
        *p = '/';
    }
    return 0;
}

static int check_spec(const struct sandbox_spec *spec,
                      const struct backend *backend, struct err *err)
{
    CLEANUP(mem) char *agent = proc_libexec("agent");

    if (!place_is_id(spec->id))
        return err_set(err, ERR_BUG, "'%.80s' is no id of a sandbox", spec->id);
    if (access(agent, X_OK) < 0)
        return err_sys(err, ERR_TRANSIENT, "the agent '%s' is missing", agent);
    if (spec->network == SANDBOX_NETWORK_FULL && network_check(err) < 0)
        return -1;
    return backend->check(spec, err);
}

static int check_image(const struct sandbox_spec *spec, struct err *err)
{
    if (fetched_is_reference(spec->image)) {
        if (!proc_in_path("skopeo") || !proc_in_path("umoci"))
            return err_set(err, ERR_TRANSIENT,
                           "image '%.200s' takes skopeo and umoci: apt-get "
                           "install skopeo umoci",
                           spec->image);
        return fetched_check(spec->image, spec->state_dir, err);
    }
    return rootfs_check(spec->image, spec->state_dir, err);
}

static int find_runtime(struct sandbox *sb, const struct sandbox_spec *spec,
                        struct err *err)
{
    if (runtime_find(spec->runtime, &sb->program, err) < 0)
        return -1;
    if (sb->rootless && fetched_is_reference(spec->image))
        return err_set(err, ERR_TRANSIENT,
                       "image '%.200s' cannot be fetched by an ordinary user: "
                       "run as root, or use a directory",
                       spec->image);
    if (sb->rootless && !runtime_leaves_cgroups(sb->program))
        return err_set(err, ERR_TRANSIENT,
                       "an ordinary user's sandboxes need crun, not '%s': "
                       "apt-get install crun, or run as root",
                       sb->program);
    return 0;
}

static unsigned host_uid(const struct sandbox *sb)
{
    return sb->rootless ? geteuid() : SANDBOX_UID_BASE + USER_INSIDE;
}

static int make_disk(struct sandbox *sb, const struct sandbox_spec *spec,
                     struct err *err)
{
    const struct disk_spec disk = {.target = sb->disk,
                                   .image_dir = sb->dir,
                                   .templates = spec->disk_templates,
                                   .bytes = spec->disk_bytes,
                                   .rootless = sb->rootless};
    enum disk_kind kind;
    struct err why = {0};

    if (mkdir(sb->disk, 0711) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot create '%s'", sb->disk);
    if (disk_mount(&disk, &kind, &why, err) < 0 ||
        mounts_share(sb->disk, err) < 0)
        return -1;
    if (dirs_make(sb->disk, host_uid(sb),
                  !sb->rootless && sb->backend == &backend_oci, &sb->dirs,
                  err) < 0)
        return -1;
    if (kind == DISK_TMPFS && !sb->rootless)
        sb->unenforced = xasprintf(
            "disk apart from memory (it is a tmpfs, which counts as memory: "
            "%.300s)",
            why.msg);
    return 0;
}

static int make_cgroups(struct sandbox *sb, const struct sandbox_spec *spec,
                        struct err *err)
{
    CLEANUP(mem) char *record = xasprintf("%s/cgroups", sb->dir);
    CLEANUP(mem) char *name = place_name(sb->id);
    CLEANUP(mem) char *disk = sb->unenforced;
    struct cgroup_spec limits = {
        .id = name,
        .limits = {.memory_bytes = spec->memory_bytes, .pids = spec->pids},
        .subgroup = !runtime_leaves_cgroups(sb->program),
        .record_path = record,
    };
    const char *more;

    sb->unenforced = NULL;
    /* pids by RLIMIT_NPROC, which a user namespace counts for itself; disk
     * by the size of a tmpfs. */
    if (sb->rootless) {
        sb->unenforced = xstrdup("memory, cpu");
        return 0;
    }
    if (cgroup_create(&limits, &sb->cgroup, err) < 0)
        return -1;
    more = cgroup_unenforced(sb->cgroup);
    sb->unenforced =
        xasprintf("%s%s%s", more, disk && *more ? ", " : "", disk ? disk : "");
    return 0;
}

static struct sandbox *sandbox_new(const struct sandbox_spec *spec,
                                   struct loop *loop)
{
    struct sandbox *sb = xcalloc(1, sizeof(*sb));

    sb->loop = loop;
    sb->lock = -1;
    sb->id = xstrdup(spec->id);
    sb->image = xstrdup(spec->image);
    sb->state_dir = xstrdup(spec->state_dir);
    sb->image_dir = spec->image_dir ? xstrdup(spec->image_dir) : NULL;
    sb->wants = spec->network;
    sb->pids = spec->pids;
    sb->cpu_millis = spec->cpu_millis;
    sb->memory_bytes = spec->memory_bytes;
    return sb;
}

static int prepare(struct sandbox *sb, const struct sandbox_spec *spec,
                   struct err *err)
{
    if (mounts_enter(&sb->rootless, err) < 0 ||
        sb->backend->find(sb, spec, err) < 0 ||
        place_take(spec->state_dir, spec->id, &sb->dir, &sb->lock, err) < 0)
        return -1;
    sb->run = xasprintf("%s/run", sb->dir);
    sb->disk = xasprintf("%s/disk", sb->run);
    sb->workspace = xasprintf("%s/workspace", sb->disk);
    if (!sb->rootless && check_way(sb->run, err) < 0)
        return -1;
    if (mkdir(sb->run, 0711) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot create '%s'", sb->run);
    if (mounts_tmpfs(sb->run, RUN_BYTES, RUN_INODES, 0711, err) < 0 ||
        rootfs_make_late(sb->run, err) < 0 || make_disk(sb, spec, err) < 0)
        return -1;
    return sb->backend->limit(sb, spec, err);
}

static int oci_destroy(struct sandbox *sb, struct err *err);

static int create(const struct sandbox_spec *spec,
                  const struct backend *backend, struct loop *loop,
                  struct sandbox **out_sandbox, struct err *err)
{
    struct sandbox *sb;
    struct err left;

    if (check_spec(spec, backend, err) < 0)
        return -1;
    sb = sandbox_new(spec, loop);
    sb->backend = backend;
    if (prepare(sb, spec, err) < 0) {
        if (oci_destroy(sb, &left) < 0)
            return err_wrap(err, "%s", left.msg);
        return -1;
    }
    *out_sandbox = sb;
    return 0;
}

static const char *oci_host_workspace(const struct sandbox *sb)
{
    return sb->workspace;
}

static unsigned oci_host_uid(const struct sandbox *sb)
{
    return host_uid(sb);
}

static const char *oci_unenforced(const struct sandbox *sb)
{
    return sb->unenforced;
}

static int oci_bind_readonly(struct sandbox *sb, const char *host_path,
                             const char *inside, struct err *err)
{
    struct strv *list;
    bool late;

    if (rootfs_check_target(inside, err) < 0)
        return -1;
    late = sb->backend == &backend_oci && rootfs_is_late(inside);
    /* Elsewhere a stranger may have put links by now. */
    if (sb->up && late)
        return rootfs_bind_late(sb->run, host_path, inside, err);
    if (sb->begun)
        return err_set(err, ERR_BUG, "the sandbox was started already");
    list = late ? &sb->late : &sb->binds;
    strv_add(list, host_path);
    strv_add(list, inside);
    return 0;
}

/* ---- start ------------------------------------------------------------ */

static void set_timer(struct sandbox *sb, int64_t ms, loop_timer_fn *fn)
{
    loop_remove(sb->timer);
    sb->timer =
        fn ? loop_add_timer(sb->loop, clock_mono_ms() + ms, fn, sb) : NULL;
}

/* The last thing in its caller: what it calls may destroy the sandbox. */
static void fail(struct sandbox *sb, const struct err *err)
{
    sandbox_started_fn *started = sb->started;
    sandbox_lost_fn *lost = sb->lost;

    set_timer(sb, 0, NULL);
    sb->last = *err; /* nothing may be asked of it any more */
    sb->started = NULL;
    sb->lost = NULL;
    if (started)
        started(sb->arg, err);
    else if (lost)
        lost(sb->arg, err);
}

static void on_boot_timeout(void *arg)
{
    struct sandbox *sb = arg;
    struct err err;

    sb->timer = NULL;
    (void)err_set(
        &err, ERR_TRANSIENT, "the sandbox did not start within %d s: %.600s",
        (int)(sb->backend->boot_ms / 1000), runtime_last_words(sb->runtime));
    fail(sb, &err);
}

static void on_last_words(void *arg)
{
    struct sandbox *sb = arg;
    struct err err = sb->last; /* ours: the sandbox may be gone meanwhile */

    sb->timer = NULL;
    fail(sb, &err);
}

static void on_closed(void *arg, const struct err *err)
{
    struct sandbox *sb = arg;

    /* The runtime's end is about to say more. */
    sb->last = *err;
    if (sb->started || sb->lost)
        set_timer(sb, LAST_MS, on_last_words);
}

static void on_runtime_end(void *arg, const struct err *err)
{
    fail(arg, err);
}

/* What had to wait: crun would not show mounts below a mount that it is given,
 * and a small share of the CPU would hold the start itself back. */
static int finish_start(struct sandbox *sb, struct err *err)
{
    for (size_t i = 0; i + 1 < sb->late.count; i += 2)
        if (rootfs_bind_late(sb->run, sb->late.items[i], sb->late.items[i + 1],
                             err) < 0)
            return -1;
    if (dirs_show(sb->dirs, err) < 0)
        return -1;
    if (sb->backend == &backend_oci && sb->cgroup &&
        cgroup_limit_cpu(sb->cgroup, sb->cpu_millis, err) < 0)
        return -1;
    sb->up = true;
    return 0;
}

static void succeed(struct sandbox *sb)
{
    sandbox_started_fn *started = sb->started;
    struct err err;

    if (finish_start(sb, &err) < 0) {
        fail(sb, &err);
        return;
    }
    set_timer(sb, 0, NULL);
    sb->started = NULL;
    if (started)
        started(sb->arg, NULL);
}

static void on_network(void *arg, const struct err *err)
{
    struct sandbox *sb = arg;

    if (err)
        fail(sb, err);
    else
        succeed(sb);
}

/* What has to be done from outside, once there is a pid 1. */
static int tame(struct sandbox *sb, pid_t pid, struct err *err)
{
    if (pid < 0)
        return err_set(err, ERR_TRANSIENT, "the runtime wrote no pid file");
    if (sb->backend->adopt && sb->backend->adopt(sb, pid, err) < 0)
        return -1;
    if (!sb->rootless && runtime_tame(sb->runtime, pid, err) < 0)
        return -1;
    if (sb->wants != SANDBOX_NETWORK_FULL)
        return 0;
    return network_start(sb->loop, pid, sb->rootless, on_network, sb,
                         &sb->network, err);
}

/* The runtime writes its pid file at about the time that the agent speaks. */
static void complete(void *arg)
{
    struct sandbox *sb = arg;
    pid_t pid = runtime_init_pid(sb->runtime);
    struct err err;

    sb->timer = NULL;
    if (pid < 0 && clock_mono_ms() < sb->boot_until_ms) {
        set_timer(sb, PID_POLL_MS, complete);
        return;
    }
    set_timer(sb, BOOT_MS, on_boot_timeout);
    if (tame(sb, pid, &err) < 0)
        fail(sb, &err);
    else if (sb->wants != SANDBOX_NETWORK_FULL)
        succeed(sb);
}

static void on_ready(void *arg)
{
    struct sandbox *sb = arg;

    if (sb->wants == SANDBOX_NETWORK_NONE && sb->rootless)
        succeed(sb);
    else
        set_timer(sb, 0, complete);
}

static int write_bundle(struct sandbox *sb, struct strv *out_command UNUSED,
                        struct err *err)
{
    CLEANUP(mem) char *agent = proc_libexec("agent");
    CLEANUP(mem) char *config = xasprintf("%s/config.json", sb->run);
    CLEANUP(mem) char *root = NULL;
    struct rootfs_spec tree = {
        .image = sb->image,
        .mounted = sb->mounted,
        .state_dir = sb->state_dir,
        .run_dir = sb->run,
        .disk_dir = sb->disk,
        .agent = agent,
        .binds = &sb->binds,
        .network = sb->wants,
    };
    struct bundle_spec bundle = {
        .run_dir = sb->run,
        .rootless = sb->rootless,
        .host_uid = geteuid(),
        .host_gid = getegid(),
        .pids = sb->pids,
        .memory_bytes = sb->memory_bytes,
        .cgroups_path = sb->cgroup ? cgroup_runtime_path(sb->cgroup) : NULL,
    };

    /* The runtime has to take the plain directories: what is mounted on them
     * later appears inside as well. */
    dirs_hide(sb->dirs);
    if (rootfs_build(&tree, &root, err) < 0 ||
        runtime_shield(&sb->program, sb->run, err) < 0)
        return -1;
    bundle.root = root;
    return bundle_write(&bundle, config, err);
}

static int boot(struct sandbox *sb, struct err *err)
{
    struct session_events events = {on_ready, on_closed, sb};
    struct runtime_spec spec = {
        .id = sb->id,
        .run_dir = sb->run,
        .join = sb->cgroup ? cgroup_join_files(sb->cgroup) : NULL,
        .on_end = on_runtime_end,
        .arg = sb,
    };
    CLEANUP(strv) struct strv command = {0};
    int to = -1, from = -1;

    if (sb->backend->describe(sb, &command, err) < 0)
        return -1;
    spec.program = sb->program;
    spec.command = command.count ? &command : NULL;
    if (runtime_start(sb->loop, &spec, &sb->runtime, &to, &from, err) < 0 ||
        session_new(sb->loop, from, to, &events, &sb->session, err) < 0)
        return -1;
    sb->boot_until_ms = clock_mono_ms() + sb->backend->boot_ms;
    set_timer(sb, sb->backend->boot_ms, on_boot_timeout);
    return 0;
}

static int mount_image(struct sandbox *sb, const char *path, struct err *err)
{
    CLEANUP(mem) char *dir = xasprintf("%s/image", sb->run);

    if (dir_make(dir, 0711, err) < 0 ||
        disk_mount_file(path, dir, true, err) < 0)
        return -1;
    sb->mounted = xasprintf("%s/rootfs", dir);
    return 0;
}

static void on_fetched(void *arg, const char *path, const struct err *err)
{
    struct sandbox *sb = arg;
    struct err why;

    if (err)
        fail(sb, err);
    else if (mount_image(sb, path, &why) < 0 || boot(sb, &why) < 0)
        fail(sb, &why);
}

static int begin(struct sandbox *sb, struct err *err)
{
    if (sb->backend != &backend_oci || !fetched_is_reference(sb->image))
        return boot(sb, err);
    if (!sb->image_dir)
        return err_set(err, ERR_BUG, "there is no place for fetched images");
    return fetching_start(sb->loop, sb->image_dir, sb->image, on_fetched, sb,
                          &sb->fetching, err);
}

static int oci_start(struct sandbox *sb, sandbox_started_fn *started,
                     sandbox_lost_fn *lost, void *arg, struct err *err)
{
    if (sb->begun)
        return err_set(err, ERR_BUG, "the sandbox was started already");
    sb->begun = true;
    if (begin(sb, err) < 0)
        return -1;
    sb->started = started;
    sb->lost = lost;
    sb->arg = arg;
    return 0;
}

/* ---- destroy ---------------------------------------------------------- */

static int oci_destroy(struct sandbox *sb, struct err *err)
{
    struct err ignored;
    int rc = 0;

    if (!sb)
        return 0;
    loop_remove(sb->timer);
    /* The frozen do not end by themselves; clearing kills who stays so. */
    if (sb->paused && cgroup_freeze(sb->cgroup, false, &ignored) < 0)
        rc = place_clear(sb->dir, &ignored);
    fetching_free(sb->fetching);
    session_free(sb->session);
    network_free(sb->network);
    runtime_stop(sb->runtime, sb->backend->stop_ms);
    dirs_free(sb->dirs); /* it keeps the disk busy */
    /* Without the lock the directory is another's. */
    if (sb->lock >= 0)
        rc = place_clear(sb->dir, err);
    fd_close(&sb->lock);
    cgroup_free(sb->cgroup);
    strv_clear(&sb->binds);
    strv_clear(&sb->late);
    free(sb->id);
    free(sb->image);
    free(sb->program);
    free(sb->state_dir);
    free(sb->dir);
    free(sb->run);
    free(sb->disk);
    free(sb->workspace);
    free(sb->unenforced);
    free(sb->docker_socket);
    free(sb->image_dir);
    free(sb->mounted);
    free(sb);
    return rc;
}

/* ---- the drivers ------------------------------------------------------ */

static const struct backend backend_oci = {
    .check = check_image,
    .find = find_runtime,
    .limit = make_cgroups,
    .describe = write_bundle,
    .boot_ms = BOOT_MS,
    .stop_ms = STOP_MS,
};

static int oci_create(const struct sandbox_spec *spec, struct loop *loop,
                      struct sandbox **out_sandbox, struct err *err)
{
    return create(spec, &backend_oci, loop, out_sandbox, err);
}

static int docker_create(const struct sandbox_spec *spec, struct loop *loop,
                         struct sandbox **out_sandbox, struct err *err)
{
    return create(spec, &backend_docker, loop, out_sandbox, err);
}

#define COMMON                                                                 \
    .host_workspace = oci_host_workspace, .host_uid = oci_host_uid,            \
    .unenforced = oci_unenforced, .reset_dir = oci_reset_dir,                  \
    .bind_readonly = oci_bind_readonly, .start = oci_start,                    \
    .listen = oci_listen, .exec = oci_exec, .kill = oci_kill,                  \
    .commands = oci_commands, .kill_all = oci_kill_all,                        \
    .pause_output = oci_pause_output, .write_file = oci_write_file,            \
    .read_file = oci_read_file, .put_tree = oci_put_tree,                      \
    .get_tree = oci_get_tree, .list = oci_list, .clear = oci_clear,            \
    .stop_files = oci_stop_files, .connect = oci_connect, .send = oci_send,    \
    .taken = oci_taken, .disconnect = oci_disconnect, .pause = oci_pause,      \
    .usage = oci_usage, .destroy = oci_destroy

const struct sandbox_driver sandbox_oci = {.name = "oci",
                                           .create = oci_create,
                                           .push_layers = oci_push_layers,
                                           .frozen = oci_frozen,
                                           .sweep = place_sweep,
                                           COMMON};

const struct sandbox_driver sandbox_docker = {
    .name = "docker", .create = docker_create, .sweep = docker_sweep, COMMON};
