/* worker/sandbox/image.c - what may be a sandbox's image. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/image.h"

#include "base/fd.h"
#include "base/image_name.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#define LEVELS_MAX 4096
#define IMAGE_DIRS "BERTH_IMAGE_DIRS"

static int open_dir(int at, const char *path, uint64_t resolve)
{
    struct open_how how = {
        .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
        .resolve = resolve,
    };

    return (int)syscall(SYS_openat2, at, path, &how, sizeof(how));
}

int image_open_inside(int image, const char *path, int flags)
{
    struct open_how how = {
        .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
    };

    return (int)syscall(SYS_openat2, image, path, &how, sizeof(how));
}

static bool same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Whether `fd` is the directory `top` or lies below it. By identity, since a
 * path can be spelt, linked and bound in many ways; `doubt` if it can't be
 * told. */
static bool is_below(int fd, const struct stat *top, bool doubt)
{
    CLEANUP(fd) int at = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    struct stat here, last = {0};

    for (int i = 0; i < LEVELS_MAX; i++) {
        int up;

        if (fstat(at, &here) < 0)
            return doubt;
        if (same(&here, top))
            return true;
        if (i && same(&here, &last))
            return false;
        last = here;
        up = open_dir(at, "..", 0);
        fd_close(&at);
        at = up;
    }
    return doubt;
}

static bool is_below_path(int fd, const char *path, bool doubt)
{
    struct stat top;

    return stat(path, &top) == 0 && is_below(fd, &top, doubt);
}

static bool is_kernels(int fd)
{
    static const char *const tops[] = {"/proc", "/sys", "/dev"};
    static const unsigned long types[] = {
        PROC_SUPER_MAGIC, SYSFS_MAGIC, CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC,
        DEBUGFS_MAGIC,    NSFS_MAGIC,  DEVPTS_SUPER_MAGIC, TRACEFS_MAGIC};
    struct statfs fs;

    if (fstatfs(fd, &fs) < 0)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if ((unsigned long)fs.f_type == types[i])
            return true;
    for (size_t i = 0; i < ARRAY_LEN(tops); i++)
        if (is_below_path(fd, tops[i], true))
            return true;
    return false;
}

/* The mirrors of all repositories lie beside <state>/sandboxes. */
static bool touches_state(int fd, const char *state_dir)
{
    static const char last[] = "/sandboxes";
    CLEANUP(mem) char *top = xstrdup(state_dir);
    CLEANUP(fd) int state = -1;
    size_t len = strlen(top);
    struct stat st;

    if (len > sizeof(last) - 1 &&
        strcmp(top + len - (sizeof(last) - 1), last) == 0)
        top[len - (sizeof(last) - 1)] = '\0';
    state = open_dir(AT_FDCWD, top, 0);
    /* Not made yet: nothing to see, and it is looked at again later. */
    if (state < 0)
        return errno != ENOENT;
    return is_below_path(fd, top, true) || fstat(fd, &st) < 0 ||
           is_below(state, &st, true);
}

static bool is_allowed(int fd)
{
    const char *value = getenv(IMAGE_DIRS);
    CLEANUP(mem) char *dirs = value ? xstrdup(value) : NULL;
    char *save = NULL;

    if (!value)
        return true;
    for (char *dir = strtok_r(dirs, ":", &save); dir;
         dir = strtok_r(NULL, ":", &save))
        if (dir[0] == '/' && is_below_path(fd, dir, false))
            return true;
    return false;
}

/* /usr itself has a bin/sh too, but no usr. */
static bool is_rootfs(int image)
{
    CLEANUP(fd) int sh = image_open_inside(image, "bin/sh", O_PATH);
    CLEANUP(fd) int etc = image_open_inside(image, "etc", O_PATH | O_DIRECTORY);
    CLEANUP(fd) int usr = image_open_inside(image, "usr", O_PATH | O_DIRECTORY);

    return sh >= 0 && etc >= 0 && usr >= 0;
}

static int check(int fd, const char *image, const char *state_dir,
                 struct err *err)
{
    struct stat root, st;

    if (fstat(fd, &st) < 0 || stat("/", &root) < 0)
        return err_sys(err, ERR_USER, "image '%s'", image);
    if (same(&st, &root))
        return err_set(err, ERR_USER,
                       "image '%s' is the host itself: write 'host'", image);
    if (is_kernels(fd))
        return err_set(err, ERR_USER,
                       "image '%s' is a part of /proc, /sys or /dev", image);
    if (touches_state(fd, state_dir))
        return err_set(err, ERR_USER,
                       "image '%s' holds berth's own state, or lies in it",
                       image);
    if (!is_allowed(fd))
        return err_set(err, ERR_USER,
                       "image '%s' is not below a directory that this host "
                       "has images in (" IMAGE_DIRS ")",
                       image);
    return 0;
}

static int check_rootfs(int fd, const char *image, struct err *err)
{
    if (!is_rootfs(fd))
        return err_set(err, ERR_USER,
                       "image '%s' is no root file system: it needs bin/sh, "
                       "etc and usr",
                       image);
    return 0;
}

int image_open_directory(const char *image, const char *state_dir, int *out_fd,
                         struct err *err)
{
    CLEANUP(fd) int fd = -1;

    if (image[0] != '/')
        return err_set(err, ERR_USER,
                       "image '%s' is neither 'host' nor an absolute path",
                       image);
    fd = open_dir(AT_FDCWD, image, RESOLVE_NO_MAGICLINKS);
    if (fd < 0 && errno == ENOTDIR)
        return err_set(err, ERR_USER, "image '%s' is not a directory", image);
    if (fd < 0 && errno == ELOOP)
        return err_set(err, ERR_USER,
                       "image '%s' leads through a link of /proc", image);
    if (fd < 0)
        return err_sys(err, ERR_USER, "image '%s'", image);
    if (check(fd, image, state_dir, err) < 0)
        return -1;
    *out_fd = fd;
    fd = -1;
    return 0;
}

int image_open(const char *image, const char *state_dir, int *out_fd,
               struct err *err)
{
    CLEANUP(fd) int fd = -1;

    if (image_open_directory(image, state_dir, &fd, err) < 0 ||
        check_rootfs(fd, image, err) < 0)
        return -1;
    *out_fd = fd;
    fd = -1;
    return 0;
}

int image_open_own(const char *path, const char *image, int *out_fd,
                   struct err *err)
{
    CLEANUP(fd) int fd = open_dir(AT_FDCWD, path, RESOLVE_NO_SYMLINKS);

    if (fd < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot open '%s'", path);
    if (check_rootfs(fd, image, err) < 0)
        return -1;
    *out_fd = fd;
    fd = -1;
    return 0;
}

int image_check_name(const char *name, struct err *err)
{
    const char *value = getenv(REGISTRIES_VARIABLE);
    CLEANUP(mem) char *list = xstrdup(value && *value ? value : "docker.io");
    CLEANUP(mem) char *registry = NULL;
    char *save = NULL;

    if (!image_name_ok(name))
        return err_set(err, ERR_USER, "'%.260s' is no name of an image", name);
    registry = image_name_registry(name);
    for (char *word = strtok_r(list, ",", &save); word;
         word = strtok_r(NULL, ",", &save))
        if (strcmp(word, registry) == 0)
            return 0;
    return err_set(err, ERR_USER,
                   "images of '%s' are not taken on this host: they are if "
                   "worker.registries lists it (" REGISTRIES_VARIABLE ")",
                   registry);
}
