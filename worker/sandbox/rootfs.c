/* worker/sandbox/rootfs.c - the tree that a sandbox sees as its root. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/rootfs.h"

#include "base/fd.h"
#include "worker/sandbox/etc.h"
#include "worker/sandbox/hostenv.h"
#include "worker/sandbox/image.h"
#include "worker/sandbox/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* Directories that are ours in every image; parents first. */
static const char *const own_dirs[] = {
    "dev", "proc",    "tmp",      "run",        "run/berth",
    "var", "var/tmp", "home",     "home/berth", "workspace",
    "etc", ".berth",  ".berth/ca"};

const struct rootfs_dir rootfs_dirs[ROOTFS_DIRS] = {
    {"workspace", "workspace", true},
    {"home", "home/berth", true},
    {"tmp", "tmp", false},
    {"vartmp", "var/tmp", false}};

/* ---- checking --------------------------------------------------------- */

int rootfs_check(const char *image, const char *state_dir, struct err *err)
{
    CLEANUP(fd) int fd = -1;

    if (strcmp(image, "host") == 0)
        return 0;
    return image_open(image, state_dir, &fd, err);
}

int rootfs_check_target(const char *inside, struct err *err)
{
    static const char *const taken[] = {
        "/usr",    "/etc",  "/bin", "/sbin", "/lib",    "/lib32",     "/lib64",
        "/libx32", "/proc", "/dev", "/sys",  "/.berth", "/workspace", "/home"};
    size_t len = strlen(inside);

    if (inside[0] != '/' || len < 2 || inside[len - 1] == '/' ||
        strstr(inside, "/../") || strstr(inside, "//") ||
        (len >= 3 && strcmp(inside + len - 3, "/..") == 0))
        return err_set(err, ERR_USER, "'%s' is no plain absolute path", inside);
    for (size_t i = 0; i < ARRAY_LEN(taken); i++) {
        size_t n = strlen(taken[i]);

        if (strncmp(inside, taken[i], n) == 0 &&
            (inside[n] == '/' || !inside[n]))
            return err_set(err, ERR_USER, "nothing can be bound at '%s'",
                           inside);
    }
    return 0;
}

static int touch(const char *path, struct err *err)
{
    CLEANUP(fd) int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);

    if (fd < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot create '%s'", path);
    return 0;
}

