/* cli/doctor_host.c - whether a host can run sandboxes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "base/proc.h"
#include "base/zone.h"
#include "cli/doctor.h"
#include "cli/format.h"
#include "worker/secrets/worker_key.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#define TABLE_MAX     ((size_t)4 << 20)
#define TRY_MS        15000
#define MIN_INSTANCES 128   /* of inotify: what kernels start with */
#define MIN_WATCHES   65536 /* what one sandbox gets at most */
#define MIB           ((int64_t)1 << 20)

/* ---- control groups ----------------------------------------------------- */

static bool has_word(const char *list, const char *word)
{
    size_t len = strlen(word);

    for (const char *p = list; (p = strstr(p, word)); p += len)
        if ((p == list || strchr(" ,", p[-1])) && strchr(" ,\n", p[len]))
            return true;
    return false;
}

static const char *const wanted[] = {"memory", "cpu", "pids"};

struct cgroups {
    bool v1, v2;
    bool has[ARRAY_LEN(wanted)];
};

/* mountinfo: id parent dev root target options [tags] - type source super */
static void add_mount(struct cgroups *found, char *line)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_MAX(4096);
    CLEANUP(mem) char *file = NULL;
    char *tail = strstr(line, " - cgroup");
    char *target = line, *controllers;

    if (!tail)
        return;
    controllers = strrchr(tail, ' ') + 1;
    if (strncmp(tail + 9, "2 ", 2) == 0) {
        found->v2 = true;
        for (int i = 0; i < 4 && target; i++)
            target = strchr(target + 1, ' ');
        if (!target)
            return;
        file = xasprintf("%.*s/cgroup.controllers",
                         (int)strcspn(target + 1, " "), target + 1);
        if (file_read(file, 4000, &text, NULL) < 0)
            return;
        controllers = text.data;
    } else {
        found->v1 = true;
    }
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
        found->has[i] |= has_word(controllers, wanted[i]);
}

static void check_cgroups(struct doctor *d UNUSED, struct finding *out)
{
    CLEANUP(strbuf) struct strbuf mounts = STRBUF_MAX(TABLE_MAX);
    CLEANUP(strbuf) struct strbuf missing = STRBUF_INIT;
    struct cgroups found = {.v1 = false};
    struct err err = {0};
    const char *kind;
    char *save = NULL;

    if (file_read("/proc/self/mountinfo", TABLE_MAX - 1, &mounts, &err) < 0) {
        finding_fail(out, "mount /proc", "%s", err.msg);
        return;
    }
    for (char *line = strtok_r(mounts.data, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save))
        add_mount(&found, line);
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
        if (!found.has[i])
            strbuf_addf(&missing, "%s%s", missing.len ? ", " : "", wanted[i]);
    kind = !found.v1 ? "v2" : found.v2 ? "hybrid" : "v1";
    if (!found.v1 && !found.v2)
        finding_warn(out, "mount /sys/fs/cgroup",
                     "there are none: no limit on memory, cpu or processes");
    else if (missing.len)
        finding_warn(out,
                     "hand the controllers to berth: systemd's Delegate=yes, "
                     "or cgroup_enable=memory on the kernel's command line",
                     "%s, without limits on %s", kind, missing.data);
    else if (geteuid() != 0)
        finding_warn(out, "run the worker as root, or delegate a cgroup to it",
                     "%s, with memory, cpu and pids; only root can be sure to "
                     "use them",
                     kind);
    else
        finding_ok(out, "%s, with memory, cpu and pids", kind);
}

/* ---- the state directory ------------------------------------------------ */

static const char *kind_of(long type)
{
    static const struct {
        long type;
        const char *name;
    } kinds[] = {
        {0xef53, "ext4"},      {0x58465342, "xfs"},  {0x9123683e, "btrfs"},
        {0x01021994, "tmpfs"}, {0x6969, "nfs"},      {0x794c7630, "overlay"},
        {0x2fc12fc1, "zfs"},   {0x65735546, "fuse"}, {0xf2f52010, "f2fs"},
    };

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (kinds[i].type == type)
            return kinds[i].name;
    return "another file system";
}

/* The directory, or what is there of the way to it. Owned. */
static char *existing(const char *dir)
{
    char *path = xstrdup(dir);

    while (access(path, F_OK) < 0 && strlen(path) > 1) {
        char *slash = strrchr(path, '/');

        slash[slash == path] = '\0';
    }
    return path;
}

