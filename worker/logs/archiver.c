/* worker/logs/archiver.c - brings logs into a store, beside a loop. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/logs/archiver.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/helper.h"
#include "base/log.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <unistd.h>

#define PUTS_AT_ONCE 4
#define PUTS_MAX     1024
#define PUT_MAX_MS   300000 /* of 80 MiB: a quarter MiB a second will do */
#define AGAIN_MS     1000   /* twice as long each time, up to */
#define AGAIN_MAX_MS 60000
#define ASIDE_MAX_MS ((int64_t)7 * 24 * 3600 * 1000)
#define MAX_OUTPUT   ((size_t)16 << 10)

struct put {
    TAILQ_ENTRY(put) link;
    struct archiver *archiver; /* borrowed */
    char *path, *id;           /* owned */
    uint64_t epoch;
    archiver_fn *fn; /* NULL: nobody is told */
    void *arg;
    struct helper *helper;    /* owned; NULL: it does not run */
    struct loop_source *tell; /* borrowed; NULL: it is not over */
    struct err err;           /* of what is over; ERR_NONE: it is there */
    bool again;               /* it was set aside before */
};

struct archiver {
    struct loop *loop;       /* borrowed */
    struct log_store *store; /* borrowed */
    TAILQ_HEAD(, put) puts;  /* the oldest first */
    size_t count, running;
    char *aside_dir;           /* owned */
    bool away;                 /* it took nothing of late: a far store */
    int64_t again_ms;          /* the last pause before it is tried */
    struct loop_source *again; /* borrowed; when what is set aside is sent */
};

static void begin_some(struct archiver *a);
static void send_again(void *arg);

struct archiver *archiver_new(struct loop *loop, struct log_store *store,
                              const char *aside_dir)
{
    struct archiver *a = xcalloc(1, sizeof(*a));

    a->loop = loop;
    a->store = store;
    a->aside_dir = xstrdup(aside_dir);
    TAILQ_INIT(&a->puts);
    if (store->driver->is_far)
        a->again = loop_add_timer(loop, clock_mono_ms(), send_again, a);
    return a;
}

/* ---- the process --------------------------------------------------------- */

static int start(struct archiver *a, const char *const *argv,
                 int64_t timeout_ms, helper_fn *fn, void *arg,
                 struct helper **out, struct err *err)
{
    const char *name = a->store->driver->program;
    const struct helper_spec spec = {.name = name,
                                     .proc = {.argv = argv,
                                              .in = PROC_NULL,
                                              .err = PROC_INHERIT,
                                              .new_group = true},
                                     .max_output = MAX_OUTPUT,
                                     .timeout_ms = timeout_ms};

    return helper_start(a->loop, &spec, fn, arg, out, err);
}

/* Its last line is the reason. */
static void judge(const struct archiver *a, int status, struct strbuf *output,
                  const struct err *ended, struct err *err)
{
    const char *line;

    if (ended) {
        *err = *ended;
        return;
    }
    if (status == 0)
        return;
    while (output->len && output->data[output->len - 1] == '\n')
        strbuf_cut(output, output->len - 1);
    line = strrchr(output->data, '\n');
    line = line ? line + 1 : output->data;
    (void)err_set(err, ERR_TRANSIENT, "%s exited with %d%s%.800s",
                  a->store->driver->program, status, *line ? ": " : "", line);
}

/* ---- putting ------------------------------------------------------------- */

/* Whoever reads it has it open, or has its place looked up by its name. */
static void set_aside(const struct put *put)
{
    const struct archiver *a = put->archiver;
    const char *name = strrchr(put->path, '/');
    CLEANUP(mem) char *to = xasprintf("%s%s", a->aside_dir, name ? name : "");
    struct err err;

    if (!name || !log_file_is_name(name + 1))
        return;
    if (dir_make(a->aside_dir, 0700, &err) < 0)
        log_warn("job %s: %s", put->id, err.msg);
    else if (rename(put->path, to) < 0)
        log_warn("job %s: its log stays in the spool", put->id);
}

static void send_soon(struct archiver *a, int64_t wait_ms)
{
    loop_remove(a->again);
    a->again =
        loop_add_timer(a->loop, clock_mono_ms() + wait_ms, send_again, a);
}

/* What the end of a put says of a far store. */
static void note(struct archiver *a, const struct put *put, bool failed)
{
    if (failed && !put->again)
        set_aside(put);
    if (failed != a->away && failed)
        log_warn("logs are set aside: %s", put->err.msg);
    else if (failed != a->away)
        log_info("the log store takes logs again");
    if (failed && !a->away)
        send_soon(a, a->again_ms = AGAIN_MS);
    else if (failed && put->again)
        send_soon(a, a->again_ms = a->again_ms < AGAIN_MAX_MS / 2
                                       ? a->again_ms * 2
                                       : AGAIN_MAX_MS);
    else if (!failed && (put->again || a->away))
        send_soon(a, 0);
    a->away = failed;
}

/* It is in no list when its owner hears of it. */
static void settle(struct put *put)
{
    struct archiver *a = put->archiver;
    bool failed = put->err.kind != ERR_NONE;
    CLEANUP(mem) char *name = NULL;

    TAILQ_REMOVE(&a->puts, put, link);
    a->count--;
    if (a->store->driver->is_far)
        note(a, put, failed);
    if (!failed)
        name = log_store_name(a->store, put->id, put->epoch);
    if (put->fn)
        put->fn(put->arg, name, failed ? &put->err : NULL);
    else if (failed && !a->store->driver->is_far)
        log_warn("job %s: its log stays in the spool: %s", put->id,
                 put->err.msg);
    free(put->path);
    free(put->id);
    free(put);
}

