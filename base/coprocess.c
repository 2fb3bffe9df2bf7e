/* base/coprocess.c - a program that a loop talks with, in frames. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/coprocess.h"

#include "base/fd.h"
#include "base/proc.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define STOP_MS  1000
#define TEXT_MAX 600

struct coprocess {
    struct coprocess_spec spec; /* listener and setup are not used any more */
    pid_t pid;                  /* 0: reaped */
    int status;                 /* of its end, once reaped */
    struct loop_source *child;
    struct channel *channel; /* owned */
    bool is_over;
};

/* The last thing in its caller: what it calls may stop it. */
static void over(struct coprocess *co, const struct err *err)
{
    if (co->is_over)
        return;
    co->is_over = true;
    co->spec.on_over(co->spec.arg, err);
}

static void on_frame(void *arg, const struct frame *frame)
{
    struct coprocess *co = arg;
    struct err err;

    if (frame->type != co->spec.failed_type) {
        co->spec.on_frame(co->spec.arg, frame);
        return;
    }
    (void)err_set(&err, ERR_TRANSIENT, "%s: %.*s", co->spec.name,
                  (int)(frame->len < TEXT_MAX ? frame->len : TEXT_MAX),
                  (const char *)frame->data);
    over(co, &err);
}

static void explain(struct coprocess *co, int status)
{
    struct err err;

    if (WIFSIGNALED(status))
        (void)err_set(&err, ERR_TRANSIENT, "%s was killed by signal %d (SIG%s)",
                      co->spec.name, WTERMSIG(status),
                      sigabbrev_np(WTERMSIG(status))
                          ? sigabbrev_np(WTERMSIG(status))
                          : "?");
    else
        (void)err_set(&err, ERR_TRANSIENT, "%s ended with %d", co->spec.name,
                      WEXITSTATUS(status));
    over(co, &err);
}

/* What it told is all read. Its end says more, if it is known yet. */
static void on_closed(void *arg, const struct err *err UNUSED)
{
    struct coprocess *co = arg;

    channel_free(STEAL(co->channel));
    if (!co->pid)
        explain(co, co->status);
}

static void on_child(void *arg, pid_t pid UNUSED, int status)
{
    struct coprocess *co = arg;

    co->pid = 0;
    co->child = NULL;
    if (co->channel)
        co->status = status;
    else
        explain(co, status);
}

static int spawn(struct coprocess *co, int *out_fd, struct err *err)
{
    CLEANUP(mem) char *program = proc_libexec(co->spec.program);
    CLEANUP(mem) char *uid = xasprintf("%u", co->spec.uid);
    const char *argv[] = {program, uid, NULL};
    int pair[2];
    struct proc_fd fds[] = {{-1, COPROCESS_FD},
                            {co->spec.listener, COPROCESS_LISTENER_FD}};
    struct proc_spec spec = {.argv = argv,
                             .in = PROC_NULL,
                             .out = PROC_NULL,
                             .err = PROC_INHERIT,
                             .fds = fds,
                             .fd_count = ARRAY_LEN(fds),
                             .new_group = true};
    int rc;

    if (fd_socketpair(pair, err) < 0)
        return -1;
    fds[0].from = pair[1];
    rc = proc_spawn(&spec, &co->pid, err);
    fd_close(&pair[1]);
    if (rc < 0)
        fd_close(&pair[0]);
    else
        *out_fd = pair[0];
    return rc;
}

static void send_text(struct coprocess *co, uint8_t type, char *text)
{
    if (!text)
        return;
    if (co->channel)
        channel_send(co->channel, type, 0, text, strlen(text));
    mem_wipe(text, strlen(text));
    free(text);
}

int coprocess_start(const struct coprocess_spec *spec,
                    struct coprocess **out_coprocess, struct err *err)
{
    struct coprocess *co = xcalloc(1, sizeof(*co));
    struct channel_spec channel = {
        .on_frame = on_frame, .on_closed = on_closed, .arg = co};
    char *text = json_dumps(spec->setup, JSON_COMPACT);
    int fd = -1;
    int rc = -1;

    co->spec = *spec;
    if (!text)
        (void)err_set(err, ERR_BUG, "%s: its setup is no JSON", spec->name);
    else
        rc = spawn(co, &fd, err);
    if (rc == 0) {
        channel.in_fd = channel.out_fd = fd;
        rc = channel_new(spec->loop, &channel, &co->channel, err);
    }
    if (rc == 0)
        rc = loop_add_child(spec->loop, co->pid, on_child, co, &co->child, err);
    send_text(co, spec->setup_type, text);
    if (rc < 0)
        coprocess_stop(co);
    else
        *out_coprocess = co;
    return rc;
}

void coprocess_send(struct coprocess *co, uint8_t type, const json_t *doc)
{
    send_text(co, type, json_dumps(doc, JSON_COMPACT));
}

void coprocess_kill(struct coprocess *co)
{
    if (co->pid > 0)
        (void)kill(co->pid, SIGKILL);
}

void coprocess_stop(struct coprocess *co)
{
    struct err ignored;
    int status;

    if (!co)
        return;
    loop_remove(co->child);
    channel_free(co->channel);
    if (co->pid > 0) {
        (void)kill(co->pid, SIGKILL);
        (void)!proc_wait(co->pid, STOP_MS, &status, &ignored);
    }
    free(co);
}
