/* worker/sandbox/rootfs.c - the tree that a sandbox sees as its root. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/rootfs.h"

#include "base/fd.h"
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

#define ETC_MAX ((size_t)1 << 20)

/* Directories that are ours in every image; parents first. */
static const char *const own_dirs[] = {
    "dev", "proc",    "tmp",      "run",        "run/berth",
    "var", "var/tmp", "home",     "home/berth", "workspace",
    "etc", ".berth",  ".berth/ca"};

/* Where the disk's other directories appear. */
static const struct {
    const char *name, *inside;
} disk_dirs[] = {{"tmp", "tmp"}, {"vartmp", "var/tmp"}};

const struct rootfs_live rootfs_live[ROOTFS_LIVE] = {
    {SANDBOX_LATE, "late", true},
    {"/workspace", "disk/workspace", false},
    {SANDBOX_HOME, "disk/home", false}};

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
    static const char *const taken[] = {"/usr",  "/etc",   "/bin",   "/sbin",
                                        "/lib",  "/lib32", "/lib64", "/libx32",
                                        "/proc", "/dev",   "/sys",   "/.berth"};
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

/* ---- files in /etc ---------------------------------------------------- */

static int put(const char *skel, const char *name, const char *text,
               struct err *err)
{
    CLEANUP(mem) char *path = xasprintf("%s/etc/%s", skel, name);

    return file_write(path, text, strlen(text), 0644, err);
}

/* The image's own list, but for whoever has our name or number. */
static void add_others(int image, const char *name, struct strbuf *out)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_MAX(ETC_MAX);
    CLEANUP(fd) int fd = image_open_inside(image, name, O_RDONLY | O_NONBLOCK);
    struct stat st;
    struct err ignored;
    char *save = NULL;

    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
        fd_read_all(fd, &text, &ignored) < 0)
        return;
    for (char *line = strtok_r(text.data, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        const char *second = strchr(line, ':');
        const char *id = second ? strchr(second + 1, ':') : NULL;

        if (id && strncmp(line, "berth:", 6) != 0 &&
            strncmp(id, ":1000:", 6) != 0)
            strbuf_addf(out, "%s\n", line);
    }
}

static int put_users(const char *skel, int image, struct err *err)
{
    CLEANUP(strbuf) struct strbuf passwd = STRBUF_MAX(ETC_MAX);
    CLEANUP(strbuf) struct strbuf group = STRBUF_MAX(ETC_MAX);

    strbuf_adds(&passwd, "berth:x:1000:1000:berth:" SANDBOX_HOME ":/bin/sh\n");
    strbuf_adds(&group, "berth:x:1000:\n");
    if (image < 0) {
        strbuf_adds(&passwd, "root:x:0:0:root:/:/bin/sh\n"
                             "nobody:x:65534:65534:nobody:/:/bin/false\n");
        strbuf_adds(&group, "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n");
    } else {
        add_others(image, "etc/passwd", &passwd);
        add_others(image, "etc/group", &group);
    }
    if (put(skel, "passwd", passwd.data, err) < 0)
        return -1;
    return put(skel, "group", group.data, err);
}

static int put_etc(const char *skel, const struct rootfs_spec *spec, int image,
                   struct err *err)
{
    bool full = spec->network == SANDBOX_NETWORK_FULL;

    if (put_users(skel, image, err) < 0 ||
        put(skel, "hostname", "berth\n", err) < 0 ||
        put(skel, "hosts",
            "127.0.0.1 localhost berth\n::1 localhost ip6-localhost\n",
            err) < 0 ||
        put(skel, "nsswitch.conf",
            "passwd: files\ngroup: files\nhosts: files dns\n"
            "services: files\nprotocols: files\n",
            err) < 0)
        return -1;
    /* slirp4netns answers names there. */
    return put(skel, "resolv.conf",
               full ? "nameserver 10.0.2.3\noptions timeout:5\n" : "", err);
}

static int touch(const char *path, struct err *err)
{
    CLEANUP(fd) int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);

    if (fd < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot create '%s'", path);
    return 0;
}

/* A place to mount `source` on: a directory or an empty file. */
static int make_target(const char *source, const char *target, struct err *err)
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

