/* worker/checkout/client.c - run a checkout from inside a poll loop. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/checkout/client.h"

#include "base/clock.h"
#include "base/fd.h"
#include "worker/checkout/child.h"
#include "worker/checkout/plan.h"
#include "worker/checkout/reply.h"
#include "worker/checkout/shown.h"
#include "worker/checkout/text.h"
#include "worker/checkout/transport.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Of one process, in all: beside the files to show. */
#define OUTPUT_MAX_BYTES ((uint64_t)16 << 20)
#define DIAG_MAX_BYTES   ((size_t)8 << 10)
#define FAREWELL_MS      1000 /* a transport's, to say why it failed */

struct transport {
    int fd; /* ours until there is a process; then -1 */
    pid_t pid;
    struct loop_source *child;
};

struct checkout {
    struct loop *loop; /* borrowed */
    struct checkout_callbacks callbacks;
    void *arg;
    struct fetch_plan *plan; /* owned: what to check out, one after the other */
    const struct plan_step *step; /* borrowed from the plan: the current one */

    pid_t pid; /* of checkout; -1: none */
    struct loop_source *child;
    int out_fd;
    struct loop_source *out;
    struct strbuf line;
    uint64_t out_bytes;
    int diag_fd; /* stderr of checkout and of its transports: ours, theirs */
    int diag_write;
    struct loop_source *diag_source;
    struct strbuf diag;
    struct transport transports[CONNECTION_COUNT]; /* of the step */
    struct loop_source *timer; /* the deadline, or the end of a farewell */
    int64_t allowed_ms;        /* of the current step */

    bool done;      /* the step said so */
    bool connected; /* a transport was started in the step */
    bool farewell;  /* checkout failed; its transports may say why */
    bool final;     /* err is ours: no transport knows better */
    struct err err; /* kind is ERR_NONE while nothing failed */
    bool calling;   /* in on_progress: checkout_kill() must not free yet */
    bool killed;

    char commit[64];
    char *branch;  /* owned */
    char *subject; /* owned */
    bool fetched;
    unsigned files;
    unsigned submodules;
    bool layered;
    struct layer layer;
    char *layer_refs; /* owned */
    char *layer_why;  /* owned */
    struct shown shown;
    bool shown_more;
};

static void conclude(struct checkout *c);
static int start_step(struct checkout *c, struct err *err);

static void unwatch(struct loop_source **source)
{
    loop_remove(*source);
    *source = NULL;
}

/* SIGKILL to the whole group, then reap its leader. */
static void kill_and_reap(pid_t *pid, struct loop_source **child)
{
    int status;

    unwatch(child);
    if (*pid < 0)
        return;
    (void)kill(-*pid, SIGKILL);
    (void)kill(*pid, SIGKILL);
    while (waitpid(*pid, &status, 0) < 0 && errno == EINTR)
        continue;
    *pid = -1;
}

static void stop_step(struct checkout *c)
{
    unwatch(&c->timer);
    unwatch(&c->out);
    unwatch(&c->diag_source);
    kill_and_reap(&c->pid, &c->child);
    for (size_t i = 0; i < CONNECTION_COUNT; i++) {
        kill_and_reap(&c->transports[i].pid, &c->transports[i].child);
        fd_close(&c->transports[i].fd);
    }
    fd_close(&c->out_fd);
    fd_close(&c->diag_fd);
    fd_close(&c->diag_write);
}

static void checkout_free(struct checkout *c)
{
    if (!c)
        return;
    stop_step(c);
    fetch_plan_free(c->plan);
    strbuf_clear(&c->line);
    strbuf_clear(&c->diag);
    shown_clear(&c->shown);
    free(c->branch);
    free(c->subject);
    free(c->layer_refs);
    free(c->layer_why);
    free(c);
}
OWNER(checkout)

bool checkout_is_denied(const struct err *err)
{
    return strstr(err->msg, CHECKOUT_DENIED) ||
           strstr(err->msg, CHECKOUT_ABSENT);
}

void checkout_kill(struct checkout *c)
{
    if (c && c->calling) {
        stop_step(c);
        c->killed = true;
        return;
    }
    checkout_free(c);
}

