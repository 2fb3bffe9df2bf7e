/* tests/unit/base/proc_test.c - starting programs. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/proc.h"
#include "tests/lib/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define SH(script)                                                             \
    (const char *const[])                                                      \
    {                                                                          \
        "sh", "-c", script, NULL                                               \
    }

static void run_gathers_output(void **state UNUSED)
{
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;
    struct err err = {0};

    assert_int_equal(proc_run(SH("echo a; echo b >&2"), 10000, &out, &err), 0);
    assert_string_equal(out.data, "a\nb\n");
    assert_int_equal(proc_run(SH("read x; exit $?"), 10000, NULL, &err), -1);
}

static void run_quotes_the_last_line(void **state UNUSED)
{
    struct err err = {0};

    assert_int_equal(
        proc_run(SH("echo a; echo why; echo; exit 3"), 10000, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    assert_string_equal(err.msg, "'sh' exited with 3: why");
    assert_int_equal(proc_run(SH("exit 4"), 10000, NULL, &err), -1);
    assert_string_equal(err.msg, "'sh' exited with 4: ");
    assert_int_equal(proc_run(SH("kill -ABRT $$"), 10000, NULL, &err), -1);
    assert_string_equal(err.msg, "'sh' was killed by signal 6");
}

static void run_kills_at_its_deadline(void **state UNUSED)
{
    struct err err = {0};
    int64_t before = clock_mono_ms();

    assert_int_equal(proc_run(SH("exec sleep 60"), 150, NULL, &err), -1);
    assert_string_equal(err.msg, "'sh' was killed by signal 9");
    assert_in_range(clock_mono_ms() - before, 150, 20000);
}

static void what_does_not_exist(void **state UNUSED)
{
    const char *const argv[] = {"no-such-program-of-ours", NULL};
    struct err err = {0};

    assert_int_equal(proc_run(argv, 1000, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    assert_int_equal(err.sys, ENOENT);
    assert_non_null(strstr(err.msg, "no-such-program-of-ours"));
}

static int spawn_and_wait(const struct proc_spec *spec, int64_t timeout_ms)
{
    struct err err = {0};
    int status = -1;
    pid_t pid;

    assert_int_equal(proc_spawn(spec, &pid, &err), 0);
    assert_int_equal(proc_wait(pid, timeout_ms, &status, &err), 0);
    return status;
}

static void spawn_sets_everything(void **state UNUSED)
{
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;
    CLEANUP(strv) struct strv env = {0};
    struct err err = {0};
    int pair[2];
    int extra[2];
    struct proc_spec spec = {
        .argv = SH("pwd; echo $A; cat <&3; test \"$(ps -o pgid= $$)\" -eq $$ "
                   "&& echo leader"),
        .cwd = "/usr",
        .in = PROC_NULL,
        .err = PROC_INHERIT,
        .fd_count = 1,
        .new_group = true};
    struct proc_fd fds[1];

    assert_int_equal(fd_pipe(pair, &err), 0);
    assert_int_equal(fd_pipe(extra, &err), 0);
    assert_int_equal(fd_write_all(extra[1], "three\n", 6, &err), 0);
    fd_close(&extra[1]);
    fds[0] = (struct proc_fd){extra[0], 3};
    strv_add(&env, "A=from env");
    strv_add(&env, "PATH=/usr/bin:/bin");
    spec.envp = env.items;
    spec.fds = fds;
    spec.out = pair[1];
    assert_int_equal(spawn_and_wait(&spec, -1), 0);
    fd_close(&pair[1]);
    fd_close(&extra[0]);
    assert_int_equal(fd_read_all(pair[0], &out, &err), 0);
    fd_close(&pair[0]);
    assert_string_equal(out.data, "/usr\nfrom env\nthree\nleader\n");
}

/* 3 to 4 and 4 to 3: neither may be overwritten before it is copied. */
static void spawn_swaps_descriptors(void **state UNUSED)
{
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;
    struct err err = {0};
    int a = open("/dev/null", O_RDONLY);
    int b = open("/dev/zero", O_RDONLY);
    int pair[2];
    struct proc_fd fds[] = {{-1, a}, {-1, b}};
    CLEANUP(mem)
    char *script =
        xasprintf("readlink /proc/self/fd/%d /proc/self/fd/%d", a, b);
    const char *const argv[] = {"sh", "-c", script, NULL};
    struct proc_spec spec = {.argv = argv,
                             .in = PROC_NULL,
                             .err = PROC_NULL,
                             .fds = fds,
                             .fd_count = 2};

    fds[0].from = b;
    fds[1].from = a;
    assert_int_equal(fd_pipe(pair, &err), 0);
    spec.out = pair[1];
    assert_int_equal(spawn_and_wait(&spec, 10000), 0);
    fd_close(&pair[1]);
    assert_int_equal(fd_read_all(pair[0], &out, &err), 0);
    fd_close(&pair[0]);
    fd_close(&a);
    fd_close(&b);
    assert_string_equal(out.data, "/dev/zero\n/dev/null\n");
}

