/* base/helper.c - a program that does what would block a loop. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/helper.h"

#include "base/clock.h"
#include "base/fd.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct helper {
    struct loop *loop; /* borrowed */
    const char *name;
    helper_fn *fn;
    void *arg;
    pid_t pid;                                  /* -1: none */
    int out_fd;                                 /* owned */
    struct loop_source *child, *out, *patience; /* borrowed */
    struct strbuf output;
};

static void on_buried(void *arg UNUSED, pid_t pid UNUSED, int status UNUSED)
{
}

/* A process in the middle of a disk's or a network's doing may take its time
 * to die: the loop sees to it, where it has a descriptor left. */
static void stop(struct helper *h)
{
    loop_remove(STEAL(h->child));
    loop_remove(STEAL(h->out));
    loop_remove(STEAL(h->patience));
    fd_close(&h->out_fd);
    if (h->pid < 0)
        return;
    (void)kill(h->pid, SIGKILL);
    if (loop_add_child(h->loop, h->pid, on_buried, NULL, NULL, NULL) < 0)
        while (waitpid(h->pid, NULL, 0) < 0 && errno == EINTR)
            continue;
    h->pid = -1;
}

void helper_free(struct helper *h)
{
    if (!h)
        return;
    stop(h);
    strbuf_clear(&h->output);
    free(h);
}

/* ---- the end ------------------------------------------------------------- */

/* `fn` may free what `h` owns. */
static void tell(struct helper *h, int status, const struct err *err)
{
    CLEANUP(strbuf) struct strbuf output = h->output;

    h->output = (struct strbuf)STRBUF_INIT;
    stop(h);
    h->fn(h->arg, status, &output, err);
}

static int read_output(struct helper *h, struct err *err)
{
    char chunk[16384];

    while (h->out) {
        ssize_t n = read(h->out_fd, chunk, sizeof(chunk));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return 0;
        if (n <= 0)
            loop_remove(STEAL(h->out));
        else
            strbuf_add(&h->output, chunk, (size_t)n);
        if (h->output.truncated)
            return err_set(err, ERR_BUG, "%s said far too much", h->name);
    }
    return 0;
}

static void on_out(void *arg, uint32_t events UNUSED)
{
    struct helper *h = arg;
    struct err err = {0};

    if (read_output(h, &err) < 0)
        tell(h, -1, &err);
}

static void on_end(void *arg, pid_t pid UNUSED, int status)
{
    struct helper *h = arg;
    struct err err = {0};
    int rc;

    h->pid = -1;
    h->child = NULL;
    rc = read_output(h, &err);
    if (rc == 0 && WIFSIGNALED(status))
        rc =
            err_set(&err, WTERMSIG(status) == SIGKILL ? ERR_TRANSIENT : ERR_BUG,
                    "%s died of signal %d", h->name, WTERMSIG(status));
    tell(h, rc < 0 ? -1 : WEXITSTATUS(status), rc < 0 ? &err : NULL);
}

static void on_patience(void *arg)
{
    struct helper *h = arg;
    struct err err = {0};

    h->patience = NULL;
    (void)err_set(&err, ERR_TIMEOUT, "%s took too long and was stopped",
                  h->name);
    tell(h, -1, &err);
}

/* ---- the beginning ------------------------------------------------------- */

static int spawn(struct helper *h, const struct proc_spec *proc,
                 struct err *err)
{
    struct proc_spec with_out = *proc;
    int out[2];
    int rc;

    if (fd_pipe(out, err) < 0)
        return -1;
    with_out.out = out[1];
    rc = proc_spawn(&with_out, &h->pid, err);
    fd_close(&out[1]);
    h->out_fd = out[0];
    return rc;
}

int helper_start(struct loop *loop, const struct helper_spec *spec,
                 helper_fn *fn, void *arg, struct helper **out_helper,
                 struct err *err)
{
    CLEANUP(helper) struct helper *h = xcalloc(1, sizeof(*h));

    h->loop = loop;
    h->name = spec->name;
    h->fn = fn;
    h->arg = arg;
    h->pid = h->out_fd = -1;
    h->output = (struct strbuf)STRBUF_MAX(spec->max_output);
    if (spawn(h, &spec->proc, err) < 0 || fd_set_nonblock(h->out_fd, err) < 0 ||
        loop_add_child(loop, h->pid, on_end, h, &h->child, err) < 0 ||
        loop_add_fd(loop, h->out_fd, EPOLLIN, on_out, h, &h->out, err) < 0)
        return -1;
    h->patience = loop_add_timer(loop, clock_mono_ms() + spec->timeout_ms,
                                 on_patience, h);
    *out_helper = STEAL(h);
    return 0;
}
