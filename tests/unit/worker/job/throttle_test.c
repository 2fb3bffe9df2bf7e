/* tests/unit/worker/job/throttle_test.c - how fast a job may print. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "worker/job/throttle.h"

static struct loop *loop;
static struct output *output;
static struct throttle *throttle;
static bool held;
static unsigned changes;

/* The machine of the tests: all that is asked of it is to hold output. */
static void pause_output(struct sandbox *sandbox UNUSED, bool paused)
{
    held = paused;
    changes++;
}

static const struct sandbox_driver driver = {.pause_output = pause_output};

const struct sandbox_driver *
machine_driver(const struct machine *machine UNUSED)
{
    return &driver;
}

struct sandbox *machine_sandbox(const struct machine *machine UNUSED)
{
    return NULL;
}

static int setup(void **state UNUSED)
{
    struct err err = {0};

    assert_int_equal(loop_new(&loop, &err), 0);
    output = output_new(NULL);
    throttle = throttle_new(loop, NULL, output);
    held = false;
    changes = 0;
    return 0;
}

static int teardown(void **state UNUSED)
{
    throttle_free(throttle);
    output_free(output);
    loop_free(loop);
    return 0;
}

static void wait_while_held(int64_t limit_ms)
{
    int64_t until = clock_mono_ms() + limit_ms;
    struct err err = {0};

    while (held && clock_mono_ms() < until)
        assert_int_equal(loop_step(loop, 50, &err), 0);
}

static void test_burst(void **state UNUSED)
{
    for (int64_t sent = 0; sent < THROTTLE_BURST_BYTES; sent += 65536)
        throttle_count(throttle, 65536);
    assert_false(held);
    assert_int_equal(changes, 0);
}

static void test_rate(void **state UNUSED)
{
    int64_t before = clock_mono_ms();

    throttle_count(throttle, (size_t)THROTTLE_BURST_BYTES);
    throttle_count(throttle, (size_t)THROTTLE_BYTES_A_SECOND / 2);
    assert_true(held);
    /* What was on its way comes all the same, and counts. */
    throttle_count(throttle, (size_t)THROTTLE_BYTES_A_SECOND / 4);
    assert_int_equal(changes, 1);
    wait_while_held(30000);
    assert_false(held);
    assert_int_equal(changes, 2);
    assert_in_range(clock_mono_ms() - before, 700, 4000);
}

static void test_lets_go(void **state UNUSED)
{
    throttle_count(throttle, 2 * (size_t)THROTTLE_BURST_BYTES);
    assert_true(held);
    throttle_free(STEAL(throttle));
    assert_false(held);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_burst, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rate, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lets_go, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
