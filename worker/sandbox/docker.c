/* worker/sandbox/docker.c - sandboxes by the Docker Engine. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/docker.h"

#include "base/fd.h"
#include "base/image_name.h"
#include "base/proc.h"
#include "worker/sandbox/drivers.h"
#include "worker/sandbox/etc.h"
#include "worker/sandbox/hostenv.h"
#include "worker/sandbox/image.h"
#include "worker/sandbox/oci.h"
#include "worker/sandbox/place.h"
#include "worker/sandbox/rootfs.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX     IMAGE_NAME_PREFIX
#define BOOT_MS    ((int64_t)15 * 60 * 1000) /* it may have to fetch an image */
#define STOP_MS    15000
#define CHECK_MS   20000
#define GRAFT_MS   10000
#define SWEEP_MS   60000
#define AGENT_MAX  ((size_t)64 << 20)
#define OUTPUT_MAX 1024

/* ---- what may be asked for -------------------------------------------- */

static int check(const struct sandbox_spec *spec, struct err *err)
{
    CLEANUP(mem) char *client = proc_libexec("docker-client");

    if (access(client, X_OK) < 0)
        return err_sys(err, ERR_TRANSIENT, "'%s' is missing", client);
    if (strncmp(spec->image, PREFIX, strlen(PREFIX)) != 0)
        return err_set(err, ERR_USER,
                       "image '%.200s' is none that this worker has, whose "
                       "sandboxes are Docker's: write " PREFIX
                       "NAME, or have worker.docker_image set",
                       spec->image);
    return image_check_name(spec->image + strlen(PREFIX), err);
}

static int find(struct sandbox *sb, const struct sandbox_spec *spec,
                struct err *err)
{
    if (sb->rootless)
        return err_set(err, ERR_TRANSIENT,
                       "sandboxes of Docker need root: run as root, or use "
                       "the driver 'oci'");
    /* One with a kernel of its own has no mounts that we could reach. */
    if (spec->runtime && strcmp(spec->runtime, "runc") != 0 &&
        strcmp(spec->runtime, "crun") != 0)
        return err_set(err, ERR_TRANSIENT,
                       "Docker's runtime '%s' cannot be used: runc and crun "
                       "can",
                       spec->runtime);
    sb->program = xstrdup(spec->runtime ? spec->runtime : "");
    sb->docker_socket =
        xstrdup(spec->docker_socket ? spec->docker_socket : DOCKER_SOCKET);
    return 0;
}

/* Docker makes the limits; we ask it which of them it can. */
static int limit(struct sandbox *sb, const struct sandbox_spec *spec UNUSED,
                 struct err *err)
{
    CLEANUP(mem) char *client = proc_libexec("docker-client");
    CLEANUP(strbuf) struct strbuf missing = STRBUF_MAX(OUTPUT_MAX);
    CLEANUP(mem) char *disk = sb->unenforced;
    const char *argv[] = {client, "check", sb->docker_socket, NULL};

    sb->unenforced = NULL;
    if (proc_run(argv, CHECK_MS, &missing, err) < 0)
        return -1;
    sb->unenforced =
        xasprintf("%s%s%s", missing.data, disk && missing.len ? ", " : "",
                  disk ? disk : "");
    return 0;
}

/* ---- start ------------------------------------------------------------ */

static int copy_agent(const char *dir, struct err *err)
{
    CLEANUP(mem) char *from = proc_libexec("agent");
    CLEANUP(mem) char *to = xasprintf("%s/agent", dir);
    CLEANUP(strbuf) struct strbuf program = STRBUF_MAX(AGENT_MAX + 1);

    if (file_read(from, AGENT_MAX, &program, err) < 0)
        return -1;
    return file_write(to, program.data, program.len, 0755, err);
}

/* What the engine mounts: plain files, since it does not see our mounts, and
 * an agent of this sandbox alone, by which its pid 1 is known. */
static int write_files(const struct sandbox *sb, struct err *err)
{
    CLEANUP(mem) char *etc = xasprintf("%s/etc", sb->dir);
    CLEANUP(mem) char *none = xasprintf("%s/none", sb->dir);
    CLEANUP(mem) char *nothing = xasprintf("%s/nothing", sb->dir);
    /* The users are written anew once there is an image to be seen. */
    struct etc_spec spec = {
        .dir = etc, .image = -1, .network = sb->wants != SANDBOX_NETWORK_NONE};

    if (dir_make(etc, 0755, err) < 0 || dir_make(none, 0755, err) < 0 ||
        file_write(nothing, "", 0, 0644, err) < 0 || etc_write(&spec, err) < 0)
        return -1;
    return copy_agent(sb->dir, err);
}

/* Where things will be mounted: on the disk, or in the image, where the engine
 * has to make a place. */
static int add_place(const struct sandbox *sb, const char *source,
                     const char *inside, struct strv *dirs, struct strv *files,
                     struct err *err)
{
    CLEANUP(mem) char *target = rootfs_target(sb->disk, "", inside);
    struct stat st;

