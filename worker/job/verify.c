/* worker/job/verify.c - the digest of a directory, read beside the job. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/job/verify.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/proc.h"
#include "worker/cache/helper.h"

#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define NO_LIMIT "18446744073709551615"

struct verify {
    verify_fn *fn;
    void *arg;
    pid_t pid; /* -1: it does not run */
    int out;
    struct loop_source *child;
    struct loop_source *timer;
};

static void stop(struct verify *verify)
{
    loop_remove(STEAL(verify->timer));
    loop_remove(STEAL(verify->child));
    if (verify->pid > 0) {
        (void)kill(verify->pid, SIGKILL);
        (void)waitpid(verify->pid, NULL, 0);
    }
    verify->pid = -1;
    fd_close(&verify->out);
}

void verify_free(struct verify *verify)
{
    if (!verify)
        return;
    stop(verify);
    free(verify);
}

static void on_late(void *arg)
{
    struct verify *verify = arg;

    verify->timer = NULL;
    stop(verify);
    verify->fn(verify->arg, NULL, true);
}

static void on_ended(void *arg, pid_t pid UNUSED, int status)
{
    struct verify *verify = arg;
    CLEANUP(strbuf) struct strbuf text = STRBUF_MAX(HELPER_LINE_MAX);
    CLEANUP(mem) char *digest = NULL;
    struct err ignored;
    json_t *line;
    const char *said;

    verify->pid = -1;
    verify->child = NULL;
    if (WIFEXITED(status))
        (void)!fd_read_all(verify->out, &text, &ignored);
    stop(verify);
    line = json_loadb(text.data, text.len, 0, NULL);
    said = json_string_value(json_object_get(line, "digest"));
    if (said)
        digest = xstrdup(said);
    json_decref(line);
    verify->fn(verify->arg, digest, false);
}

static int spawn(struct verify *verify, int dir, struct err *err)
{
    CLEANUP(mem) char *program = proc_libexec("cache");
    const char *const argv[] = {program, "verify", NO_LIMIT, NULL};
    const struct proc_fd fd = {dir, HELPER_WORKSPACE_FD};
    struct proc_spec proc = {.argv = argv,
                             .in = PROC_NULL,
                             .err = PROC_INHERIT,
                             .fds = &fd,
                             .fd_count = 1};
    int pipe[2] = {-1, -1};
    pid_t pid = -1;
    int rc;

    if (fd_pipe(pipe, err) < 0)
        return -1;
    proc.out = pipe[1];
    rc = proc_spawn(&proc, &pid, err);
    fd_close(&pipe[1]);
    verify->out = pipe[0];
    verify->pid = rc < 0 ? -1 : pid;
    return rc;
}

int verify_start(struct loop *loop, const char *path, verify_fn *fn, void *arg,
                 struct verify **out_verify, struct err *err)
{
    CLEANUP(fd)
    int dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    CLEANUP(verify) struct verify *verify = xcalloc(1, sizeof(*verify));

    verify->fn = fn;
    verify->arg = arg;
    verify->pid = verify->out = -1;
    if (dir < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot open '%.300s'", path);
    if (spawn(verify, dir, err) < 0 ||
        loop_add_child(loop, verify->pid, on_ended, verify, &verify->child,
                       err) < 0)
        return -1;
    verify->timer =
        loop_add_timer(loop, clock_mono_ms() + VERIFY_MAX_MS, on_late, verify);
    *out_verify = STEAL(verify);
    return 0;
}