static void children_get_no_other_descriptor(void **state UNUSED)
{
    struct err err = {0};
    int pair[2];
    CLEANUP(mem) char *script = NULL;

    assert_int_equal(fd_pipe(pair, &err), 0);
    /* Not even one that lacks close-on-exec, as a library may make them. */
    assert_int_equal(fcntl(pair[0], F_SETFD, 0), 0);
    script = xasprintf("! test -e /proc/self/fd/%d && "
                       "! test -e /proc/self/fd/%d",
                       pair[0], pair[1]);
    {
        const char *const argv[] = {"sh", "-c", script, NULL};

        assert_int_equal(proc_run(argv, 10000, NULL, &err), 0);
    }
    fd_close(&pair[0]);
    fd_close(&pair[1]);
}

/* A set of signals in /proc/PID/status. */
static bool has_signal(const char *status, const char *set, int signo)
{
    const char *line = strstr(status, set);

    assert_non_null(line);
    return strtoull(line + strlen(set), NULL, 16) >> (signo - 1) & 1;
}

static void signals_are_reset(void **state UNUSED)
{
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;
    struct err err = {0};
    sigset_t set;
    sigset_t old;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    assert_int_equal(sigprocmask(SIG_BLOCK, &set, &old), 0);
    (void)signal(SIGPIPE, SIG_IGN);
    assert_int_equal(
        proc_run(SH("exec cat /proc/self/status"), 10000, &out, &err), 0);
    assert_int_equal(sigprocmask(SIG_SETMASK, &old, NULL), 0);
    (void)signal(SIGPIPE, SIG_DFL);
    assert_false(has_signal(out.data, "SigBlk:", SIGTERM));
    assert_false(has_signal(out.data, "SigIgn:", SIGPIPE));
}

static void too_many_descriptors(void **state UNUSED)
{
    struct proc_fd fds[9] = {{0, 3}};
    struct proc_spec spec = {.argv = SH("true"), .fds = fds, .fd_count = 9};
    struct err err = {0};
    pid_t pid;

    assert_int_equal(proc_spawn(&spec, &pid, &err), -1);
    assert_int_equal(err.kind, ERR_BUG);
    spec.fd_count = 1;
    fds[0].from = 1000;
    assert_int_equal(proc_spawn(&spec, &pid, &err), -1);
    assert_int_equal(err.sys, EBADF);
}

static void wait_kills(void **state UNUSED)
{
    struct proc_spec spec = {.argv = SH("exec sleep 60"),
                             .in = PROC_NULL,
                             .out = PROC_NULL,
                             .err = PROC_NULL};
    int status = spawn_and_wait(&spec, 100);

    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
}

static void wait_needs_a_child(void **state UNUSED)
{
    struct err err = {0};
    int status;

    assert_int_equal(proc_wait(1, -1, &status, &err), -1);
    assert_int_equal(err.kind, ERR_BUG);
    assert_int_equal(err.sys, ECHILD);
}

static void looks_in_path(void **state UNUSED)
{
    CLEANUP(mem) char *path = xstrdup(getenv("PATH"));

    assert_true(proc_in_path("sh"));
    assert_true(proc_in_path("/bin/sh"));
    assert_false(proc_in_path("/bin/no-such-program"));
    assert_false(proc_in_path("no-such-program-of-ours"));
    assert_int_equal(unsetenv("PATH"), 0);
    assert_true(proc_in_path("sh"));
    assert_int_equal(setenv("PATH", "/nowhere", 1), 0);
    assert_false(proc_in_path("sh"));
    assert_int_equal(setenv("PATH", path, 1), 0);
}

static void libexec_is_beside_us(void **state UNUSED)
{
    CLEANUP(mem) char *self = NULL;
    CLEANUP(mem) char *path = NULL;
    CLEANUP(mem) char *given = NULL;

    assert_int_equal(unsetenv("BERTH_LIBEXEC"), 0);
    path = proc_libexec("no-such-program");
    self = proc_libexec(program_invocation_short_name);
    assert_non_null(strstr(path, "/unit/base/no-such-program"));
    assert_null(strstr(path, "libexec"));
    assert_int_equal(access(self, X_OK), 0);
    assert_int_equal(setenv("BERTH_LIBEXEC", "/some/where", 1), 0);
    given = proc_libexec("agent");
    assert_string_equal(given, "/some/where/agent");
}

