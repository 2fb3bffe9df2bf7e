/* tests/unit/base/loop_test.c - descriptors, timers, children and signals. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/loop.h"
#include "base/proc.h"
#include "tests/lib/unit.h"

#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

struct fixture {
    struct loop *loop;
    struct loop_source *source;
    struct loop_source *other;
    int fds[2];
    unsigned calls;
    uint32_t events;
    int status;
    int signo;
};

static int set_up(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    struct err err = {0};

    *state = f;
    if (loop_new(&f->loop, &err) < 0 || fd_pipe(f->fds, &err) < 0)
        return -1;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    loop_free(f->loop);
    fd_close(&f->fds[0]);
    fd_close(&f->fds[1]);
    mem_freep(state);
    return 0;
}

static void step(struct fixture *f, int64_t wait_ms)
{
    struct err err = {0};

    assert_int_equal(loop_step(f->loop, wait_ms, &err), 0);
}

static void on_fd(void *arg, uint32_t events)
{
    struct fixture *f = arg;
    char c;

    f->calls++;
    f->events = events;
    if (events & EPOLLIN)
        assert_int_equal(read(f->fds[0], &c, 1), 1);
}

static void watch_reading(struct fixture *f)
{
    struct err err = {0};

    assert_int_equal(
        loop_add_fd(f->loop, f->fds[0], EPOLLIN, on_fd, f, &f->source, &err),
        0);
}

static void calls_for_a_descriptor(void **state)
{
    struct fixture *f = *state;

    watch_reading(f);
    step(f, 0);
    assert_int_equal(f->calls, 0);
    assert_int_equal(write(f->fds[1], "ab", 2), 2);
    step(f, 1000);
    assert_int_equal(f->calls, 1);
    step(f, 1000);
    assert_int_equal(f->calls, 2);
    step(f, 0);
    assert_int_equal(f->calls, 2);
    fd_close(&f->fds[1]);
    step(f, 1000);
    assert_int_equal(f->calls, 3);
    assert_true(f->events & EPOLLHUP);
}

static void pausing(void **state)
{
    struct fixture *f = *state;

    watch_reading(f);
    assert_int_equal(write(f->fds[1], "a", 1), 1);
    fd_close(&f->fds[1]);
    loop_set_events(f->source, 0);
    loop_set_events(f->source, 0);
    step(f, 0);
    assert_int_equal(f->calls, 0);
    loop_set_events(f->source, EPOLLIN);
    step(f, 1000);
    assert_int_equal(f->calls, 1);
    loop_set_events(f->source, EPOLLIN | EPOLLPRI);
    loop_remove(f->source);
    loop_set_events(f->source, EPOLLIN);
    step(f, 0);
    assert_int_equal(f->calls, 1);
}

static void removing(void **state)
{
    struct fixture *f = *state;

    watch_reading(f);
    assert_int_equal(write(f->fds[1], "a", 1), 1);
    loop_remove(f->source);
    loop_remove(f->source);
    loop_remove(NULL);
    step(f, 0);
    assert_int_equal(f->calls, 0);
    /* The descriptor is free to be watched again. */
    watch_reading(f);
    step(f, 1000);
    assert_int_equal(f->calls, 1);
}

static void remove_both(void *arg, uint32_t events UNUSED)
{
    struct fixture *f = arg;

    f->calls++;
    loop_remove(f->source);
    loop_remove(f->other);
}

/* Both are ready in one turn; who comes first removes the other. */
static void removing_inside_a_callback(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    int pair[2];

    assert_int_equal(fd_pipe(pair, &err), 0);
    assert_int_equal(write(f->fds[1], "a", 1), 1);
    assert_int_equal(write(pair[1], "a", 1), 1);
    assert_int_equal(loop_add_fd(f->loop, f->fds[0], EPOLLIN, remove_both, f,
                                 &f->source, &err),
                     0);
    assert_int_equal(
        loop_add_fd(f->loop, pair[0], EPOLLIN, remove_both, f, &f->other, &err),
        0);
    step(f, 1000);
    step(f, 0);
    assert_int_equal(f->calls, 1);
    fd_close(&pair[0]);
    fd_close(&pair[1]);
}

static void what_cannot_be_watched(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};

    assert_int_equal(
        loop_add_fd(f->loop, -1, EPOLLIN, on_fd, f, &f->source, &err), -1);
    assert_int_equal(err.kind, ERR_BUG);
    assert_null(f->source);
}

/* That is the host's, and may pass. */
static void out_of_descriptors(void **state)
{
    struct fixture *f = *state;
    struct rlimit limits, none;
    struct err err = {0};

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limits), 0);
    none = limits;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(
        loop_add_child(f->loop, getpid(), NULL, f, &f->source, &err), -1);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limits), 0);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    assert_null(f->source);
}

static void on_timer(void *arg)
{
    struct fixture *f = arg;

    f->calls++;
}

static void timers_fire_once(void **state)
{
    struct fixture *f = *state;
    int64_t before = clock_mono_ms();

    (void)loop_add_timer(f->loop, before + 50, on_timer, f);
    (void)loop_add_timer(f->loop, before + 100000, on_timer, f);
    step(f, 0);
    assert_int_equal(f->calls, 0);
    while (f->calls == 0)
        step(f, -1);
    assert_in_range(clock_mono_ms() - before, 50, 20000);
    step(f, 0);
    assert_int_equal(f->calls, 1);
}

