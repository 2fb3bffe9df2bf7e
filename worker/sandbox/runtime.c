/* worker/sandbox/runtime.c - the process of an OCI runtime. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/runtime.h"

#include "base/fd.h"
#include "base/proc.h"
#include "worker/sandbox/mounts.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_MAX ((size_t)16 << 10)
#define KILL_MS    2000
#define TAME_MS    10000

struct runtime {
    pid_t pid;                                 /* 0: reaped */
    char *run_dir;                             /* owned */
    int output;                                /* owned: its stderr */
    struct loop_source *child, *output_source; /* borrowed from the loop */
    struct strbuf text;
    bool is_oci;
    void (*on_end)(void *arg, const struct err *err);
    void *arg;
};

int runtime_find(const char *wanted, char **out_program, struct err *err)
{
    static const char *const known[] = {"crun", "runc"};

    if (wanted && *wanted) {
        if (!proc_in_path(wanted))
            return err_set(err, ERR_TRANSIENT,
                           "the OCI runtime '%s' is not installed", wanted);
        *out_program = xstrdup(wanted);
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (proc_in_path(known[i])) {
            *out_program = xstrdup(known[i]);
            return 0;
        }
    }
    return err_set(err, ERR_TRANSIENT,
                   "no OCI runtime: apt-get install crun (or runc)");
}

bool runtime_leaves_cgroups(const char *program)
{
    const char *slash = strrchr(program, '/');

    return strncmp(slash ? slash + 1 : program, "crun", 4) == 0;
}

int runtime_shield(char **program, const char *run_dir, struct err *err)
{
    const char *slash = strrchr(*program, '/');
    CLEANUP(mem) char *source = proc_find(*program);
    CLEANUP(mem) char *dir = xasprintf("%s/runtime", run_dir);
    /* It keeps its name, by which it is known. */
    CLEANUP(mem)
    char *target = xasprintf("%s/%s", dir, slash ? slash + 1 : *program);

    if (!source)
        return err_set(err, ERR_TRANSIENT, "the OCI runtime '%s' is gone",
                       *program);
    if (dir_make(dir, 0711, err) < 0 ||
        file_write(target, "", 0, 0600, err) < 0 ||
        mounts_bind(source, target, true, err) < 0)
        return -1;
    free(*program);
    *program = STEAL(target);
    return 0;
}

static void on_output(void *arg, uint32_t events UNUSED)
{
    struct runtime *rt = arg;
    char chunk[4096];
    ssize_t n = read(rt->output, chunk, sizeof(chunk));

    if (n > 0) {
        strbuf_add(&rt->text, chunk, (size_t)n);
        return;
    }
    loop_remove(rt->output_source);
    rt->output_source = NULL;
}

const char *runtime_last_words(struct runtime *rt)
{
    char *line;

    if (rt->output_source)
        on_output(rt, 0);
    while (rt->text.len && rt->text.data[rt->text.len - 1] == '\n')
        strbuf_cut(&rt->text, rt->text.len - 1);
    line = strrchr(rt->text.data, '\n');
    return line ? line + 1 : rt->text.data;
}

static void on_child(void *arg, pid_t pid UNUSED, int status)
{
    struct runtime *rt = arg;
    const char *words = runtime_last_words(rt);
    struct err err;

    rt->pid = 0;
    rt->child = NULL;
    if (WIFSIGNALED(status))
        (void)err_set(&err, ERR_TRANSIENT,
                      "the sandbox's runtime was killed by signal %d",
                      WTERMSIG(status));
    else if (!rt->is_oci && WEXITSTATUS(status) == RUNTIME_EXIT_USER)
        (void)err_set(&err, ERR_USER, "%.900s", words);
    else
        (void)err_set(&err, ERR_TRANSIENT,
                      "the sandbox's runtime ended with %d%s%.600s",
                      WEXITSTATUS(status), *words ? ": " : "", words);
    rt->on_end(rt->arg, &err);
}

static void add_all(struct strv *argv, const struct strv *words)
{
    for (size_t i = 0; words && i < words->count; i++)
        strv_add(argv, words->items[i]);
}

static void fill_command(const struct runtime_spec *spec, struct strv *argv)
{
    CLEANUP(mem) char *launch = proc_libexec("launch");

    strv_add(argv, launch);
    strv_addf(argv, "%d", (int)getpid());
    add_all(argv, spec->join);
    strv_add(argv, "--");
    if (spec->command) {
        add_all(argv, spec->command);
        return;
    }
    strv_add(argv, spec->program);
    strv_addf(argv, "--root=%s/state", spec->run_dir);
    if (runtime_leaves_cgroups(spec->program))
        strv_add(argv, "--cgroup-manager=disabled");
    strv_add(argv, "run");
    strv_addf(argv, "--bundle=%s", spec->run_dir);
    strv_addf(argv, "--pid-file=%s/pid", spec->run_dir);
    strv_add(argv, spec->id);
}