static void beginnings(void **state UNUSED)
{
    const char *const argv[] = {"sleep", "100", NULL};
    const struct proc_spec spec = {
        .argv = argv, .in = PROC_NULL, .out = PROC_NULL, .err = PROC_NULL};
    struct err err = {0};
    int status;
    pid_t pid;

    assert_int_equal(proc_spawn(&spec, &pid, &err), 0);
    assert_true(proc_began(pid) >= proc_began(getpid()));
    assert_true(proc_began(getpid()) > 0);
    assert_int_equal(proc_began(pid), proc_began(pid));
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitid(P_PID, (id_t)pid, NULL, WEXITED | WNOWAIT), 0);
    assert_int_equal(proc_began(pid), 0); /* only to be reaped */
    assert_int_equal(proc_wait(pid, -1, &status, &err), 0);
    assert_int_equal(proc_began(pid), 0);
    assert_int_equal(proc_began(0), 0);
}

/* Out of descriptors, an end is seen all the same, and in time. */
static void ends_without_a_descriptor(void **state UNUSED)
{
    const char *const argv[] = {"sleep", "2", NULL};
    const struct proc_spec spec = {
        .argv = argv, .in = PROC_NULL, .out = PROC_NULL, .err = PROC_NULL};
    int64_t began = clock_mono_ms();
    struct rlimit limits, none;
    struct err err = {0};
    int status = -1;
    pid_t pid;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limits), 0);
    assert_int_equal(proc_spawn(&spec, &pid, &err), 0);
    none = limits;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_false(proc_ends_within(pid, 20));
    assert_true(proc_ends_within(pid, 20000));
    assert_int_equal(proc_wait(pid, 20000, &status, &err), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limits), 0);
    assert_int_equal(status, 0);
    assert_true(clock_mono_ms() - began < 15000);
    assert_true(proc_ends_within(pid, 0)); /* it is nobody's child now */
}

/* A daemon of ours is told whose end is its own. */
static void test_call(void **state UNUSED)
{
    static const char *const argv[] = {
        "sh", "-c", "echo out; echo err >&2; echo there >&3; exit 3", NULL};
    static const char *const killed[] = {"sh", "-c", "kill -KILL $$", NULL};
    static const char *const slow[] = {"sleep", "60", NULL};
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;
    struct proc_spec spec = {
        .argv = argv, .in = PROC_NULL, .err = PROC_NULL, .fd_count = 1};
    struct proc_fd fd = {.to = 3};
    int ends[2], status = -1;
    char text[8] = "";
    struct err err = {0};

    assert_int_equal(fd_pipe(ends, &err), 0);
    fd.from = ends[1];
    spec.fds = &fd;
    assert_int_equal(proc_call(&spec, 10000, &out, &status, &err), 0);
    assert_int_equal(status, 3);
    assert_string_equal(out.data, "out\n");
    assert_int_equal(read(ends[0], text, 6), 6);
    assert_string_equal(text, "there\n");
    fd_close(&ends[0]);
    fd_close(&ends[1]);
    spec.fd_count = 0;
    spec.argv = killed;
    assert_int_equal(proc_call(&spec, 10000, &out, &status, &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    spec.argv = slow;
    assert_int_equal(proc_call(&spec, 100, &out, &status, &err), -1);
    assert_int_equal(status, 3);
}

static void test_end_with_parent(void **state)
{
    char number[24];

    (void)state;
    assert_int_equal(unsetenv(PROC_PARENT_VARIABLE), 0);
    assert_true(proc_end_with_parent());
    (void)snprintf(number, sizeof(number), "%d", (int)getppid());
    assert_int_equal(setenv(PROC_PARENT_VARIABLE, number, 1), 0);
    assert_true(proc_end_with_parent());
    assert_null(getenv(PROC_PARENT_VARIABLE));
    (void)snprintf(number, sizeof(number), "%d", (int)getpid());
    assert_int_equal(setenv(PROC_PARENT_VARIABLE, number, 1), 0);
    assert_false(proc_end_with_parent());
    assert_null(getenv(PROC_PARENT_VARIABLE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run_gathers_output),
        cmocka_unit_test(run_quotes_the_last_line),
        cmocka_unit_test(run_kills_at_its_deadline),
        cmocka_unit_test(what_does_not_exist),
        cmocka_unit_test(spawn_sets_everything),
        cmocka_unit_test(spawn_swaps_descriptors),
        cmocka_unit_test(children_get_no_other_descriptor),
        cmocka_unit_test(signals_are_reset),
        cmocka_unit_test(too_many_descriptors),
        cmocka_unit_test(wait_kills),
        cmocka_unit_test(wait_needs_a_child),
        cmocka_unit_test(ends_without_a_descriptor),
        cmocka_unit_test(looks_in_path),
        cmocka_unit_test(beginnings),
        cmocka_unit_test(test_call),
        cmocka_unit_test(test_end_with_parent),
        cmocka_unit_test(libexec_is_beside_us),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
