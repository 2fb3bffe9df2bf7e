/* worker/artifacts/sender.c - brings artifacts into a store, beside a loop. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/artifacts/sender.h"

#include "base/clock.h"
#include "base/helper.h"
#include "base/log.h"
#include "worker/artifacts/artifacts.h"
#include "worker/artifacts/program.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define AT_ONCE      2
#define PUT_MAX_MS   ((int64_t)30 * 60000)
#define SWEEP_MS     ((int64_t)60 * 60000)
#define AGAIN_MS     1000
#define AGAIN_MAX_MS 60000
#define MAX_OUTPUT   ((size_t)16 << 10)

struct sending {
    TAILQ_ENTRY(sending) link;
    struct sender *sender; /* borrowed */
    char *job_id;          /* owned */
    uint64_t epoch;
    sender_fn *fn; /* NULL: nobody is told */
    void *arg;
    struct helper *helper;    /* owned; NULL: it does not run */
    struct loop_source *tell; /* borrowed; NULL: it is not over */
    struct err err;           /* of what is over */
};

struct sender {
    struct loop *loop; /* borrowed */
    char *store;       /* owned */
    TAILQ_HEAD(, sending) all;
    unsigned running;
    bool away;                 /* it took nothing of late */
    int64_t again_ms;          /* the last pause */
    struct helper *resender;   /* owned; NULL: none runs */
    struct loop_source *again; /* borrowed; when it is */
    struct helper *sweeper;    /* owned; the same of what is too old */
    struct loop_source *sweep; /* borrowed */
};

static void begin_some(struct sender *s);
static void resend(void *arg);
static void sweep(void *arg);

struct sender *sender_new(struct loop *loop, const char *store)
{
    struct sender *s = xcalloc(1, sizeof(*s));

    s->loop = loop;
    s->store = xstrdup(store);
    TAILQ_INIT(&s->all);
    s->again = loop_add_timer(loop, clock_mono_ms(), resend, s);
    s->sweep = loop_add_timer(loop, clock_mono_ms(), sweep, s);
    return s;
}

static void sending_free(struct sending *one)
{
    TAILQ_REMOVE(&one->sender->all, one, link);
    loop_remove(one->tell);
    helper_free(one->helper);
    free(one->job_id);
    free(one);
}

void sender_free(struct sender *s)
{
    struct sending *one;

    if (!s)
        return;
    while ((one = TAILQ_FIRST(&s->all)))
        sending_free(one);
    helper_free(s->resender);
    helper_free(s->sweeper);
    loop_remove(s->again);
    loop_remove(s->sweep);
    free(s->store);
    free(s);
}

/* ---- the process --------------------------------------------------------- */

/* argv[0] is ours to fill in. */
static int start(struct sender *s, const char **argv, helper_fn *fn, void *arg,
                 struct helper **out, struct err *err)
{
    CLEANUP(mem) char *program = proc_libexec(ARTIFACT_PROGRAM);
    const struct helper_spec spec = {.name = ARTIFACT_PROGRAM,
                                     .proc = {.argv = argv,
                                              .in = PROC_NULL,
                                              .err = PROC_INHERIT,
                                              .new_group = true},
                                     .max_output = MAX_OUTPUT,
                                     .timeout_ms = PUT_MAX_MS};

    argv[0] = program;
    return helper_start(s->loop, &spec, fn, arg, out, err);
}

/* Its last line is the reason. */
static void judge(int status, struct strbuf *output, const struct err *ended,
                  struct err *out)
{
    const char *line;

    if (ended)
        *out = *ended;
    if (ended || status == 0)
        return;
    while (output->len && output->data[output->len - 1] == '\n')
        strbuf_cut(output, output->len - 1);
    line = strrchr(output->data, '\n');
    (void)err_set(out, ERR_TRANSIENT, "%.900s", line ? line + 1 : output->data);
}

/* ---- again ----------------------------------------------------------------
 */

static void again_in(struct sender *s, int64_t wait_ms)
{
    loop_remove(s->again);
    s->again = loop_add_timer(s->loop, clock_mono_ms() + wait_ms, resend, s);
}

static void note(struct sender *s, const struct err *err)
{
    bool failed = err->kind != ERR_NONE;

    if (failed && !s->away) {
        log_warn("artifacts stay on this host for now: %s", err->msg);
        again_in(s, s->again_ms = AGAIN_MS);
    } else if (!failed && s->away) {
        log_info("the store takes artifacts again");
        again_in(s, 0);
    }
    s->away = failed;
}

