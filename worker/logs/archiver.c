/* worker/logs/archiver.c - brings logs into a store, beside a loop. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/logs/archiver.h"

#include "base/clock.h"
#include "base/helper.h"
#include "base/log.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define PUTS_AT_ONCE 4
#define PUTS_MAX     1024
#define PUT_MAX_MS   300000 /* of 80 MiB: a quarter MiB a second will do */
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
};

struct archiver {
    struct loop *loop;       /* borrowed */
    struct log_store *store; /* borrowed */
    TAILQ_HEAD(, put) puts;  /* the oldest first */
    size_t count, running;
};

static void begin_some(struct archiver *a);

struct archiver *archiver_new(struct loop *loop, struct log_store *store)
{
    struct archiver *a = xcalloc(1, sizeof(*a));

    a->loop = loop;
    a->store = store;
    TAILQ_INIT(&a->puts);
    return a;
}

/* ---- the process --------------------------------------------------------- */

static int start(struct archiver *a, const char *const *argv,
                 int64_t timeout_ms, helper_fn *fn, void *arg,
                 struct helper **out, struct err *err)
{
    const struct helper_spec spec = {.name = "log-store",
                                     .proc = {.argv = argv,
                                              .in = PROC_NULL,
                                              .err = PROC_INHERIT,
                                              .new_group = true},
                                     .max_output = MAX_OUTPUT,
                                     .timeout_ms = timeout_ms};

    return helper_start(a->loop, &spec, fn, arg, out, err);
}

/* Its last line is the reason. */
static void judge(int status, struct strbuf *output, const struct err *ended,
                  struct err *err)
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
    (void)err_set(err, ERR_TRANSIENT, "log-store exited with %d%s%.800s",
                  status, *line ? ": " : "", line);
}

/* ---- putting ------------------------------------------------------------- */

/* It is in no list when its owner hears of it. */
static void settle(struct put *put)
{
    struct archiver *a = put->archiver;
    bool failed = put->err.kind != ERR_NONE;
    CLEANUP(mem) char *name = NULL;

    TAILQ_REMOVE(&a->puts, put, link);
    a->count--;
    if (!failed)
        name = log_store_name(a->store, put->id, put->epoch);
    if (put->fn)
        put->fn(put->arg, name, failed ? &put->err : NULL);
    else if (failed)
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

    judge(status, output, ended, &put->err);
    helper_free(STEAL(put->helper));
    put->archiver->running--;
    end(put);
    begin_some(put->archiver);
}

static void begin(struct put *put)
{
    struct archiver *a = put->archiver;
    CLEANUP(mem) char *program = proc_libexec("log-store");
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

void archiver_put(struct archiver *a, const char *path, const char *id,
                  uint64_t epoch, archiver_fn *fn, void *arg)
{
    struct put *put = xcalloc(1, sizeof(*put));
    int rc;

    put->archiver = a;
    put->path = xstrdup(path);
    put->id = xstrdup(id);
    put->epoch = epoch;
    put->fn = fn;
    put->arg = arg;
    TAILQ_INSERT_TAIL(&a->puts, put, link);
    rc = log_store_move(a->store, path, id, epoch, &put->err);
    if (rc > 0 && a->count >= PUTS_MAX)
        rc = err_set(&put->err, ERR_TRANSIENT,
                     "%d logs wait for the log store already", PUTS_MAX);
    a->count++;
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
        if (!is_over && log_store_put(a->store, put->path, put->id, put->epoch,
                                      &put->err) == 0)
            put->err.kind = ERR_NONE;
        settle(put);
    }
    free(a);
}