int rootfs_make_target(const char *source, const char *target, struct err *err)
{
    CLEANUP(mem) char *parent = xstrdup(target);
    struct stat st;

    if (stat(source, &st) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot bind '%s'", source);
    if (S_ISDIR(st.st_mode))
        return dir_make(target, 0755, err);
    *strrchr(parent, '/') = '\0';
    if (dir_make(parent, 0755, err) < 0)
        return -1;
    return touch(target, err);
}

char *rootfs_target(const char *disk_dir, const char *top, const char *inside)
{
    for (size_t i = 0; i < ROOTFS_DIRS; i++) {
        size_t len = strlen(rootfs_dirs[i].inside);

        if (strncmp(inside + 1, rootfs_dirs[i].inside, len) == 0 &&
            inside[1 + len] == '/')
            return xasprintf("%s/%s%s", disk_dir, rootfs_dirs[i].name,
                             inside + 1 + len);
    }
    return xasprintf("%s%s", top, inside);
}

static int make_skeleton(const struct rootfs_spec *spec, const char *skel,
                         int image, const struct hostenv *env, struct err *err)
{
    CLEANUP(mem) char *agent = xasprintf("%s/.berth/agent", skel);
    CLEANUP(mem) char *own_etc = xasprintf("%s/etc", skel);
    const struct etc_spec etc = {.dir = own_etc,
                                 .image = image,
                                 .network =
                                     spec->network == SANDBOX_NETWORK_FULL};

    if (dir_make(skel, 0755, err) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(own_dirs); i++) {
        CLEANUP(mem) char *dir = xasprintf("%s/%s", skel, own_dirs[i]);

        if (mkdir(dir, 0755) < 0)
            return err_sys(err, ERR_TRANSIENT, "cannot create '%s'", dir);
    }
    if (etc_write(&etc, err) < 0 || touch(agent, err) < 0)
        return -1;
    for (size_t i = 0; i < env->sources.count; i++) {
        CLEANUP(mem) char *to = xasprintf("%s%s", skel, env->targets.items[i]);

        if (rootfs_make_target(env->sources.items[i], to, err) < 0)
            return -1;
    }
    for (size_t i = 0; spec->binds && i + 1 < spec->binds->count; i += 2) {
        CLEANUP(mem)
        char *to =
            rootfs_target(spec->disk_dir, skel, spec->binds->items[i + 1]);

        if (rootfs_make_target(spec->binds->items[i], to, err) < 0)
            return -1;
    }
    return 0;
}

/* ---- what comes late -------------------------------------------------- */

int rootfs_make_late(const char *run_dir, struct err *err)
{
    CLEANUP(mem) char *late = xasprintf("%s/" ROOTFS_LATE_DIR, run_dir);

    if (mkdir(late, 0755) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot create '%s'", late);
    return mounts_bind(late, late, false, err) < 0 ? -1
                                                   : mounts_share(late, err);
}

bool rootfs_is_late(const char *inside)
{
    return strncmp(inside, SANDBOX_LATE "/", sizeof(SANDBOX_LATE)) == 0;
}

int rootfs_bind_late(const char *run_dir, const char *host_path,
                     const char *inside, struct err *err)
{
    CLEANUP(mem)
    char *target = xasprintf("%s/" ROOTFS_LATE_DIR "%s", run_dir,
                             inside + strlen(SANDBOX_LATE));

    if (rootfs_make_target(host_path, target, err) < 0)
        return -1;
    return mounts_bind(host_path, target, true, err);
}

/* ---- assembling ------------------------------------------------------- */

/* Our skeleton over the image, both read-only: the image stays as it is. Both
 * by descriptor: nobody can swap what was checked for something else, and no
 * character of a path means anything in the options. */
static int mount_overlay(const char *skel, int image, const char *root,
                         const char *name, struct err *err)
{
    CLEANUP(fd) int top = open(skel, O_PATH | O_DIRECTORY | O_CLOEXEC);
    CLEANUP(mem)
    char *options =
        xasprintf("lowerdir=/proc/self/fd/%d:/proc/self/fd/%d", top, image);

    if (top < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot open '%s'", skel);
    if (dir_make(root, 0755, err) < 0)
        return -1;
    if (mount("overlay", root, "overlay", MS_RDONLY | MS_NOSUID | MS_NODEV,
              options) < 0)
        return err_sys(err, ERR_TRANSIENT,
                       "cannot lay a sandbox over image '%s' (is overlayfs "
                       "there? modprobe overlay)",
                       name);
    return 0;
}

static int bind_below(const char *root, const char *source, const char *inside,
                      struct err *err)
{
    CLEANUP(mem)
    char *target =
        xasprintf("%s%s%s", root, inside[0] == '/' ? "" : "/", inside);

    return mounts_bind(source, target, true, err);
}

static int bind_all(const struct rootfs_spec *spec, const char *root,
                    const struct hostenv *env, struct err *err)
{
    for (size_t i = 0; i < ROOTFS_DIRS; i++) {
        CLEANUP(mem)
        char *from = xasprintf("%s/%s", spec->disk_dir, rootfs_dirs[i].name);
        CLEANUP(mem) char *to = xasprintf("%s/%s", root, rootfs_dirs[i].inside);

        if (!rootfs_dirs[i].by_runtime && mounts_bind(from, to, false, err) < 0)
            return -1;
    }
    if (bind_below(root, spec->agent, ".berth/agent", err) < 0)
        return -1;
    for (size_t i = 0; i < env->sources.count; i++)
        if (bind_below(root, env->sources.items[i], env->targets.items[i],
                       err) < 0)
            return -1;
    for (size_t i = 0; spec->binds && i + 1 < spec->binds->count; i += 2)
        if (bind_below(root, spec->binds->items[i], spec->binds->items[i + 1],
                       err) < 0)
            return -1;
    return 0;
}

int rootfs_build(const struct rootfs_spec *spec, char **out_root,
                 struct err *err)
{
    bool host = strcmp(spec->image, "host") == 0;
    CLEANUP(mem) char *skel = xasprintf("%s/skel", spec->run_dir);
    CLEANUP(mem)
    char *root = host ? xstrdup(skel) : xasprintf("%s/root", spec->run_dir);
    CLEANUP(mem) char *empty = xasprintf("%s/empty", spec->run_dir);
    CLEANUP(hostenv) struct hostenv env = {0};
    CLEANUP(fd) int image = -1;

    if (spec->mounted) {
        if (image_open_own(spec->mounted, spec->image, &image, err) < 0)
            return -1;
    } else if (!host &&
               image_open(spec->image, spec->state_dir, &image, err) < 0) {
        return -1;
    }
    hostenv_fill(spec->image, spec->network, &env);
    if (make_skeleton(spec, skel, image, &env, err) < 0)
        return -1;
    if (host ? rootfs_add_host(skel, err) < 0
             : mount_overlay(skel, image, root, spec->image, err) < 0)
        return -1;
    if (bind_all(spec, root, &env, err) < 0)
        return -1;
    if (host && (file_write(empty, "", 0, 0444, err) < 0 ||
                 rootfs_mask_secrets(root, empty, err) < 0))
        return -1;
    *out_root = STEAL(root);
    return 0;
}
