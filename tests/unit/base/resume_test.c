/* tests/unit/base/resume_test.c - a host that was suspended. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/loop.h"
#include "tests/lib/unit.h"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SUSPENDED_S 3600

static int64_t
    resumes_ms; /* of CLOCK_MONOTONIC; 0: the host is not suspended */

static int64_t real_ms(void)
{
    struct timespec ts;

    (void)syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* In place of libc's: only this clock goes on while a host is suspended. */
int clock_gettime(clockid_t id, struct timespec *ts)
{
    int rc = (int)syscall(SYS_clock_gettime, id, ts);

    if (id == CLOCK_BOOTTIME && resumes_ms && real_ms() >= resumes_ms)
        ts->tv_sec += SUSPENDED_S;
    return rc;
}

static void on_timer(void *arg)
{
    *(int64_t *)arg = real_ms();
}

/* As a lease in Redis, a deadline does not stand still meanwhile. */
static void deadlines_go_on(void **state UNUSED)
{
    CLEANUP(loop) struct loop *loop = NULL;
    int64_t began = real_ms();
    int64_t fired_ms = 0;

    assert_int_equal(loop_new(&loop, NULL), 0);
    loop_add_timer(loop, clock_mono_ms() + 8000, on_timer, &fired_ms);
    resumes_ms = began + 300;
    while (!fired_ms)
        assert_int_equal(loop_step(loop, -1, NULL), 0);
    resumes_ms = 0;
    assert_in_range(fired_ms - began, 300, 2300);
}

static void others_are_not_early(void **state UNUSED)
{
    CLEANUP(loop) struct loop *loop = NULL;
    int64_t began = real_ms();
    int64_t fired_ms = 0;

    assert_int_equal(loop_new(&loop, NULL), 0);
    loop_add_timer(loop, clock_mono_ms() + 2500, on_timer, &fired_ms);
    while (!fired_ms)
        assert_int_equal(loop_step(loop, -1, NULL), 0);
    assert_in_range(fired_ms - began, 2495, 4000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deadlines_go_on),
        cmocka_unit_test(others_are_not_early),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
