/* tests/unit/base/notify_test.c - what a service manager's socket hears. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/notify.h"
#include "tests/lib/unit.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

struct fixture {
    char dir[64];
    char path[96];
    struct loop *loop;
    struct notify *notify;
    int fd; /* the manager's */
    char text[2048];
};

/* A manager that listens at `name`, a path or "@name". */
static void listen_at(struct fixture *f, const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(name);

    memcpy(address.sun_path, name, len + 1);
    if (*name == '@')
        address.sun_path[0] = '\0';
    f->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(f->fd >= 0);
    len += offsetof(struct sockaddr_un, sun_path) + (*name != '@');
    assert_int_equal(bind(f->fd, (struct sockaddr *)&address, (socklen_t)len),
                     0);
}

static int set_up(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));

    *state = f;
    f->fd = -1;
    (void)snprintf(f->dir, sizeof(f->dir), "/tmp/berth-test-XXXXXX");
    if (!mkdtemp(f->dir))
        return -1;
    (void)snprintf(f->path, sizeof(f->path), "%s/s", f->dir);
    (void)unsetenv("NOTIFY_SOCKET");
    (void)unsetenv("WATCHDOG_USEC");
    (void)unsetenv("WATCHDOG_PID");
    return loop_new(&f->loop, NULL);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    notify_free(f->notify);
    loop_free(f->loop);
    fd_close(&f->fd);
    if (tree_remove(f->dir, NULL) < 0)
        return -1;
    mem_freep(state);
    return 0;
}

static void open_notify(struct fixture *f)
{
    struct err err = {0};

    if (notify_new(f->loop, &f->notify, &err) < 0)
        fail_msg("%s", err.msg);
}

/* The next message, or NULL when none comes in `wait_ms`. */
static const char *hear(struct fixture *f, int64_t wait_ms)
{
    int64_t until = clock_mono_ms() + wait_ms;

    for (;;) {
        ssize_t n = recv(f->fd, f->text, sizeof(f->text) - 1, MSG_DONTWAIT);

        if (n >= 0) {
            f->text[n] = '\0';
            return f->text;
        }
        if (clock_mono_ms() >= until)
            return NULL;
        assert_int_equal(loop_step(f->loop, 10, NULL), 0);
    }
}

static void without_a_manager_nothing_happens(void **state)
{
    struct fixture *f = *state;

    open_notify(f);
    notify_ready(f->notify);
    notify_status(f->notify, "nobody hears it");
    notify_stopping(f->notify);
}

static void test_words(void **state)
{
    struct fixture *f = *state;
    struct timespec now;
    long long said = 0;

    listen_at(f, f->path);
    (void)setenv("NOTIFY_SOCKET", f->path, 1);
    open_notify(f);
    assert_null(getenv("NOTIFY_SOCKET"));
    notify_ready(f->notify);
    assert_string_equal(hear(f, 0), "READY=1");
    notify_status(f->notify, "two\nlines");
    assert_string_equal(hear(f, 0), "STATUS=two lines");
    notify_reloading(f->notify);
    assert_int_equal(
        sscanf(hear(f, 0), "RELOADING=1\nMONOTONIC_USEC=%lld", &said), 1);
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    assert_in_range((uintmax_t)now.tv_sec * 1000000 +
                        (uintmax_t)now.tv_nsec / 1000 - (uintmax_t)said,
                    0, 60000000);
    notify_stopping(f->notify);
    assert_string_equal(hear(f, 0), "STOPPING=1");
    assert_null(hear(f, 20));
}

static void test_abstract(void **state)
{
    struct fixture *f = *state;
    CLEANUP(mem) char *name = xasprintf("@berth-test-%d", (int)getpid());

    listen_at(f, name);
    (void)setenv("NOTIFY_SOCKET", name, 1);
    open_notify(f);
    notify_ready(f->notify);
    assert_string_equal(hear(f, 0), "READY=1");
}

