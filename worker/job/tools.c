/* worker/job/tools.c - programs of the worker's that ask a model, inside. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/job/tools.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/state.h"
#include "worker/sandbox/mounts.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VIEW            "tools-view"
#define VIEW_BYTES      ((uint64_t)64 << 20) /* the shim, with all of a debug */
#define VIEW_INODES     64
#define DESCRIPTION_MAX 4096
#define NAME_LETTERS                                                           \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-"

bool tools_wanted(const struct pipeline *pipeline)
{
    for (size_t i = 0; i < pipeline->step_count; i++)
        if (pipeline->steps[i].model.name)
            return true;
    return false;
}

/* ---- what is installed --------------------------------------------------- */

/* {"version", "dialect", "dir"}; NULL: nothing. The caller's. */
static json_t *description(void)
{
    CLEANUP(mem) char *dir = NULL;
    CLEANUP(mem) char *path = NULL;
    CLEANUP(strbuf) struct strbuf text = STRBUF_MAX(DESCRIPTION_MAX);
    struct err err;
    json_t *doc;
    const char *name;

    if (state_dir(&dir, &err) < 0)
        return NULL;
    path = xasprintf("%s/%s/%s", dir, TOOLS_DIR, TOOLS_DESCRIPTION);
    if (access(path, F_OK) < 0 ||
        file_read(path, DESCRIPTION_MAX, &text, &err) < 0)
        return NULL;
    doc = json_loadb(text.data, text.len, 0, NULL);
    name = json_string_value(json_object_get(doc, "dir"));
    if (name && *name && *name != '.' && !name[strspn(name, NAME_LETTERS)])
        return doc;
    json_decref(doc);
    log_warn("'%s' is no description of an opencode", path);
    return NULL;
}

/* ---- binding ------------------------------------------------------------- */

static int copy_shim(const char *view, struct err *err)
{
    CLEANUP(mem) char *program = proc_libexec("opencode");
    CLEANUP(mem) char *shim = xasprintf("%s/opencode", view);
    CLEANUP(mem) char *review = xasprintf("%s/berth-review", view);
    CLEANUP(fd) int from = open(program, O_RDONLY | O_CLOEXEC);
    CLEANUP(fd)
    int to = open(shim, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);

    if (from < 0 || to < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot copy '%s'", program);
    if (fd_copy(from, to, err) < 0)
        return -1;
    /* Whatever our umask is. */
    if (fchmod(to, 0755) < 0 || symlink("opencode", review) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot make '%s'", review);
    return 0;
}

static int bind_file(const char *dir, const char *view, const char *name,
                     struct err *err)
{
    CLEANUP(mem) char *from = xasprintf("%s/%s", dir, name);
    CLEANUP(mem) char *to = xasprintf("%s/%s", view, name);
    CLEANUP(fd) int fd = -1;
    struct stat st;

    if (stat(from, &st) < 0 || !S_ISREG(st.st_mode))
        return 0; /* the image may have one */
    fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
    if (fd < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot make '%s'", to);
    return mounts_bind(from, to, true, err);
}

static int bind_installed(const char *view, struct err *err)
{
    static const char *const names[] = {TOOLS_PROGRAM, "rg"};
    json_t *found = description();
    CLEANUP(mem) char *state = NULL;
    CLEANUP(mem) char *dir = NULL;
    int rc = 0;

    if (!found)
        return 0;
    rc = state_dir(&state, err);
    if (rc == 0)
        dir = xasprintf("%s/%s/%s", state, TOOLS_DIR,
                        json_string_value(json_object_get(found, "dir")));
    json_decref(found);
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(names); i++)
        rc = bind_file(dir, view, names[i], err);
    return rc;
}

int tools_bind(const struct job_start *start,
               const struct sandbox_driver *driver, struct sandbox *sandbox,
               struct err *err)
{
    CLEANUP(mem) char *view = NULL;

    if (!tools_wanted(start->pipeline))
        return 0;
    if (state_subdir(VIEW, 0755, &view, err) < 0 ||
        mounts_tmpfs(view, VIEW_BYTES, VIEW_INODES, 0755, err) < 0 ||
        copy_shim(view, err) < 0 || bind_installed(view, err) < 0)
        return -1;
    return driver->bind_readonly(sandbox, view, TOOLS_INSIDE, err);
}

/* ---- a step's environment ------------------------------------------------ */

static void set_dialect(const struct step *step, struct strv *env)
{
    json_t *found;
    const char *installed;

    if (step->kind == STEP_OPENCODE &&
        strcmp(step->opencode.dialect, "auto") != 0) {
        strv_setenv(env, "BERTH_OPENCODE_DIALECT", step->opencode.dialect);
        return;
    }
    if (strv_getenv(env, "BERTH_OPENCODE_DIALECT"))
        return;
    found = description();
    installed = json_string_value(json_object_get(found, "dialect"));
    if (installed)
        strv_setenv(env, "BERTH_OPENCODE_DIALECT", installed);
    json_decref(found);
}

void tools_env(const struct job_start *start, size_t index, struct strv *env)
{
    const char *path = strv_getenv(env, "PATH");
    CLEANUP(mem) char *with = NULL;

    if (!tools_wanted(start->pipeline))
        return;
    with = xasprintf("%s:%s", TOOLS_INSIDE,
                     path && *path ? path : "/usr/local/bin:/usr/bin:/bin");
    strv_setenv(env, "PATH", with);
    set_dialect(&start->pipeline->steps[index], env);
}
