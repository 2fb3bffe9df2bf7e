/* worker/sandbox/bundle.c - the config.json of an OCI bundle. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/bundle.h"

#include "base/fd.h"
#include "worker/sandbox/agent/protocol.h"
#include "worker/sandbox/mounts.h"
#include "worker/sandbox/rootfs.h"
#include "worker/sandbox/seccomp.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define MAX_FILES     65536u
#define SHM_MIN_BYTES ((uint64_t)64 << 20)

/* SETPCAP only to empty the bounding set; the agent drops it first thing. */
static json_t *capabilities(bool rootless)
{
    static const char *const sets[] = {"bounding", "effective", "permitted"};
    json_t *all = json_object();

    for (size_t i = 0; i < ARRAY_LEN(sets); i++)
        json_object_set_new(all, sets[i],
                            rootless ? json_array()
                                     : json_pack("[s, s, s, s]", "CAP_SETUID",
                                                 "CAP_SETGID", "CAP_KILL",
                                                 "CAP_SETPCAP"));
    json_object_set_new(all, "inheritable", json_array());
    json_object_set_new(all, "ambient", json_array());
    return all;
}

unsigned bundle_max_files(void)
{
    struct rlimit files;

    /* Raising a hard limit takes a privilege that root may lack. */
    if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_max > MAX_FILES)
        return MAX_FILES;
    return (unsigned)files.rlim_max;
}

static json_t *rlimit(const char *type, rlim_t soft, rlim_t hard)
{
    return json_pack("{s:s, s:I, s:I}", "type", type, "soft", (json_int_t)soft,
                     "hard", (json_int_t)hard);
}

static json_t *rlimits(const struct bundle_spec *spec)
{
    json_t *all = json_array();
    rlim_t files = bundle_max_files();

    json_array_append_new(all, rlimit("RLIMIT_NOFILE", files, files));
    json_array_append_new(all, rlimit("RLIMIT_CORE", 0, 0));
    if (spec->rootless && spec->pids)
        json_array_append_new(all,
                              rlimit("RLIMIT_NPROC", spec->pids, spec->pids));
    return all;
}

uint64_t bundle_shm_bytes(uint64_t memory_bytes)
{
    uint64_t half = memory_bytes / 2;

    return half > SHM_MIN_BYTES ? half : SHM_MIN_BYTES;
}

static json_t *process(const struct bundle_spec *spec)
{
    int uid = spec->rootless ? AGENT_USER : 0;

    return json_pack("{s:b, s:{s:i, s:i}, s:[s], s:[s], s:s, s:o, s:o, s:b}",
                     "terminal", 0, "user", "uid", uid, "gid", uid, "args",
                     "/.berth/agent", "env", "PATH=/usr/bin:/bin", "cwd", "/",
                     "capabilities", capabilities(spec->rootless), "rlimits",
                     rlimits(spec), "noNewPrivileges", 1);
}

static json_t *mount_entry(const char *target, const char *type,
                           const char *options)
{
    CLEANUP(mem) char *copy = xstrdup(options);
    json_t *list = json_array();
    char *save = NULL;

    for (char *word = strtok_r(copy, " ", &save); word;
         word = strtok_r(NULL, " ", &save))
        json_array_append_new(list, json_string(word));
    return json_pack("{s:s, s:s, s:s, s:o}", "destination", target, "type",
                     type, "source", type, "options", list);
}

/* What we mount on it later appears inside. */
static json_t *live_entry(const char *run_dir, const char *below,
                          const char *inside, const char *options)
{
    CLEANUP(mem) char *source = xasprintf("%s/%s", run_dir, below);
    json_t *entry = mount_entry(inside, "bind", options);

    json_object_set_new(entry, "source", json_string(source));
    return entry;
}