    if (strcmp(target, inside) != 0)
        return rootfs_make_target(source, target, err);
    if (stat(source, &st) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot bind '%s'", source);
    strv_add(S_ISDIR(st.st_mode) ? dirs : files, inside);
    return 0;
}

static void add_graft(struct strv *out, const char *source, const char *target,
                      const char *how)
{
    strv_add(out, source);
    strv_add(out, target);
    strv_add(out, how);
}

/* All that is to be mounted: what, where, and whether it can be written. */
static void list_grafts(const struct sandbox *sb, struct strv *out)
{
    CLEANUP(hostenv) struct hostenv env = {0};

    for (size_t i = 0; i < ROOTFS_DIRS; i++) {
        CLEANUP(mem)
        char *source = xasprintf("%s/%s", sb->disk, rootfs_dirs[i].name);
        CLEANUP(mem) char *target = xasprintf("/%s", rootfs_dirs[i].inside);

        add_graft(out, source, target, "rw");
    }
    hostenv_fill(sb->image, sb->wants, &env);
    for (size_t i = 0; i < env.sources.count; i++)
        add_graft(out, env.sources.items[i], env.targets.items[i], "ro");
    for (size_t i = 0; i + 1 < sb->binds.count; i += 2)
        add_graft(out, sb->binds.items[i], sb->binds.items[i + 1], "ro");
}

static int write_spec(struct sandbox *sb, const char *path, struct err *err)
{
    CLEANUP(mem) char *pid_file = xasprintf("%s/pid", sb->run);
    CLEANUP(mem) char *record = xasprintf("%s/" PLACE_DOCKER, sb->dir);
    CLEANUP(strv) struct strv grafts = {0};
    CLEANUP(strv) struct strv dirs = {0};
    CLEANUP(strv) struct strv files = {0};
    struct docker_spec spec = {
        .id = sb->id,
        .state_dir = sb->state_dir,
        .socket = sb->docker_socket,
        .image = sb->image + strlen(PREFIX),
        .runtime = *sb->program ? sb->program : NULL,
        .dir = sb->dir,
        .pid_file = pid_file,
        .record = record,
        .dirs = &dirs,
        .files = &files,
        .cpu_millis = sb->cpu_millis,
        .pids = sb->pids,
        .memory_bytes = sb->memory_bytes,
    };

    list_grafts(sb, &grafts);
    for (size_t i = 0; i < grafts.count; i += 3)
        if (add_place(sb, grafts.items[i], grafts.items[i + 1], &dirs, &files,
                      err) < 0)
            return -1;
    /* From here on whoever clears the directory asks the engine, too. */
    if (file_write(record, spec.socket, strlen(spec.socket), 0600, err) < 0)
        return -1;
    return docker_write(&spec, path, err);
}

static int describe(struct sandbox *sb, struct strv *out_command,
                    struct err *err)
{
    CLEANUP(mem) char *client = proc_libexec("docker-client");
    CLEANUP(mem) char *path = xasprintf("%s/container.json", sb->run);

    if (write_files(sb, err) < 0 || write_spec(sb, path, err) < 0)
        return -1;
    strv_add(out_command, client);
    strv_add(out_command, "run");
    strv_add(out_command, path);
    return 0;
}

/* The image's users and ours, over its own lists, where it has any. */
static int add_users(const struct sandbox *sb, pid_t pid, struct strv *out,
                     struct err *err)
{
    CLEANUP(mem) char *path = xasprintf("/proc/%d/root", (int)pid);
    CLEANUP(mem) char *dir = xasprintf("%s/etc", sb->dir);
    CLEANUP(fd) int image = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct etc_spec etc = {.dir = dir,
                           .image = image,
                           .network = sb->wants != SANDBOX_NETWORK_NONE};

    if (image < 0)
        return err_sys(err, ERR_TRANSIENT, "the container is gone");
    if (etc_write(&etc, err) < 0)
        return -1;
    for (size_t i = 0; etc_users[i]; i++) {
        CLEANUP(mem) char *source = xasprintf("%s/%s", dir, etc_users[i]);
        CLEANUP(mem) char *target = xasprintf("/etc/%s", etc_users[i]);
        CLEANUP(fd) int there = image_open_inside(image, target + 1, O_PATH);

        if (there >= 0)
            add_graft(out, source, target, "ro");
    }
    return 0;
}

/* The disk is mounted where only we see it, so that it goes with us: put it,
 * and what is bound, into the container's mounts, which only the agent uses. */
static int adopt(struct sandbox *sb, pid_t pid, struct err *err)
{
    CLEANUP(mem) char *launch = proc_libexec("launch");
    CLEANUP(mem) char *agent = xasprintf("%s/agent", sb->dir);
    CLEANUP(strv) struct strv argv = {0};
    CLEANUP(strv) struct strv grafts = {0};

    strv_add(&argv, launch);
    strv_add(&argv, "--graft");
    strv_addf(&argv, "%d", (int)pid);
    strv_add(&argv, agent);
    list_grafts(sb, &grafts);
    if (add_users(sb, pid, &grafts, err) < 0)
        return -1;
    for (size_t i = 0; i < grafts.count; i++)
        strv_add(&argv, grafts.items[i]);
    if (proc_run((const char *const *)argv.items, GRAFT_MS, NULL, err) < 0)
        return err_wrap(err, "cannot mount the sandbox's disk");
    return cgroup_adopt(pid, &sb->cgroup, err);
}

const struct backend backend_docker = {
    .check = check,
    .find = find,
    .limit = limit,
    .describe = describe,
    .adopt = adopt,
    .boot_ms = BOOT_MS,
    .stop_ms = STOP_MS,
};

/* ---- what was left ---------------------------------------------------- */

int docker_sweep(const char *state_dir, unsigned *out_swept, struct err *err)
{
    const char *socket = driver_docker_socket();
    CLEANUP(mem) char *client = proc_libexec("docker-client");
    const char *argv[] = {client, "sweep", socket ? socket : DOCKER_SOCKET,
                          state_dir, NULL};

    if (place_sweep(state_dir, out_swept, err) < 0)
        return -1;
    /* One that the engine was still making when we were killed. */
    return proc_run(argv, SWEEP_MS, NULL, err);
}