static void test_long_status_is_cut(void **state)
{
    struct fixture *f = *state;
    CLEANUP(mem) char *status = xcalloc(1, 5000);

    memset(status, 'x', 4999);
    listen_at(f, f->path);
    (void)setenv("NOTIFY_SOCKET", f->path, 1);
    open_notify(f);
    notify_status(f->notify, status);
    assert_int_equal(strlen(hear(f, 0)), 1024);
}

static void test_bad_addresses(void **state)
{
    struct fixture *f = *state;
    char name[200];

    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    name[0] = '/';
    for (int i = 0; i < 3; i++) {
        const char *const bad[] = {"relative", "/", name};
        struct err err = {0};

        (void)setenv("NOTIFY_SOCKET", bad[i], 1);
        assert_int_equal(notify_new(f->loop, &f->notify, &err), -1);
        assert_int_equal(err.kind, ERR_USER);
        assert_null(f->notify);
        assert_null(getenv("NOTIFY_SOCKET"));
    }
}

/* A manager that went away does no harm. */
static void test_manager_gone(void **state)
{
    struct fixture *f = *state;

    (void)setenv("NOTIFY_SOCKET", f->path, 1);
    open_notify(f);
    notify_ready(f->notify);
    listen_at(f, f->path);
    notify_stopping(f->notify);
    assert_string_equal(hear(f, 0), "STOPPING=1");
}

/* A full socket keeps nobody waiting, and what is said arrives in order. */
static void test_full_socket(void **state)
{
    struct fixture *f = *state;
    unsigned before = 0;
    const char *text;

    listen_at(f, f->path);
    (void)setenv("NOTIFY_SOCKET", f->path, 1);
    open_notify(f);
    /* Sixteen are kept once there is no room: more than there is here. */
    for (int i = 0; i < 3000; i++)
        notify_status(f->notify, "busy");
    notify_status(f->notify, "last but one");
    notify_stopping(f->notify);
    while ((text = hear(f, 30000)) && !strcmp(text, "STATUS=busy"))
        before++;
    assert_true(before > 0);
    assert_true(before < 3000);
    assert_non_null(text);
    assert_string_equal(text, "STATUS=last but one");
    assert_string_equal(hear(f, 30000), "STOPPING=1");
}

static void watch(struct fixture *f, const char *usec, const char *pid)
{
    listen_at(f, f->path);
    (void)setenv("NOTIFY_SOCKET", f->path, 1);
    (void)setenv("WATCHDOG_USEC", usec, 1);
    if (pid)
        (void)setenv("WATCHDOG_PID", pid, 1);
    open_notify(f);
    assert_null(getenv("WATCHDOG_USEC"));
    assert_null(getenv("WATCHDOG_PID"));
}

static void test_watchdog(void **state)
{
    struct fixture *f = *state;
    CLEANUP(mem) char *pid = xasprintf("%d", (int)getpid());
    int64_t start = clock_mono_ms();

    watch(f, "200000", pid);
    for (int i = 0; i < 3; i++)
        assert_string_equal(hear(f, 30000), "WATCHDOG=1");
    /* Not more often than each 100 ms. */
    assert_true(clock_mono_ms() - start >= 290);
}

static void test_watchdog_of_another(void **state)
{
    struct fixture *f = *state;

    watch(f, "20000", "1");
    assert_null(hear(f, 100));
}

static void test_watchdog_without_pid(void **state)
{
    struct fixture *f = *state;

    watch(f, "20000", NULL);
    assert_string_equal(hear(f, 30000), "WATCHDOG=1");
}

static void test_watchdog_nonsense(void **state)
{
    struct fixture *f = *state;

    watch(f, "soon", NULL);
    assert_null(hear(f, 100));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_a_manager_nothing_happens),
        TEST(test_words),
        TEST(test_abstract),
        TEST(test_long_status_is_cut),
        TEST(test_bad_addresses),
        TEST(test_manager_gone),
        TEST(test_full_socket),
        TEST(test_watchdog),
        TEST(test_watchdog_of_another),
        TEST(test_watchdog_without_pid),
        TEST(test_watchdog_nonsense),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