static int spawn(struct runtime *rt, const struct runtime_spec *spec,
                 int *out_to, int *out_from, struct err *err)
{
    CLEANUP(strv) struct strv argv = {0};
    int in[2] = {-1, -1}, out[2] = {-1, -1}, output[2] = {-1, -1};
    struct proc_spec child = {.new_group = true};
    int rc = -1;

    fill_command(spec, &argv);
    child.argv = (const char *const *)argv.items;
    if (fd_pipe(in, err) == 0 && fd_pipe(out, err) == 0 &&
        fd_pipe(output, err) == 0) {
        child.in = in[0];
        child.out = out[1];
        child.err = output[1];
        rc = proc_spawn(&child, &rt->pid, err);
    }
    fd_close(&in[0]);
    fd_close(&out[1]);
    fd_close(&output[1]);
    rt->output = output[0];
    if (rc < 0) {
        fd_close(&in[1]);
        fd_close(&out[0]);
        return -1;
    }
    *out_to = in[1];
    *out_from = out[0];
    return 0;
}

int runtime_start(struct loop *loop, const struct runtime_spec *spec,
                  struct runtime **out_runtime, int *out_to, int *out_from,
                  struct err *err)
{
    struct runtime *rt = xcalloc(1, sizeof(*rt));
    CLEANUP(fd) int to = -1;
    CLEANUP(fd) int from = -1;

    rt->run_dir = xstrdup(spec->run_dir);
    rt->output = -1;
    rt->text = (struct strbuf)STRBUF_MAX(OUTPUT_MAX);
    rt->is_oci = !spec->command;
    rt->on_end = spec->on_end;
    rt->arg = spec->arg;
    if (spawn(rt, spec, &to, &from, err) < 0 ||
        fd_set_nonblock(rt->output, err) < 0 ||
        loop_add_fd(loop, rt->output, EPOLLIN, on_output, rt,
                    &rt->output_source, err) < 0 ||
        loop_add_child(loop, rt->pid, on_child, rt, &rt->child, err) < 0) {
        fd_close(&to);
        runtime_stop(rt, 0);
        return -1;
    }
    *out_runtime = rt;
    *out_to = to;
    *out_from = from;
    to = from = -1;
    return 0;
}

/* The one number in a file, or -1. */
static pid_t read_pid(const char *path)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_MAX(64);
    struct err ignored;
    char *end;
    long pid;

    if (file_read(path, 32, &text, &ignored) < 0)
        return -1;
    pid = strtol(text.data, &end, 10);
    end += strspn(end, " \n");
    return pid > 1 && !*end ? (pid_t)pid : -1;
}

pid_t runtime_init_pid(const struct runtime *rt)
{
    CLEANUP(mem) char *file = xasprintf("%s/pid", rt->run_dir);
    /* Before the runtime has written it: its only child is the sandbox. */
    CLEANUP(mem)
    char *children =
        xasprintf("/proc/%d/task/%d/children", (int)rt->pid, (int)rt->pid);
    pid_t pid = read_pid(file);

    return pid > 1 || rt->pid <= 0 ? pid : read_pid(children);
}

int runtime_tame(const struct runtime *rt, pid_t init, struct err *err)
{
    CLEANUP(mem) char *launch = proc_libexec("launch");
    CLEANUP(mem) char *runtime = xasprintf("%d", (int)rt->pid);
    CLEANUP(mem) char *pid = xasprintf("%d", (int)init);
    const char *argv[] = {launch, "--tame", runtime, pid, NULL};

    if (proc_run(argv, TAME_MS, NULL, err) < 0)
        return err_wrap(err, "cannot set the sandbox's quotas");
    return 0;
}

void runtime_stop(struct runtime *rt, int64_t grace_ms)
{
    struct err ignored;
    int status;

    if (!rt)
        return;
    loop_remove(rt->child);
    loop_remove(rt->output_source);
    if (rt->pid > 0 && !proc_ends_within(rt->pid, grace_ms)) {
        pid_t init = runtime_init_pid(rt);

        if (init > 1)
            (void)kill(init, SIGKILL);
        if (!proc_ends_within(rt->pid, grace_ms))
            (void)kill(rt->pid, SIGKILL);
    }
    if (rt->pid > 0 && proc_wait(rt->pid, KILL_MS, &status, &ignored) < 0)
        rt->pid = 0;
    fd_close(&rt->output);
    strbuf_clear(&rt->text);
    free(rt->run_dir);
    free(rt);
}
