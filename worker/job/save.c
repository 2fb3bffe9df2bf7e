/* worker/job/save.c - put into the cache what a step made, beside the job. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/job/save.h"

#include "base/fd.h"
#include "base/proc.h"
#include "worker/cache/boot.h"
#include "worker/cache/helper.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct save {
    struct cache *cache; /* borrowed */
    char *kind;          /* owned, as the others */
    char *scope;
    char *key;
    json_t *meta; /* owned */
    struct cache_entry stage;
    pid_t pid;
    int out;
};

static void save_free(struct save *save)
{
    cache_drop(save->cache, &save->stage);
    json_decref(save->meta);
    fd_close(&save->out);
    free(save->kind);
    free(save->scope);
    free(save->key);
    free(save);
}

static int spawn(struct save *save, const struct save_spec *spec, int target,
                 struct err *err)
{
    CLEANUP(mem) char *program = proc_libexec("cache");
    CLEANUP(mem) char *uid = xasprintf("%u", spec->uid);
    CLEANUP(mem) char *most = xasprintf("%" PRIu64, spec->max_bytes);
    const char *const argv[] = {program, "save", uid, most, spec->dir, NULL};
    const struct proc_fd fds[] = {{spec->workspace, HELPER_WORKSPACE_FD},
                                  {spec->home, HELPER_HOME_FD},
                                  {target, HELPER_TARGET_FD}};
    struct proc_spec proc = {.argv = argv,
                             .in = PROC_NULL,
                             .err = PROC_INHERIT,
                             .fds = fds,
                             .fd_count = ARRAY_LEN(fds)};
    int pipe[2];
    int rc;

    if (fd_pipe(pipe, err) < 0)
        return -1;
    proc.out = pipe[1];
    rc = proc_spawn(&proc, &save->pid, err);
    fd_close(&pipe[1]);
    save->out = pipe[0];
    return rc;
}

int save_start(const struct save_spec *spec, struct save **out_save,
               struct err *err)
{
    struct save *save = xcalloc(1, sizeof(*save));
    CLEANUP(mem) char *root = NULL;
    CLEANUP(fd) int target = -1;

    save->cache = spec->cache;
    save->meta = spec->meta;
    save->out = -1;
    save->kind = xstrdup(spec->name.kind);
    save->scope = xstrdup(spec->name.scope);
    save->key = xstrdup(spec->name.key);
    save->stage = (struct cache_entry)CACHE_ENTRY_INIT;
    if (cache_stage(save->cache, &save->stage, err) < 0)
        goto failed;
    root = xasprintf("%s/root", save->stage.path);
    if (dir_make(root, 0755, err) < 0)
        goto failed;
    target = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (target < 0) {
        (void)err_sys(err, ERR_TRANSIENT, "cannot open '%s'", root);
        goto failed;
    }
    if (spawn(save, spec, target, err) < 0)
        goto failed;
    *out_save = save;
    return 0;
failed:
    save_free(save);
    return -1;
}

/* The line of helper.h. */
static int take_answer(struct save *save, struct err *err)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_MAX(HELPER_LINE_MAX);
    const char *why;
    json_t *line;
    int rc = -1;

    if (fd_read_all(save->out, &text, err) < 0)
        return -1;
    line = json_loadb(text.data, text.len, 0, NULL);
    why = json_string_value(json_object_get(line, "error"));
    if (why)
        (void)err_set(err, ERR_USER, "%.900s", why);
    else if (!json_is_string(json_object_get(line, "digest")))
        (void)err_set(err, ERR_TRANSIENT, "the program cache said nothing");
    else
        rc = json_object_update(save->meta, line);
    json_decref(line);
    return rc;
}

/* What was read while it was written needs no reading again until a boot. */
static int publish(struct save *save, struct err *err)
{
    const struct cache_name name = {save->kind, save->scope, save->key};
    CLEANUP(mem) char *stamp = xasprintf("%s/verified", save->stage.path);

    if (file_write(stamp, boot_id(), strlen(boot_id()), 0600, err) < 0)
        return -1;
    return cache_publish(save->cache, &name, save->meta, &save->stage, err);
}

int save_finish(struct save *save, int64_t timeout_ms, struct err *err)
{
    int status = 0;
    int rc = proc_wait(save->pid, timeout_ms, &status, err);

    if (rc == 0 && !WIFEXITED(status))
        rc = err_set(err, ERR_TRANSIENT, "the program cache was killed");
    if (rc == 0)
        rc = take_answer(save, err);
    if (rc == 0)
        rc = publish(save, err);
    save_free(save);
    return rc;
}
