/* worker/sandbox/dirs.c - what a sandbox can write: directories of its disk. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/dirs.h"

#include "base/fd.h"
#include "worker/sandbox/layers.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    const char *name;
    mode_t mode;
} all[] = {
    {"workspace", 0755}, {"home", 0755}, {"tmp", 01777}, {"vartmp", 01777}};

static const char *const layered_names[SANDBOX_DIRS] = {
    [SANDBOX_WORKSPACE] = "workspace", [SANDBOX_HOME] = "home"};

struct dirs {
    char *disk; /* owned */
    unsigned uid;
    struct layers *layers[SANDBOX_DIRS]; /* owned; NULL: there are none */
};

static int make_one(const char *path, mode_t mode, unsigned uid,
                    struct err *err)
{
    if (dir_make(path, mode, err) < 0 || chmod(path, mode) < 0 ||
        (uid != geteuid() && chown(path, uid, uid) < 0))
        return err_sys(err, ERR_TRANSIENT, "cannot create '%s'", path);
    return 0;
}

int dirs_make(const char *disk, unsigned uid, bool layered,
              struct dirs **out_dirs, struct err *err)
{
    CLEANUP(dirs) struct dirs *dirs = xcalloc(1, sizeof(*dirs));

    dirs->disk = xstrdup(disk);
    dirs->uid = uid;
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        CLEANUP(mem) char *path = xasprintf("%s/%s", disk, all[i].name);

        if (make_one(path, all[i].mode, uid, err) < 0)
            return -1;
    }
    for (size_t i = 0; layered && i < SANDBOX_DIRS; i++)
        dirs->layers[i] = layers_new(disk, layered_names[i], uid);
    *out_dirs = STEAL(dirs);
    return 0;
}

void dirs_free(struct dirs *dirs)
{
    if (!dirs)
        return;
    for (size_t i = 0; i < SANDBOX_DIRS; i++)
        layers_free(dirs->layers[i]);
    free(dirs->disk);
    free(dirs);
}

int dirs_push(struct dirs *dirs, enum sandbox_dir dir,
              const char *const *lowers, size_t count, struct err *err)
{
    if (!dirs->layers[dir])
        return err_set(err, ERR_TRANSIENT, "this sandbox has no layers");
    return layers_push(dirs->layers[dir], lowers, count, err);
}

int dirs_frozen(const struct dirs *dirs, enum sandbox_dir dir)
{
    return dirs->layers[dir] ? layers_frozen(dirs->layers[dir]) : -1;
}

int dirs_clear(struct dirs *dirs, enum sandbox_dir dir, struct err *err)
{
    CLEANUP(mem)
    char *path = xasprintf("%s/%s", dirs->disk, layered_names[dir]);

    if (dirs->layers[dir] && layers_clear(dirs->layers[dir], err) < 0)
        return -1;
    /* It may be bound already: only its entries go. */
    if (tree_empty(path, err) < 0)
        return -1;
    return make_one(path, 0755, dirs->uid, err);
}

void dirs_hide(struct dirs *dirs)
{
    for (size_t i = 0; i < SANDBOX_DIRS; i++)
        if (dirs->layers[i])
            layers_hide(dirs->layers[i]);
}

int dirs_show(struct dirs *dirs, struct err *err)
{
    for (size_t i = 0; i < SANDBOX_DIRS; i++)
        if (dirs->layers[i] && layers_show(dirs->layers[i], err) < 0)
            return -1;
    return 0;
}