static void check_disk(struct doctor *d, struct finding *out)
{
    CLEANUP(mem) char *dir = existing(d->settings->state_dir);
    char free_text[FORMAT_SIZE];
    struct statvfs space;
    struct statfs fs;
    const char *kind;
    int64_t bytes;

    if (!*dir || statvfs(dir, &space) < 0 || statfs(dir, &fs) < 0) {
        finding_fail(out, "set state_dir (BERTH_STATE_DIR), or HOME",
                     "no state directory '%s'", dir);
        return;
    }
    if (access(dir, W_OK) < 0) {
        finding_fail(out, "make it, and give it to the user that runs berth",
                     "'%s' cannot be written", dir);
        return;
    }
    bytes = (int64_t)((uint64_t)space.f_bavail * space.f_frsize);
    kind = kind_of((long)fs.f_type);
    (void)format_bytes((uint64_t)bytes, free_text);
    if (bytes < d->settings->worker.min_disk_bytes)
        finding_fail(out,
                     "free some space, move state_dir, or lower "
                     "worker.min_disk",
                     "%s free in '%s' (%s), less than worker.min_disk",
                     free_text, dir, kind);
    else if (!strcmp(kind, "nfs") || !strcmp(kind, "overlay"))
        finding_warn(out, "put state_dir on a disk of this host",
                     "%s free in '%s', but on %s: it is slow, and locks may "
                     "not hold",
                     free_text, dir, kind);
    else
        finding_ok(out, "%s free in '%s' (%s)", free_text, dir, kind);
}

/* What a sandbox's disk needs: mkfs.ext4 and a loop device. The mount lives in
 * a name space that ends with the command. */
static int try_loop(const char *dir, struct err *err)
{
    static const char script[] =
        "PATH=$PATH:/usr/sbin:/sbin; truncate -s 16M \"$1/image\" && "
        "mkfs.ext4 -q -F \"$1/image\" && mkdir \"$1/root\" && "
        "unshare --mount mount -o loop \"$1/image\" \"$1/root\"";
    const char *const argv[] = {"sh", "-c", script, "sh", dir, NULL};

    return proc_run(argv, TRY_MS, NULL, err);
}

static void check_loop(struct doctor *d, struct finding *out)
{
    CLEANUP(mem) char *top = existing(d->settings->state_dir);
    CLEANUP(mem)
    char *dir = xasprintf("%s/doctor-XXXXXX",
                          strcmp(top, d->settings->state_dir) ? "/tmp" : top);
    struct err err = {0};
    int rc;

    if (geteuid() != 0) {
        finding_warn(out, "run the worker as root",
                     "only root can use loop devices: the disk of a sandbox "
                     "is a tmpfs");
        return;
    }
    if (!mkdtemp(dir)) {
        finding_fail(out, "free some space, or move state_dir",
                     "cannot make a directory in '%s'", top);
        return;
    }
    rc = try_loop(dir, &err);
    if (tree_remove(dir, rc < 0 ? NULL : &err) < 0)
        rc = -1;
    if (rc < 0)
        finding_warn(out,
                     "install e2fsprogs, and let berth use loop devices "
                     "(/dev/loop-control)",
                     "ext4 on a loop device does not work: %s", err.msg);
    else
        finding_ok(out, "ext4 on a loop device works");
}

/* Root's sandboxes show trees and installs as layers below what they write. */
static int try_layers(const char *dir, struct err *err)
{
    static const char script[] =
        "mkdir \"$1/low\" \"$1/up\" \"$1/root\" && unshare --mount sh -c '"
        "mount -t tmpfs tmpfs \"$1/up\" && mkdir \"$1/up/u\" \"$1/up/w\" && "
        "mount -t overlay overlay -o \"lowerdir=$1/low,upperdir=$1/up/u,"
        "workdir=$1/up/w,redirect_dir=on,volatile\" \"$1/root\"' sh \"$1\"";
    const char *const argv[] = {"sh", "-c", script, "sh", dir, NULL};

    return proc_run(argv, TRY_MS, NULL, err);
}

static void check_cache(struct doctor *d, struct finding *out)
{
    CLEANUP(mem) char *top = existing(d->settings->cache.dir);
    CLEANUP(mem) char *dir = xasprintf("%s/doctor-XXXXXX", top);
    char size[FORMAT_SIZE];
    struct err err = {0};
    int rc;

    if (geteuid() != 0 || !d->settings->cache.bytes) {
        finding_warn(out,
                     geteuid() ? "run the worker as root" : "set cache.bytes",
                     "trees and installs are not kept for the next jobs");
        return;
    }
    if (!mkdtemp(dir)) {
        finding_warn(out, "free some space, or move cache.dir",
                     "cannot make a directory in '%s'", top);
        return;
    }
    rc = try_layers(dir, &err);
    if (tree_remove(dir, rc < 0 ? NULL : &err) < 0)
        rc = -1;
    (void)format_bytes((uint64_t)d->settings->cache.bytes, size);
    if (rc < 0)
        finding_warn(out, "modprobe overlay, or move cache.dir to a disk",
                     "no overlay can be mounted over '%s', so no trees and "
                     "installs are kept: %s",
                     top, err.msg);
    else
        finding_ok(out, "up to %s of trees and installs in '%s'", size,
                   d->settings->cache.dir);
}