static void finish(struct checkout *c)
{
    struct checkout_result result = {
        .commit = c->commit,
        .branch = c->branch ? c->branch : "",
        .subject = c->subject ? c->subject : "",
        .fetched = c->fetched,
        .files = c->files,
        .submodules = c->submodules,
        .layer = c->layer,
        .layer_refs = c->layer_refs ? c->layer_refs : "",
        .layer_why = c->layer_why ? c->layer_why : "",
        .shown = c->shown.files,
        .shown_count = c->shown.count,
        .shown_more = c->shown_more,
    };
    bool failed = c->err.kind != ERR_NONE;

    text_clean(c->err.msg);
    stop_step(c);
    c->callbacks.on_done(c->arg, failed ? NULL : &result,
                         failed ? &c->err : NULL);
    checkout_free(c);
}

/* Our own verdict, not the program's: nobody is asked why. */
static void fail(struct checkout *c, const struct err *err)
{
    c->err = *err;
    c->final = true;
    finish(c);
}

/* ---- what the processes say ---------------------------------------------- */

static void read_diag(struct checkout *c)
{
    char chunk[2048];

    for (;;) {
        ssize_t n = read(c->diag_fd, chunk, sizeof(chunk));

        if (n > 0)
            strbuf_add(&c->diag, chunk, (size_t)n);
        else if (n == 0)
            unwatch(&c->diag_source);
        if (n == 0 || (n < 0 && errno != EINTR))
            return;
        /* Of much said, the end tells why. */
        if (c->diag.len > DIAG_MAX_BYTES / 2)
            strbuf_consume(&c->diag, c->diag.len - DIAG_MAX_BYTES / 2);
    }
}

static void on_diag(void *arg, uint32_t events UNUSED)
{
    read_diag(arg);
}

static void on_transport(void *arg, pid_t pid, int status UNUSED)
{
    struct checkout *c = arg;

    for (size_t i = 0; i < CONNECTION_COUNT; i++) {
        if (c->transports[i].pid != pid)
            continue;
        c->transports[i].pid = -1;
        c->transports[i].child = NULL;
    }
    if (c->pid < 0)
        conclude(c);
}

static int connect_transport(struct checkout *c, int number, struct err *err)
{
    struct transport *t = &c->transports[number];
    int rc;

    if (t->fd < 0)
        return err_set(err, ERR_BUG, "checkout asked twice for a connection");
    rc = transport_spawn(&c->step->url, t->fd, c->diag_write, &t->pid, err);
    fd_close(&t->fd);
    if (rc < 0) {
        t->pid = -1;
        return -1;
    }
    c->connected = true;
    return loop_add_child(c->loop, t->pid, on_transport, c, &t->child, err);
}

static void keep_result(struct checkout *c, const struct reply *reply)
{
    c->done = true;
    if (c->step->depth)
        return;
    (void)snprintf(c->commit, sizeof(c->commit), "%s", reply->commit);
    free(c->branch);
    free(c->subject);
    c->branch = xstrdup(reply->branch);
    c->subject = xstrdup(reply->subject);
    text_clean(c->branch);
    text_clean(c->subject);
    c->fetched = reply->fetched;
    c->files = reply->files;
    c->layer = reply->layer;
    free(c->layer_refs);
    free(c->layer_why);
    c->layer_refs = xstrdup(reply->refs);
    c->layer_why = xstrdup(reply->why);
    text_clean(c->layer_why);
}

static void progress(struct checkout *c, const char *line)
{
    CLEANUP(mem)
    char *text = c->step->depth
                     ? xasprintf("submodule %s: %s", c->step->subdir, line)
                     : xstrdup(line);

    if (!c->callbacks.on_progress)
        return;
    text_clean(text);
    c->calling = true;
    c->callbacks.on_progress(c->arg, text);
    c->calling = false;
}

static void keep_error(struct checkout *c, const struct reply *reply)
{
    (void)err_set(&c->err, reply->err_kind, "%s", reply->text);
    if (c->step->depth)
        (void)err_wrap(&c->err, "submodule '%.200s'", c->step->subdir);
}

static int obey(struct checkout *c, const struct reply *reply, struct err *err)
{
    if (c->done || c->err.kind != ERR_NONE)
        return err_set(err, ERR_BUG, "checkout spoke after its last word");
    switch (reply->kind) {
    case REPLY_PROGRESS:
        progress(c, reply->text);
        return 0;
    case REPLY_CONNECT:
        return connect_transport(c, reply->connection, err);
    case REPLY_SUBMODULE:
        return fetch_plan_add(c->plan, c->step, reply->path, reply->url,
                              reply->commit, err);
    case REPLY_FILE:
        return shown_begin(&c->shown, reply, err);
    case REPLY_DONE:
        if (shown_end(&c->shown, reply, err) < 0)
            return -1;
        if (reply->layered != (c->layered && !c->step->depth))
            return err_set(err, ERR_BUG, "checkout told of another layer");
        c->shown_more = reply->more;
        keep_result(c, reply);
        return 0;
    case REPLY_ERROR:
        keep_error(c, reply);
        return 0;
    }
    return 0;
}

