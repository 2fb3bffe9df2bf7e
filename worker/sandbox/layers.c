/* worker/sandbox/layers.c - a directory of a sandbox, as a stack of others. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/layers.h"

#include "base/fd.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_LAYERS  64 /* descriptors, and bytes of the mount's options */
#define OPTIONS_MAX ((size_t)4000)

struct layers {
    char *target; /* owned, as the other strings */
    char *store;  /* <disk>/layers/<name>: the directories that take writing */
    char *upper;  /* the one that takes it now; NULL: none does */
    long owner;
    unsigned pushed;
    unsigned mounted; /* how often */
    bool shown;
    int lowers[MAX_LAYERS]; /* the topmost last */
    size_t count;
    size_t frozen; /* which of them; before a push it is not there */
};

struct layers *layers_new(const char *disk, const char *name, long owner)
{
    struct layers *layers = xcalloc(1, sizeof(*layers));

    layers->target = xasprintf("%s/%s", disk, name);
    layers->store = xasprintf("%s/layers/%s", disk, name);
    layers->owner = owner;
    return layers;
}

static void drop_to(struct layers *layers, size_t count)
{
    while (layers->count > count)
        fd_close(&layers->lowers[--layers->count]);
}

void layers_free(struct layers *layers)
{
    if (!layers)
        return;
    drop_to(layers, 0);
    free(layers->target);
    free(layers->store);
    free(layers->upper);
    free(layers);
}

static int add(struct layers *layers, const char *dir, struct err *err)
{
    int fd;

    if (layers->count == MAX_LAYERS)
        return err_set(err, ERR_TRANSIENT, "more than %d layers in '%s'",
                       MAX_LAYERS, layers->target);
    fd = open(dir, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot use layer '%s'", dir);
    layers->lowers[layers->count++] = fd;
    return 0;
}

void layers_hide(struct layers *layers)
{
    if (layers->shown)
        (void)umount2(layers->target, MNT_DETACH | UMOUNT_NOFOLLOW);
    layers->shown = false;
}

static int make_dir(const char *dir, mode_t mode, long owner, struct err *err)
{
    if (dir_make(dir, mode, err) < 0)
        return -1;
    if (owner >= 0 && chown(dir, (uid_t)owner, (gid_t)owner) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot give away '%s'", dir);
    return 0;
}

/* Lowers by descriptor: no character of a path means anything in the options.
 * What is written need not reach the disk: it is thrown away after a crash. */
static int mount_overlay(struct layers *layers, int upper, int work,
                         struct err *err)
{
    CLEANUP(strbuf) struct strbuf options = STRBUF_MAX(OPTIONS_MAX);

    strbuf_addf(&options,
                "redirect_dir=on,index=off,metacopy=off,volatile,upperdir="
                "/proc/self/fd/%d,workdir=/proc/self/fd/%d",
                upper, work);
    for (size_t i = layers->count; i > 0; i--)
        strbuf_addf(&options, "%s/proc/self/fd/%d",
                    i == layers->count ? ",lowerdir=" : ":",
                    layers->lowers[i - 1]);
    if (options.truncated || mount("overlay", layers->target, "overlay",
                                   MS_NOSUID | MS_NODEV, options.data) < 0)
        return err_sys(err, ERR_TRANSIENT,
                       "cannot mount layers at '%s' (is overlayfs there? "
                       "modprobe overlay)",
                       layers->target);
    layers->shown = true;
    return 0;
}

/* The work directory of a volatile overlay serves once. */
int layers_show(struct layers *layers, struct err *err)
{
    CLEANUP(mem)
    char *work_dir = xasprintf("%s.work.%u", layers->store, layers->mounted++);
    CLEANUP(fd) int upper = -1;
    CLEANUP(fd) int work = -1;

    if (!layers->upper || layers->shown)
        return 0;
    if (make_dir(work_dir, 0700, -1, err) < 0)
        return -1;
    upper = open(layers->upper, O_PATH | O_DIRECTORY | O_CLOEXEC);
    work = open(work_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (upper < 0 || work < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot open '%s'", layers->upper);
    return mount_overlay(layers, upper, work, err);
}

static int stack(struct layers *layers, const char *const *lowers, size_t count,
                 struct err *err)
{
    if (add(layers, layers->upper ? layers->upper : layers->target, err) < 0)
        return -1;
    for (size_t i = count; i > 0; i--)
        if (add(layers, lowers[i - 1], err) < 0)
            return -1;
    return 0;
}

static int push(struct layers *layers, const char *const *lowers, size_t count,
                struct err *err)
{
    CLEANUP(mem)
    char *upper = xasprintf("%s.%u", layers->store, layers->pushed++);
    char *old = layers->upper;

    if (stack(layers, lowers, count, err) < 0 ||
        make_dir(upper, 0755, layers->owner, err) < 0)
        return -1;
    layers->upper = upper;
    if (layers_show(layers, err) < 0) {
        layers->upper = old;
        return -1;
    }
    free(old);
    upper = NULL;
    return 0;
}

int layers_push(struct layers *layers, const char *const *lowers, size_t count,
                struct err *err)
{
    size_t before = layers->count;
    struct err again;

    layers_hide(layers);
    if (push(layers, lowers, count, err) == 0) {
        layers->frozen = before;
        return 0;
    }
    drop_to(layers, before);
    if (layers_show(layers, &again) < 0)
        return err_wrap(err, "%.300s", again.msg);
    return -1;
}

int layers_frozen(const struct layers *layers)
{
    return layers->count ? layers->lowers[layers->frozen] : -1;
}

int layers_clear(struct layers *layers, struct err *err)
{
    layers_hide(layers);
    drop_to(layers, 0);
    free(STEAL(layers->upper));
    for (unsigned i = 0; i < layers->pushed; i++) {
        CLEANUP(mem) char *upper = xasprintf("%s.%u", layers->store, i);

        if (tree_remove(upper, err) < 0)
            return -1;
    }
    return 0;
}
