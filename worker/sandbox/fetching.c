/* worker/sandbox/fetching.c - the process that fetches an image. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/proc.h"
#include "worker/sandbox/fetched.h"
#include "worker/sandbox/runtime.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIMIT_MS   ((int64_t)30 * 60 * 1000)
#define STOP_MS    2000
#define OUTPUT_MAX 16384

struct fetching {
    pid_t pid;                         /* 0: reaped */
    int out, errors;                   /* owned: what it prints */
    struct loop_source *child, *timer; /* borrowed from the loop */
    fetching_fn *fn;
    void *arg;
};

/* A few lines, which a pipe holds. */
static void read_line(int fd, struct strbuf *out)
{
    struct err ignored;

    (void)!fd_read_all(fd, out, &ignored);
    while (out->len && out->data[out->len - 1] == '\n')
        strbuf_cut(out, out->len - 1);
}

static void on_end(void *arg, pid_t pid UNUSED, int status)
{
    struct fetching *f = arg;
    CLEANUP(strbuf) struct strbuf path = STRBUF_MAX(OUTPUT_MAX);
    CLEANUP(strbuf) struct strbuf words = STRBUF_MAX(OUTPUT_MAX);
    struct err err;

    f->pid = 0;
    f->child = NULL;
    loop_remove(STEAL(f->timer));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        read_line(f->out, &path);
        f->fn(f->arg, path.data, NULL);
        return;
    }
    read_line(f->errors, &words);
    (void)err_set(&err,
                  WIFEXITED(status) && WEXITSTATUS(status) == RUNTIME_EXIT_USER
                      ? ERR_USER
                      : ERR_TRANSIENT,
                  "%.900s", words.len ? words.data : "image-fetch was killed");
    f->fn(f->arg, NULL, &err);
}

static void on_timeout(void *arg)
{
    struct fetching *f = arg;

    f->timer = NULL;
    (void)kill(-f->pid, SIGKILL);
}

static int spawn(struct fetching *f, const char *dir, const char *image,
                 struct err *err)
{
    CLEANUP(mem) char *program = proc_libexec("image-fetch");
    CLEANUP(mem) char *launch = proc_libexec("launch");
    CLEANUP(mem) char *parent = xasprintf("%d", (int)getpid());
    const char *argv[] = {launch, parent, "--", program, dir, image, NULL};
    struct proc_spec spec = {.argv = argv, .in = PROC_NULL, .new_group = true};
    int out[2] = {-1, -1}, errors[2] = {-1, -1};
    int rc = -1;

    if (fd_pipe(out, err) == 0 && fd_pipe(errors, err) == 0) {
        spec.out = out[1];
        spec.err = errors[1];
        rc = proc_spawn(&spec, &f->pid, err);
    }
    fd_close(&out[1]);
    fd_close(&errors[1]);
    f->out = out[0];
    f->errors = errors[0];
    return rc;
}

int fetching_start(struct loop *loop, const char *dir, const char *image,
                   fetching_fn *fn, void *arg, struct fetching **out_fetching,
                   struct err *err)
{
    CLEANUP(fetching) struct fetching *f = xcalloc(1, sizeof(*f));

    f->out = f->errors = -1;
    f->fn = fn;
    f->arg = arg;
    if (spawn(f, dir, image, err) < 0 || fd_set_nonblock(f->out, err) < 0 ||
        fd_set_nonblock(f->errors, err) < 0 ||
        loop_add_child(loop, f->pid, on_end, f, &f->child, err) < 0)
        return -1;
    f->timer = loop_add_timer(loop, clock_mono_ms() + LIMIT_MS, on_timeout, f);
    *out_fetching = STEAL(f);
    return 0;
}

void fetching_free(struct fetching *f)
{
    struct err ignored;
    int status;

    if (!f)
        return;
    loop_remove(f->child);
    loop_remove(f->timer);
    if (f->pid > 0) {
        /* skopeo and umoci are in its group. */
        (void)kill(-f->pid, SIGKILL);
        if (proc_wait(f->pid, STOP_MS, &status, &ignored) < 0)
            f->pid = 0;
    }
    fd_close(&f->out);
    fd_close(&f->errors);
    free(f);
}
