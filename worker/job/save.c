/* worker/job/save.c - put into the cache what a step made, beside the job. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/job/save.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/units.h"
#include "worker/cache/helper.h"
#include "worker/cache/verified.h"

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
    char *label;  /* owned; NULL: of an install */
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
    free(save->label);
    free(save);
}

static struct save *save_new(struct cache *cache, json_t *meta,
                             const struct cache_name *name)
{
    struct save *save = xcalloc(1, sizeof(*save));

    save->cache = cache;
    save->meta = meta;
    save->out = -1;
    save->kind = xstrdup(name->kind);
    save->scope = xstrdup(name->scope);
    save->key = xstrdup(name->key);
    save->stage = (struct cache_entry)CACHE_ENTRY_INIT;
    return save;
}

static int spawn(struct save *save, const char *const *argv,
                 const struct proc_fd *fds, size_t fd_count, struct err *err)
{
    struct proc_spec proc = {.argv = argv,
                             .in = PROC_NULL,
                             .err = PROC_INHERIT,
                             .fds = fds,
                             .fd_count = fd_count};
    int pipe[2] = {-1, -1};
    int rc;

    if (fd_pipe(pipe, err) < 0)
        return -1;
    proc.out = pipe[1];
    rc = proc_spawn(&proc, &save->pid, err);
    fd_close(&pipe[1]);
    save->out = pipe[0];
    return rc;
}

static int open_root(const struct save *save, int *out_fd, struct err *err)
{
    CLEANUP(mem) char *root = xasprintf("%s/" CACHE_ROOT, save->stage.path);

    if (dir_make(root, 0755, err) < 0)
        return -1;
    *out_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *out_fd < 0 ? err_sys(err, ERR_TRANSIENT, "cannot open '%s'", root)
                       : 0;
}

static int spawn_copy(struct save *save, const struct save_spec *spec,
                      struct err *err)
{
    CLEANUP(mem) char *program = proc_libexec("cache");
    CLEANUP(mem) char *uid = xasprintf("%u", spec->uid);
    CLEANUP(mem) char *most = xasprintf("%" PRIu64, spec->max_bytes);
    CLEANUP(fd) int target = -1;
    const char *const argv[] = {program, "save", uid, most, spec->dir, NULL};
    struct proc_fd fds[] = {{spec->workspace, HELPER_WORKSPACE_FD},
                            {spec->home, HELPER_HOME_FD},
                            {-1, HELPER_TARGET_FD}};

    if (open_root(save, &target, err) < 0)
        return -1;
    fds[2].from = target;
    return spawn(save, argv, fds, ARRAY_LEN(fds), err);
}

int save_start(const struct save_spec *spec, struct save **out_save,
               struct err *err)
{
    struct save *save = save_new(spec->cache, spec->meta, &spec->name);

    if (cache_stage(save->cache, &save->stage, err) < 0 ||
        spawn_copy(save, spec, err) < 0) {
        save_free(save);
        return -1;
    }
    *out_save = save;
    return 0;
}

int save_start_made(const struct save_made *made, struct cache_entry *stage,
                    struct save **out_save, struct err *err)
{
    struct save *save = save_new(made->cache, made->meta, &made->name);
    CLEANUP(mem) char *program = proc_libexec("cache");
    CLEANUP(fd) int root = -1;
    const char *const argv[] = {program, "verify", "18446744073709551615",
                                NULL};
    struct proc_fd fd = {-1, HELPER_WORKSPACE_FD};
    int rc;

    save->label = xstrdup(made->label);
    save->stage = *stage;
    *stage = (struct cache_entry)CACHE_ENTRY_INIT;
    rc = open_root(save, &root, err);
    fd.from = root;
    if (rc < 0 || spawn(save, argv, &fd, 1, err) < 0) {
        save_free(save);
        return -1;
    }
    *out_save = save;
    return 0;
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

    if (verified_note(save->stage.path, err) < 0)
        return -1;
    return cache_publish(save->cache, &name, save->meta, &save->stage, err);
}

const char *save_why(const struct err *err)
{
    if (err->kind == ERR_USER)
        return err->msg;
    log_info("the cache: %s", err->msg);
    return "the worker's own log says why";
}

static void describe(const struct save *save, const struct err *failed,
                     struct strbuf *out)
{
    char size[SIZE_TEXT_SIZE];

    if (!save->label && failed && failed->kind == ERR_USER)
        strbuf_addf(out, "the install is not kept for others: %s", failed->msg);
    else if (save->label && failed)
        strbuf_addf(out, "cache: '%s' is not saved: %s", save->label,
                    save_why(failed));
    else if (save->label)
        strbuf_addf(out, "cache: saved '%s', %s, %lld files", save->label,
                    size_format((uint64_t)json_integer_value(
                                    json_object_get(save->meta, "bytes")),
                                size),
                    (long long)json_integer_value(
                        json_object_get(save->meta, "files")));
}

int save_finish(struct save *save, int64_t timeout_ms, struct strbuf *out_note,
                struct err *err)
{
    int status = 0;
    int rc = proc_wait(save->pid, timeout_ms, &status, err);

    if (rc == 0 && !WIFEXITED(status))
        rc = err_set(err, ERR_TRANSIENT, "the program cache was killed");
    if (rc == 0)
        rc = take_answer(save, err);
    if (rc == 0)
        rc = publish(save, err);
    describe(save, rc < 0 ? err : NULL, out_note);
    save_free(save);
    return rc;
}