static void timers_can_be_removed(void **state)
{
    struct fixture *f = *state;

    f->source = loop_add_timer(f->loop, 0, on_timer, f);
    loop_remove(f->source);
    step(f, 0);
    assert_int_equal(f->calls, 0);
}

static char fired[8];

static void on_named_timer(void *arg)
{
    const char *name = arg;

    strncat(fired, name, 1);
}

/* All are due in one turn: the earliest first, equals as they were set. */
static void timers_fire_in_order(void **state)
{
    struct fixture *f = *state;
    int64_t now = clock_mono_ms();
    static char names[] = "abcd";

    fired[0] = '\0';
    (void)loop_add_timer(f->loop, now - 1, on_named_timer, &names[2]);
    (void)loop_add_timer(f->loop, now - 3, on_named_timer, &names[0]);
    (void)loop_add_timer(f->loop, now - 1, on_named_timer, &names[3]);
    (void)loop_add_timer(f->loop, now - 2, on_named_timer, &names[1]);
    step(f, 0);
    assert_string_equal(fired, "abcd");
}

static void again(void *arg)
{
    struct fixture *f = arg;

    f->calls++;
    (void)loop_add_timer(f->loop, 0, again, f);
}

/* A timer that sets itself again must not keep the loop from its other work. */
static void timers_set_in_a_timer_wait_a_turn(void **state)
{
    struct fixture *f = *state;

    (void)loop_add_timer(f->loop, 0, again, f);
    step(f, 1000);
    assert_int_equal(f->calls, 1);
    step(f, 1000);
    assert_int_equal(f->calls, 2);
}

static void on_child(void *arg, pid_t pid, int status)
{
    struct fixture *f = arg;

    assert_true(pid > 0);
    f->calls++;
    f->status = status;
}

static pid_t start(const char *script)
{
    const char *const argv[] = {"sh", "-c", script, NULL};
    struct proc_spec spec = {
        .argv = argv, .in = PROC_NULL, .out = PROC_NULL, .err = PROC_NULL};
    struct err err = {0};
    pid_t pid = -1;

    assert_int_equal(proc_spawn(&spec, &pid, &err), 0);
    return pid;
}

static void children_are_reaped(void **state)
{
    struct fixture *f = *state;
    pid_t pid = start("exit 7");
    struct err err = {0};

    assert_int_equal(
        loop_add_child(f->loop, pid, on_child, f, &f->source, &err), 0);
    while (f->calls == 0)
        step(f, -1);
    assert_true(WIFEXITED(f->status));
    assert_int_equal(WEXITSTATUS(f->status), 7);
    assert_int_equal(waitpid(pid, NULL, WNOHANG), -1);
    pid = start("kill -TERM $$");
    assert_int_equal(loop_add_child(f->loop, pid, on_child, f, NULL, &err), 0);
    while (f->calls == 1)
        step(f, -1);
    assert_true(WIFSIGNALED(f->status));
    assert_int_equal(
        loop_add_child(f->loop, pid, on_child, f, &f->source, &err), -1);
    assert_int_equal(err.kind, ERR_BUG);
}

static void on_signal(void *arg, int signo)
{
    struct fixture *f = arg;

    f->calls++;
    f->signo = signo;
}

static void signals_arrive_in_the_loop(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};

    assert_int_equal(loop_add_signal(f->loop, SIGUSR1, on_signal, f, &err), 0);
    assert_int_equal(raise(SIGUSR1), 0);
    assert_int_equal(f->calls, 0);
    step(f, 1000);
    assert_int_equal(f->calls, 1);
    assert_int_equal(f->signo, SIGUSR1);
    assert_int_equal(raise(SIGUSR1), 0);
    step(f, 1000);
    assert_int_equal(f->calls, 2);
}

static void stop(void *arg)
{
    struct fixture *f = arg;

    f->calls++;
    loop_stop(f->loop);
}

static void runs_until_stopped(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};

    (void)loop_add_timer(f->loop, clock_mono_ms() + 10, stop, f);
    assert_int_equal(loop_run(f->loop, &err), 0);
    assert_int_equal(f->calls, 1);
    (void)loop_add_timer(f->loop, 0, stop, f);
    assert_int_equal(loop_run(f->loop, &err), 0);
    assert_int_equal(f->calls, 2);
}

static void freeing_takes_the_sources(void **state UNUSED)
{
    struct fixture f = {0};
    struct err err = {0};

    assert_int_equal(loop_new(&f.loop, &err), 0);
    (void)loop_add_timer(f.loop, 0, on_timer, &f);
    assert_int_equal(loop_add_signal(f.loop, SIGUSR2, on_signal, &f, &err), 0);
    loop_free(f.loop);
    loop_free(NULL);
    assert_int_equal(f.calls, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(calls_for_a_descriptor),
        TEST(pausing),
        TEST(removing),
        TEST(removing_inside_a_callback),
        TEST(what_cannot_be_watched),
        TEST(out_of_descriptors),
        TEST(timers_fire_once),
        TEST(timers_can_be_removed),
        TEST(timers_fire_in_order),
        TEST(timers_set_in_a_timer_wait_a_turn),
        TEST(children_are_reaped),
        TEST(signals_arrive_in_the_loop),
        TEST(runs_until_stopped),
        cmocka_unit_test(freeing_takes_the_sources),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