static void add_live(const char *run_dir, json_t *all)
{
    json_array_append_new(all,
                          live_entry(run_dir, ROOTFS_LATE_DIR, SANDBOX_LATE,
                                     "rbind rslave nosuid nodev ro"));
    for (size_t i = 0; i < ROOTFS_DIRS; i++) {
        CLEANUP(mem) char *below = xasprintf("disk/%s", rootfs_dirs[i].name);
        CLEANUP(mem) char *inside = xasprintf("/%s", rootfs_dirs[i].inside);

        if (rootfs_dirs[i].by_runtime)
            json_array_append_new(all, live_entry(run_dir, below, inside,
                                                  "rbind rslave nosuid nodev"));
    }
}

/* All else is mounted in the tree already, before the runtime starts. */
static json_t *mounts(const struct bundle_spec *spec)
{
    CLEANUP(mem)
    char *shm = xasprintf("nosuid noexec nodev mode=1777 size=%" PRIu64,
                          bundle_shm_bytes(spec->memory_bytes));
    json_t *all = json_array();
    bool rootless = spec->rootless;

    add_live(spec->run_dir, all);
    json_array_append_new(all,
                          mount_entry("/proc", "proc", "nosuid noexec nodev"));
    json_array_append_new(
        all,
        mount_entry("/dev", "tmpfs", "nosuid strictatime mode=755 size=64k"));
    json_array_append_new(
        all, mount_entry("/dev/pts", "devpts",
                         rootless ? "nosuid noexec newinstance ptmxmode=0666 "
                                    "mode=0620"
                                  : "nosuid noexec newinstance ptmxmode=0666 "
                                    "mode=0620 gid=5"));
    json_array_append_new(all, mount_entry("/dev/shm", "tmpfs", shm));
    return all;
}

static json_t *namespaces(void)
{
    static const char *const types[] = {"pid",   "ipc",  "uts",
                                        "mount", "user", "network"};
    json_t *all = json_array();

    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        json_array_append_new(all, json_pack("{s:s}", "type", types[i]));
    return all;
}

static json_t *id_map(const struct bundle_spec *spec, unsigned host_id)
{
    if (spec->rootless)
        return json_pack("[{s:i, s:I, s:i}]", "containerID", AGENT_USER,
                         "hostID", (json_int_t)host_id, "size", 1);
    return json_pack("[{s:i, s:I, s:i}]", "containerID", 0, "hostID",
                     (json_int_t)SANDBOX_UID_BASE, "size",
                     (int)SANDBOX_UID_COUNT);
}

static json_t *linux_part(const struct bundle_spec *spec)
{
    json_t *part = json_pack(
        "{s:o, s:o, s:o, s:o, s:[s, s, s, s, s, s, s, s, s, s], "
        "s:[s, s, s, s, s]}",
        "uidMappings", id_map(spec, spec->host_uid), "gidMappings",
        id_map(spec, spec->host_gid), "namespaces", namespaces(), "seccomp",
        seccomp_profile(), "maskedPaths", "/proc/acpi", "/proc/asound",
        "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
        "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi",
        "/proc/interrupts", "readonlyPaths", "/proc/bus", "/proc/fs",
        "/proc/irq", "/proc/sys", "/proc/sysrq-trigger");

    /* Else no mount of ours that comes later would appear inside. */
    json_object_set_new(part, "rootfsPropagation", json_string("rslave"));
    if (spec->cgroups_path)
        json_object_set_new(part, "cgroupsPath",
                            json_string(spec->cgroups_path));
    return part;
}

int bundle_write(const struct bundle_spec *spec, const char *path,
                 struct err *err)
{
    json_t *config =
        json_pack("{s:s, s:{s:s, s:b}, s:s, s:o, s:o, s:o}", "ociVersion",
                  "1.0.2", "root", "path", spec->root, "readonly", 1,
                  "hostname", "berth", "process", process(spec), "mounts",
                  mounts(spec), "linux", linux_part(spec));
    char *text = config ? json_dumps(config, JSON_COMPACT) : NULL;
    int rc;

    json_decref(config);
    if (!text)
        return err_set(err, ERR_BUG, "cannot make '%s'", path);
    rc = file_write(path, text, strlen(text), 0600, err);
    free(text);
    return rc;
}