/* Obey all whole lines that are there. */
static int obey_lines(struct checkout *c, struct err *err)
{
    while (!c->killed) {
        CLEANUP(reply) struct reply reply = {0};
        const char *newline;
        size_t len;

        strbuf_consume(&c->line,
                       shown_take(&c->shown, c->line.data, c->line.len));
        newline = memchr(c->line.data, '\n', c->line.len);
        if (!newline)
            break;
        len = (size_t)(newline - c->line.data);
        if (reply_parse(c->line.data, len, &reply, err) < 0)
            return -1;
        strbuf_consume(&c->line, len + 1);
        if (obey(c, &reply, err) < 0)
            return -1;
    }
    if (c->line.len > REPLY_MAX_BYTES)
        return err_set(err, ERR_BUG, "checkout wrote a line without an end");
    return 0;
}

/* Take what checkout wrote, as much as there is. */
static int read_out(struct checkout *c, struct err *err)
{
    char chunk[8192];

    while (!c->killed && c->out) {
        ssize_t n = read(c->out_fd, chunk, sizeof(chunk));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return 0;
        if (n <= 0) {
            unwatch(&c->out);
            return 0;
        }
        c->out_bytes += (uint64_t)n;
        if (c->out_bytes >
            OUTPUT_MAX_BYTES + shown_max(&c->shown) * SHOW_MAX_BYTES)
            return err_set(err, ERR_BUG, "checkout said far too much");
        strbuf_add(&c->line, chunk, (size_t)n);
        if (obey_lines(c, err) < 0)
            return -1;
    }
    return 0;
}

/* After anything that may have called back: was the handle killed there? */
static bool buried(struct checkout *c)
{
    if (!c->killed)
        return false;
    checkout_free(c);
    return true;
}

static void on_out(void *arg, uint32_t events UNUSED)
{
    struct checkout *c = arg;
    struct err err;
    int rc = read_out(c, &err);

    if (!buried(c) && rc < 0)
        fail(c, &err);
}

/* ---- how the processes end ----------------------------------------------- */

static void explain_death(struct checkout *c, int status)
{
    const char *line;

    read_diag(c);
    while (c->diag.len && c->diag.data[c->diag.len - 1] == '\n')
        strbuf_cut(&c->diag, c->diag.len - 1);
    line = strrchr(c->diag.data, '\n');
    line = line ? line + 1 : c->diag.data;
    c->final = true;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        (void)err_set(&c->err, ERR_TRANSIENT,
                      "checkout of '%s' was killed: is the host out of memory?",
                      c->step->url.shown);
    else if (WIFSIGNALED(status))
        (void)err_set(&c->err, ERR_BUG, "checkout of '%s' died of signal %d",
                      c->step->url.shown, WTERMSIG(status));
    else
        (void)err_set(&c->err, ERR_BUG,
                      "checkout of '%s' ended with %d and no word: %.200s",
                      c->step->url.shown, WEXITSTATUS(status), line);
}

static void on_child(void *arg, pid_t pid UNUSED, int status)
{
    struct checkout *c = arg;
    struct err err;
    int rc;

    c->pid = -1;
    c->child = NULL;
    rc = read_out(c, &err);
    if (buried(c))
        return;
    if (rc < 0) {
        fail(c, &err);
        return;
    }
    if (c->err.kind == ERR_NONE && !(c->done && status == 0))
        explain_death(c, status);
    conclude(c);
}

static void on_timer(void *arg)
{
    struct checkout *c = arg;
    struct err err;

    c->timer = NULL;
    if (c->farewell) {
        for (size_t i = 0; i < CONNECTION_COUNT; i++)
            kill_and_reap(&c->transports[i].pid, &c->transports[i].child);
        conclude(c);
        return;
    }
    (void)err_set(&err, ERR_TRANSIENT,
                  "checkout of '%s' took longer than %lld s and was stopped",
                  c->step->url.shown, (long long)(c->allowed_ms + 999) / 1000);
    fail(c, &err);
}