static void on_tell(void *arg)
{
    struct put *put = arg;

    put->tell = NULL;
    settle(put);
}

/* It is told in the next turn: not from inside of archiver_put(). */
static void end(struct put *put)
{
    put->tell = loop_add_timer(put->archiver->loop, 0, on_tell, put);
}

static void on_put(void *arg, int status, struct strbuf *output,
                   const struct err *ended)
{
    struct put *put = arg;

    judge(put->archiver, status, output, ended, &put->err);
    helper_free(STEAL(put->helper));
    put->archiver->running--;
    end(put);
    begin_some(put->archiver);
}

static void begin(struct put *put)
{
    struct archiver *a = put->archiver;
    CLEANUP(mem) char *program = proc_libexec(a->store->driver->program);
    CLEANUP(mem) char *epoch = xasprintf("%" PRIu64, put->epoch);
    const char *const argv[] = {program,   "put",   log_store_address(a->store),
                                put->path, put->id, epoch,
                                NULL};

    if (start(a, argv, PUT_MAX_MS, on_put, put, &put->helper, &put->err) == 0)
        a->running++;
    else
        end(put);
}

static void begin_some(struct archiver *a)
{
    struct put *put;

    TAILQ_FOREACH (put, &a->puts, link)
        if (a->running < PUTS_AT_ONCE && !put->helper && !put->tell)
            begin(put);
}

static struct put *add(struct archiver *a, const char *path, const char *id,
                       uint64_t epoch)
{
    struct put *put = xcalloc(1, sizeof(*put));

    put->archiver = a;
    put->path = xstrdup(path);
    put->id = xstrdup(id);
    put->epoch = epoch;
    TAILQ_INSERT_TAIL(&a->puts, put, link);
    a->count++;
    return put;
}

void archiver_put(struct archiver *a, const char *path, const char *id,
                  uint64_t epoch, archiver_fn *fn, void *arg)
{
    struct put *put = add(a, path, id, epoch);
    int rc;

    put->fn = fn;
    put->arg = arg;
    rc = log_store_move(a->store, path, id, epoch, &put->err);
    if (rc > 0 && a->away)
        rc = err_set(&put->err, ERR_TRANSIENT, "the log store is away");
    if (rc > 0 && a->count > PUTS_MAX)
        rc = err_set(&put->err, ERR_TRANSIENT,
                     "%d logs wait for the log store already", PUTS_MAX);
    if (rc > 0)
        begin_some(a);
    else
        end(put);
}

void archiver_redirect(struct archiver *a, const void *arg, archiver_fn *fn,
                       void *new_arg)
{
    struct put *put;

    TAILQ_FOREACH (put, &a->puts, link) {
        if (put->arg != arg)
            continue;
        put->fn = fn;
        put->arg = new_arg;
    }
}

/* ---- what was set aside -------------------------------------------------- */

static bool is_too_old(int dir, const char *name)
{
    struct stat st;

    return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           clock_wall_ms() - (int64_t)st.st_mtim.tv_sec * 1000 > ASIDE_MAX_MS;
}

static void send_file(struct archiver *a, const char *name)
{
    const char *dash = strrchr(name, '-');
    CLEANUP(mem) char *path = xasprintf("%s/%s", a->aside_dir, name);
    CLEANUP(mem) char *id = xstrndup(name, (size_t)(dash - name));
    struct put *put = add(a, path, id, strtoull(dash + 1, NULL, 10));

    put->again = true;
    begin_some(a);
}

/* One, whichever; when it is taken the next one follows. */
static void send_again(void *arg)
{
    struct archiver *a = arg;
    DIR *dir = opendir(a->aside_dir);
    const struct dirent *entry = NULL;

    a->again = NULL;
    while (dir && (entry = readdir(dir))) {
        if (!log_file_is_name(entry->d_name))
            continue;
        if (!is_too_old(dirfd(dir), entry->d_name))
            break;
        log_warn("the log '%s' is too old: it is given up", entry->d_name);
        (void)unlinkat(dirfd(dir), entry->d_name, 0);
    }
    if (entry)
        send_file(a, entry->d_name);
    else if (a->away)
        a->away = false; /* there is none to try it with: the next job's */
    if (dir)
        (void)closedir(dir);
}

/* ---- the end ------------------------------------------------------------- */

void archiver_free(struct archiver *a)
{
    struct put *put;

    if (!a)
        return;
    while ((put = TAILQ_FIRST(&a->puts))) {
        bool is_over = put->tell != NULL;

        loop_remove(STEAL(put->tell));
        helper_free(STEAL(put->helper));
        if (!is_over && a->store->driver->is_far)
            (void)err_set(&put->err, ERR_TRANSIENT, "the worker ends");
        else if (!is_over && log_store_put(a->store, put->path, put->id,
                                           put->epoch, &put->err) == 0)
            put->err.kind = ERR_NONE;
        settle(put);
    }
    loop_remove(a->again);
    free(a->aside_dir);
    free(a);
}