static void on_resent(void *arg, int status, struct strbuf *output,
                      const struct err *ended)
{
    struct sender *s = arg;
    struct err err = {0};

    helper_free(STEAL(s->resender));
    judge(status, output, ended, &err);
    if (err.kind == ERR_NONE || !s->away) {
        note(s, &err);
        return;
    }
    s->again_ms =
        s->again_ms < AGAIN_MAX_MS / 2 ? s->again_ms * 2 : AGAIN_MAX_MS;
    again_in(s, s->again_ms);
}

static void resend(void *arg)
{
    struct sender *s = arg;
    const char *argv[] = {NULL, "resend", s->store, NULL};
    struct err err = {0};

    s->again = NULL;
    if (!s->resender && start(s, argv, on_resent, s, &s->resender, &err) < 0) {
        log_warn("artifacts: %s", err.msg);
        again_in(s, AGAIN_MAX_MS);
    }
}

/* ---- sending ---------------------------------------------------------------
 */

static void on_tell(void *arg)
{
    struct sending *one = arg;
    sender_fn *fn = one->fn;
    void *fn_arg = one->arg;
    struct err err = one->err;

    one->tell = NULL;
    sending_free(one);
    if (fn)
        fn(fn_arg, err.kind == ERR_NONE ? NULL : &err);
}

/* In the next turn: not from inside of sender_put(). */
static void end(struct sending *one)
{
    one->tell = loop_add_timer(one->sender->loop, 0, on_tell, one);
}

static void on_sent(void *arg, int status, struct strbuf *output,
                    const struct err *ended)
{
    struct sending *one = arg;
    struct sender *s = one->sender;

    judge(status, output, ended, &one->err);
    helper_free(STEAL(one->helper));
    s->running--;
    note(s, &one->err);
    end(one);
    begin_some(s);
}

static void begin(struct sending *one)
{
    struct sender *s = one->sender;
    CLEANUP(mem) char *epoch = xasprintf("%" PRIu64, one->epoch);
    const char *argv[] = {NULL, "put", s->store, one->job_id, epoch, NULL};

    if (s->away)
        (void)err_set(&one->err, ERR_TRANSIENT,
                      "the store of artifacts is away");
    else if (start(s, argv, on_sent, one, &one->helper, &one->err) == 0)
        s->running++;
    if (!one->helper)
        end(one);
}

static void begin_some(struct sender *s)
{
    struct sending *one;

    TAILQ_FOREACH (one, &s->all, link)
        if (s->running < AT_ONCE && !one->helper && !one->tell)
            begin(one);
}

void sender_put(struct sender *s, const char *job_id, uint64_t epoch,
                sender_fn *fn, void *arg)
{
    struct sending *one = xcalloc(1, sizeof(*one));

    one->sender = s;
    one->job_id = xstrdup(job_id);
    one->epoch = epoch;
    one->fn = fn;
    one->arg = arg;
    TAILQ_INSERT_TAIL(&s->all, one, link);
    if (artifacts_mark(job_id, epoch, &one->err) < 0)
        end(one);
    else
        begin_some(s);
}

void sender_forget(struct sender *s, const void *arg)
{
    struct sending *one;

    TAILQ_FOREACH (one, &s->all, link)
        if (one->arg == arg)
            one->fn = NULL;
}

/* ---- what is too old -------------------------------------------------------
 */

static void on_swept(void *arg, int status, struct strbuf *output,
                     const struct err *ended)
{
    struct sender *s = arg;
    struct err err = {0};
    unsigned long removed = strtoul(output->data, NULL, 10);

    helper_free(STEAL(s->sweeper));
    if (removed)
        log_info("removed the artifacts of %lu jobs from the store", removed);
    judge(status, output, ended, &err);
    if (err.kind != ERR_NONE)
        log_warn("old artifacts: %s", err.msg);
    s->sweep = loop_add_timer(s->loop, clock_mono_ms() + SWEEP_MS, sweep, s);
}

static void sweep(void *arg)
{
    struct sender *s = arg;
    const char *argv[] = {NULL, "expire", s->store, NULL};
    struct err err = {0};

    s->sweep = NULL;
    if (start(s, argv, on_swept, s, &s->sweeper, &err) == 0)
        return;
    log_warn("old artifacts: %s", err.msg);
    s->sweep = loop_add_timer(s->loop, clock_mono_ms() + SWEEP_MS, sweep, s);
}
