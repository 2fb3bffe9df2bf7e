/* worker/sandbox/mounts.c - private mounts, which die with their process. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/mounts.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Root of a container may be root over a few uids only. */
static bool rules_uid_range(void)
{
    FILE *map = fopen("/proc/self/uid_map", "re");
    unsigned long inside, outside, count;
    bool found = false;

    if (geteuid() != 0 || !map) {
        if (map)
            (void)fclose(map);
        return false;
    }
    while (!found && fscanf(map, "%lu %lu %lu", &inside, &outside, &count) == 3)
        found = inside <= SANDBOX_UID_BASE &&
                inside + count >= SANDBOX_UID_BASE + SANDBOX_UID_COUNT;
    (void)fclose(map);
    return found;
}

static int write_map(const char *path, const char *text, struct err *err)
{
    CLEANUP(fd) int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        return err_sys(err, ERR_TRANSIENT, "cannot write '%s'", path);
    return 0;
}

static int enter_user_namespace(struct err *err)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    char map[64];

    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
        return err_sys(err, ERR_TRANSIENT,
                       "cannot make a user namespace; run as root, or allow "
                       "them: sysctl user.max_user_namespaces, kernel."
                       "unprivileged_userns_clone=1, kernel."
                       "apparmor_restrict_unprivileged_userns=0");
    if (write_map("/proc/self/setgroups", "deny", err) < 0)
        return -1;
    (void)snprintf(map, sizeof(map), "%u %u 1", uid, uid);
    if (write_map("/proc/self/uid_map", map, err) < 0)
        return -1;
    (void)snprintf(map, sizeof(map), "%u %u 1", gid, gid);
    return write_map("/proc/self/gid_map", map, err);
}

/* crun before 1.9 refuses a host that mounts v2 beside v1 (hybrid), and, as an
 * ordinary user, any that it may not write to. It is not to use cgroups, so
 * let it see none that disturb it. What is not there is fine. */
static void hide_cgroups(bool from_rootless)
{
    struct statfs top, beside;

    if (from_rootless) {
        (void)mount("tmpfs", "/sys/fs/cgroup", "tmpfs", MS_RDONLY, "size=4k");
        return;
    }
    if (statfs("/sys/fs/cgroup", &top) == 0 &&
        top.f_type != CGROUP2_SUPER_MAGIC &&
        statfs("/sys/fs/cgroup/unified", &beside) == 0 &&
        beside.f_type == CGROUP2_SUPER_MAGIC)
        (void)umount2("/sys/fs/cgroup/unified", MNT_DETACH);
}

int mounts_enter(bool *out_rootless, struct err *err)
{
    static bool entered;
    static bool rootless;

    if (!entered) {
        rootless = !rules_uid_range();
        if (rootless ? enter_user_namespace(err) < 0
                     : unshare(CLONE_NEWNS) < 0 &&
                           err_sys(err, ERR_TRANSIENT,
                                   "cannot make a mount namespace") < 0)
            return -1;
        if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
            return err_sys(err, ERR_TRANSIENT, "cannot make mounts private");
        hide_cgroups(rootless);
        entered = true;
    }
    *out_rootless = rootless;
    return 0;
}

int mounts_tmpfs(const char *target, uint64_t bytes, uint64_t inodes,
                 unsigned mode, struct err *err)
{
    char options[128];

    (void)snprintf(options, sizeof(options),
                   "size=%" PRIu64 ",nr_inodes=%" PRIu64 ",mode=%o", bytes,
                   inodes, mode);
    if (mount("tmpfs", target, "tmpfs", MS_NOSUID | MS_NODEV, options) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot mount a tmpfs at '%s'",
                       target);
    return 0;
}

int mounts_bind(const char *source, const char *target, bool readonly,
                struct err *err)
{
    struct mount_attr attr = {
        .attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
                    (readonly ? (uint64_t)MOUNT_ATTR_RDONLY : 0),
        .propagation = MS_PRIVATE,
    };
    CLEANUP(fd)
    int fd = open_tree(AT_FDCWD, source,
                       OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);

    if (fd < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot take '%s' for a mount",
                       source);
    if (mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr,
                      sizeof(attr)) < 0)
        return err_sys(err, ERR_TRANSIENT,
                       "cannot protect the mount of '%s' (Linux 5.12 or later "
                       "is needed)",
                       source);
    if (move_mount(fd, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot mount '%s' at '%s'", source,
                       target);
    return 0;
}

int mounts_share(const char *target, struct err *err)
{
    if (mount(NULL, target, NULL, MS_SHARED, NULL) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot share the mount '%s'",
                       target);
    return 0;
}