static bool transports_live(const struct checkout *c)
{
    for (size_t i = 0; i < CONNECTION_COUNT; i++)
        if (c->transports[i].pid >= 0)
            return true;
    return false;
}

static void next_step(struct checkout *c)
{
    struct err err;

    stop_step(c);
    c->step = fetch_plan_next(c->plan);
    if (!c->step) {
        c->submodules = fetch_plan_submodules(c->plan);
        finish(c);
        return;
    }
    if (start_step(c, &err) < 0)
        fail(c, &err);
}

/* checkout is gone: go on, or say why not. */
static void conclude(struct checkout *c)
{
    if (c->err.kind == ERR_NONE) {
        next_step(c);
        return;
    }
    if (!c->final && c->connected && c->err.kind == ERR_TRANSIENT) {
        if (transports_live(c) && !c->farewell) {
            c->farewell = true;
            unwatch(&c->timer);
            c->timer = loop_add_timer(c->loop, clock_mono_ms() + FAREWELL_MS,
                                      on_timer, c);
        }
        if (transports_live(c))
            return;
        read_diag(c);
        (void)transport_explain(&c->step->url, c->diag.data, &c->err);
    }
    finish(c);
}

/* ---- starting ------------------------------------------------------------ */

static int make_diag(struct checkout *c, struct err *err)
{
    int pair[2];

    if (fd_pipe(pair, err) < 0)
        return -1;
    c->diag_fd = pair[0];
    c->diag_write = pair[1];
    if (fd_set_nonblock(c->diag_fd, err) < 0)
        return -1;
    return loop_add_fd(c->loop, c->diag_fd, EPOLLIN, on_diag, c,
                       &c->diag_source, err);
}

static int start_child(struct checkout *c, struct err *err)
{
    struct strbuf request = STRBUF_MAX(2 * REQUEST_MAX_BYTES);
    struct child child = {0};
    int rc = fetch_plan_request(c->plan, c->step, c->allowed_ms, &request, err);

    if (rc == 0)
        rc = child_start(&request, c->step->url.kind != URL_HTTP, c->diag_write,
                         &child, err);
    mem_wipe(request.data, request.len);
    strbuf_clear(&request);
    if (rc < 0)
        return -1;
    c->pid = child.pid;
    c->out_fd = child.out;
    for (size_t i = 0; i < CONNECTION_COUNT; i++)
        c->transports[i].fd = child.connections[i];
    if (loop_add_child(c->loop, c->pid, on_child, c, &c->child, err) < 0)
        return -1;
    return loop_add_fd(c->loop, c->out_fd, EPOLLIN, on_out, c, &c->out, err);
}

static int start_step(struct checkout *c, struct err *err)
{
    c->done = c->connected = c->farewell = false;
    c->out_bytes = 0;
    strbuf_clear(&c->line);
    strbuf_clear(&c->diag);
    c->allowed_ms = fetch_plan_allowance_ms(c->plan);
    if (make_diag(c, err) < 0 || start_child(c, err) < 0)
        return -1;
    c->timer =
        loop_add_timer(c->loop, clock_mono_ms() + c->allowed_ms, on_timer, c);
    return 0;
}

int checkout_start(struct loop *loop, const struct checkout_request *request,
                   const struct checkout_callbacks *callbacks, void *arg,
                   struct checkout **out_checkout, struct err *err)
{
    CLEANUP(checkout) struct checkout *c = xcalloc(1, sizeof(*c));

    c->loop = loop;
    c->callbacks = *callbacks;
    c->arg = arg;
    c->pid = c->out_fd = c->diag_fd = c->diag_write = -1;
    for (size_t i = 0; i < CONNECTION_COUNT; i++)
        c->transports[i] = (struct transport){.fd = -1, .pid = -1};
    c->layered = request->layer;
    c->line = (struct strbuf)STRBUF_MAX(REPLY_MAX_BYTES * 2);
    c->diag = (struct strbuf)STRBUF_MAX(DIAG_MAX_BYTES);
    if (fetch_plan_new(request, &c->plan, err) < 0)
        return -1;
    shown_expect(&c->shown, request->paths, request->path_count);
    c->step = fetch_plan_next(c->plan);
    if (start_step(c, err) < 0)
        return -1;
    *out_checkout = STEAL(c);
    return 0;
}