/* Binds below a directory of the disk get their place there. */
static char *target_of(const struct rootfs_spec *spec, const char *skel,
                       const char *inside)
{
    for (size_t i = 0; i < ARRAY_LEN(disk_dirs); i++) {
        size_t len = strlen(disk_dirs[i].inside);

        if (strncmp(inside + 1, disk_dirs[i].inside, len) == 0 &&
            inside[1 + len] == '/')
            return xasprintf("%s/%s%s", spec->disk_dir, disk_dirs[i].name,
                             inside + 1 + len);
    }
    return xasprintf("%s%s", skel, inside);
}

static int make_skeleton(const struct rootfs_spec *spec, const char *skel,
                         int image, const struct hostenv *env, struct err *err)
{
    CLEANUP(mem) char *agent = xasprintf("%s/.berth/agent", skel);

    if (dir_make(skel, 0755, err) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(own_dirs); i++) {
        CLEANUP(mem) char *dir = xasprintf("%s/%s", skel, own_dirs[i]);

        if (mkdir(dir, 0755) < 0)
            return err_sys(err, ERR_TRANSIENT, "cannot create '%s'", dir);
    }
    if (put_etc(skel, spec, image, err) < 0 || touch(agent, err) < 0)
        return -1;
    for (size_t i = 0; i < env->sources.count; i++) {
        CLEANUP(mem) char *to = xasprintf("%s%s", skel, env->targets.items[i]);

        if (make_target(env->sources.items[i], to, err) < 0)
            return -1;
    }
    for (size_t i = 0; spec->binds && i + 1 < spec->binds->count; i += 2) {
        CLEANUP(mem)
        char *to = target_of(spec, skel, spec->binds->items[i + 1]);

        if (make_target(spec->binds->items[i], to, err) < 0)
            return -1;
    }
    return 0;
}

/* ---- what comes late -------------------------------------------------- */

int rootfs_make_late(const char *run_dir, struct err *err)
{
    CLEANUP(mem) char *late = xasprintf("%s/late", run_dir);

    if (mkdir(late, 0755) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot create '%s'", late);
    return mounts_bind(late, late, false, err) < 0 ? -1
                                                   : mounts_share(late, err);
}

static const struct rootfs_live *live_of(const char *inside)
{
    for (size_t i = 0; i < ROOTFS_LIVE; i++) {
        size_t len = strlen(rootfs_live[i].inside);

        if (strncmp(inside, rootfs_live[i].inside, len) == 0 &&
            inside[len] == '/')
            return &rootfs_live[i];
    }
    return NULL;
}

bool rootfs_is_late(const char *inside)
{
    return live_of(inside) != NULL;
}

int rootfs_bind_late(const char *run_dir, const char *host_path,
                     const char *inside, struct err *err)
{
    const struct rootfs_live *live = live_of(inside);
    CLEANUP(mem)
    char *target =
        xasprintf("%s/%s%s", run_dir, live->dir, inside + strlen(live->inside));

    if (make_target(host_path, target, err) < 0)
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
                      bool readonly, struct err *err)
{
    CLEANUP(mem)
    char *target =
        xasprintf("%s%s%s", root, inside[0] == '/' ? "" : "/", inside);

    return mounts_bind(source, target, readonly, err);
}

static int bind_all(const struct rootfs_spec *spec, const char *root,
                    const struct hostenv *env, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(disk_dirs); i++) {
        CLEANUP(mem)
        char *from = xasprintf("%s/%s", spec->disk_dir, disk_dirs[i].name);

        if (bind_below(root, from, disk_dirs[i].inside, false, err) < 0)
            return -1;
    }
    if (bind_below(root, spec->agent, ".berth/agent", true, err) < 0)
        return -1;
    for (size_t i = 0; i < env->sources.count; i++)
        if (bind_below(root, env->sources.items[i], env->targets.items[i], true,
                       err) < 0)
            return -1;
    for (size_t i = 0; spec->binds && i + 1 < spec->binds->count; i += 2)
        if (bind_below(root, spec->binds->items[i], spec->binds->items[i + 1],
                       true, err) < 0)
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

    if (!host && image_open(spec->image, spec->state_dir, &image, err) < 0)
        return -1;
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
