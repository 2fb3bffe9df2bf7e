/* tests/unit/worker/supervisor/faults_test.c - a host without sandboxes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/worker/supervisor/rig.h"
#include "worker/supervisor/faults.h"

/* ---- when it pauses ------------------------------------------------------ */

static void fail_times(struct faults *faults, unsigned times, int64_t now)
{
    while (times--)
        faults_failed(faults, "no runtime", now);
}

static void test_three_in_a_row(void **state UNUSED)
{
    struct faults faults = {0};

    fail_times(&faults, FAULTS_IN_A_ROW - 1, 1000);
    faults_worked(&faults);
    fail_times(&faults, FAULTS_IN_A_ROW - 1, 1000);
    assert_true(faults_allow(&faults, 1000));
    assert_string_equal(faults.refuses, "");
    fail_times(&faults, 1, 1000);
    assert_string_equal(faults.refuses, "sandboxes fail here: no runtime");
    assert_false(faults_allow(&faults, 1000 + FAULTS_PAUSE_MS - 1));
    assert_true(faults_allow(&faults, 1000 + FAULTS_PAUSE_MS));
}

static void test_pauses_grow(void **state UNUSED)
{
    struct faults faults = {0};
    int64_t now = 5000, pause = FAULTS_PAUSE_MS;

    fail_times(&faults, FAULTS_IN_A_ROW, now);
    for (int i = 0; i < 10; i++) {
        fail_times(&faults, 5, now + 1); /* which ran beside the third */
        assert_false(faults_allow(&faults, now + pause - 1));
        now += pause;
        assert_true(faults_allow(&faults, now));
        fail_times(&faults, 1, now);
        pause =
            2 * pause < FAULTS_MAX_PAUSE_MS ? 2 * pause : FAULTS_MAX_PAUSE_MS;
    }
    assert_false(faults_allow(&faults, now + FAULTS_MAX_PAUSE_MS - 1));
    faults_worked(&faults);
    assert_true(faults_allow(&faults, now));
    fail_times(&faults, FAULTS_IN_A_ROW, now);
    assert_true(faults_allow(&faults, now + FAULTS_PAUSE_MS)); /* from anew */
}

static void test_one_on_trial(void **state UNUSED)
{
    struct faults faults = {0};
    const int64_t later = FAULTS_PAUSE_MS;
    const int before = 0, one = 0, other = 0;

    faults_took(&faults, &before);
    fail_times(&faults, FAULTS_IN_A_ROW, 0);
    faults_took(&faults, &one);
    assert_false(faults_allow(&faults, later));
    faults_over(&faults, &before);
    assert_false(faults_allow(&faults, later));
    faults_over(&faults, &one); /* cancelled, say */
    assert_true(faults_allow(&faults, later));
    faults_took(&faults, &other);
    faults_worked(&faults);
    assert_true(faults_allow(&faults, later));
    assert_string_equal(faults.refuses, "");
}

/* ---- a worker that does -------------------------------------------------- */

static void test_black_hole(void **state)
{
    struct fixture *f = *state;
    int64_t began;

    submit(f, "a", "no_sandbox");
    submit(f, "b", "no_sandbox");
    submit(f, "c", "no_sandbox");
    submit(f, "d", "pass");
    submit(f, "e", "no_sandbox");
    submit(f, "f", "no_sandbox");
    submit(f, "g", "pass");
    start_supervisor(f, 1, 4000);
    run_until(f, &f->seen.ended, FAULTS_IN_A_ROW);
    began = clock_mono_ms();
    run_for(f, 1000);
    assert_int_equal(f->seen.started, FAULTS_IN_A_ROW);
    await_fact(f, "refuses", "sandboxes fail here: no runtime");
    assert_string_equal(supervisor_refuses(f->supervisor),
                        "sandboxes fail here: no runtime");
    run_to(f, &f->seen.started, FAULTS_IN_A_ROW + 1);
    assert_in_range(clock_mono_ms() - began, FAULTS_PAUSE_MS - 1000, 25000);
    /* It passes, and two that fail are not enough. */
    run_until(f, &f->seen.ended, 7);
    expect(f, "g", "passed", "");
    await_fact(f, "refuses", "");
}

/* A sandbox that fails in the middle of a job is another matter. */
static void test_not_at_once(void **state)
{
    struct fixture *f = *state;

    submit(f, "a", "die");
    submit(f, "b", "die");
    submit(f, "c", "die");
    submit(f, "d", "pass");
    start_supervisor(f, 1, 4000);
    run_until(f, &f->seen.ended, 4);
    expect(f, "a", "failed", "sandbox_failed");
    assert_string_equal(supervisor_refuses(f->supervisor), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_three_in_a_row),
        cmocka_unit_test(test_pauses_grow),
        cmocka_unit_test(test_one_on_trial),
        cmocka_unit_test_setup_teardown(test_black_hole, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_at_once, setup, teardown),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