/* ---- the kernel --------------------------------------------------------- */

/* A number in a file of /proc; -1: there is none. */
static int64_t number_in(const char *path)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_MAX(4096);

    if (file_read(path, 4000, &text, NULL) < 0)
        return -1;
    return strtoll(text.data, NULL, 10);
}

static void check_memory(struct doctor *d, struct finding *out)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_MAX((size_t)64 << 10);
    const char *field = NULL;
    struct err err = {0};
    int64_t bytes;

    if (file_read("/proc/meminfo", (size_t)64 << 10, &text, &err) == 0)
        field = strstr(text.data, "MemAvailable:");
    if (!field) {
        finding_warn(out, "mount /proc", "not known: %s", err.msg);
        return;
    }
    bytes = strtoll(field + strlen("MemAvailable:"), NULL, 10) * 1024;
    if (bytes < d->settings->worker.min_memory_bytes)
        finding_fail(out, "end other programs, or lower worker.min_memory",
                     "%" PRId64 " MiB available, less than worker.min_memory",
                     bytes / MIB);
    else
        finding_ok(out, "%" PRId64 " MiB available", bytes / MIB);
}

static void check_userns(struct doctor *d UNUSED, struct finding *out)
{
    static const char *const argv[] = {"unshare", "--user", "--map-root-user",
                                       "true", NULL};
    struct err err = {0};

    if (proc_run(argv, TRY_MS, NULL, &err) == 0)
        finding_ok(out, "allowed");
    else
        finding_fail(out,
                     "sysctl user.max_user_namespaces=10000; Debian: "
                     "kernel.unprivileged_userns_clone=1; Ubuntu: "
                     "kernel.apparmor_restrict_unprivileged_userns=0",
                     "not allowed, and no sandbox without them: %s", err.msg);
}

static void check_inotify(struct doctor *d UNUSED, struct finding *out)
{
    int64_t instances = number_in("/proc/sys/fs/inotify/max_user_instances");
    int64_t watches = number_in("/proc/sys/fs/inotify/max_user_watches");

    if (instances < MIN_INSTANCES || watches < MIN_WATCHES)
        finding_warn(out,
                     "sysctl fs.inotify.max_user_instances=512 "
                     "fs.inotify.max_user_watches=524288",
                     "%" PRId64 " instances and %" PRId64
                     " watches: programs that watch files may fail in "
                     "sandboxes",
                     instances, watches);
    else
        finding_ok(out, "%" PRId64 " instances, %" PRId64 " watches", instances,
                   watches);
}

static void check_zones(struct doctor *d UNUSED, struct finding *out)
{
    CLEANUP(zone) struct zone *zone = NULL;
    struct err err = {0};

    if (zone_load("Europe/Berlin", &zone, &err) == 0)
        finding_ok(out, "time zones are there");
    else
        finding_warn(out, "install tzdata (Debian: apt-get install tzdata)",
                     "schedules can have no zone but UTC: %s", err.msg);
}

static void check_key(struct doctor *d, struct finding *out)
{
    CLEANUP(seal_key) struct seal_key key = {{0}, {0}};
    char text[SEAL_TEXT_SIZE];
    struct err err = {0};
    bool found = false;

    if (worker_key_load(d->settings->state_dir, &key, &found, &err) < 0) {
        finding_fail(out, "see to the file, or remove it and enrol anew", "%s",
                     err.msg);
        return;
    }
    if (!found) {
        finding_ok(out, "no key: no scheduler gives this worker tokens "
                        "(berth worker-key)");
        return;
    }
    seal_key_text(key.public_key, text);
    finding_ok(out, "%s=%s", d->settings->worker.name, text);
}

static const struct doctor_check checks[] = {
    {"cgroups", check_cgroups, false}, {"disk", check_disk, false},
    {"loop", check_loop, false},       {"cache", check_cache, false},
    {"memory", check_memory, false},   {"user-namespaces", check_userns, false},
    {"inotify", check_inotify, false}, {"tzdata", check_zones, false},
    {"worker-key", check_key, false},
};

const struct doctor_checks doctor_host_checks = {checks, ARRAY_LEN(checks)};
