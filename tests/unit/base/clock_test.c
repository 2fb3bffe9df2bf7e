/* tests/unit/base/clock_test.c - time that goes on, and stamps. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/mem.h"
#include "tests/lib/unit.h"

#include <string.h>
#include <time.h>

static void monotonic_goes_on(void **state UNUSED)
{
    struct timespec pause = {.tv_nsec = 20000000};
    int64_t before = clock_mono_ms();
    int64_t took;

    (void)nanosleep(&pause, NULL);
    took = clock_mono_ms() - before;
    assert_in_range(took, 19, 10000);
}

static void wall_is_now(void **state UNUSED)
{
    int64_t off = clock_wall_ms() / 1000 - (int64_t)time(NULL);

    assert_true(off >= -1 && off <= 1);
}

static void stamps(void **state UNUSED)
{
    char out[CLOCK_STAMP_SIZE];

    assert_string_equal(clock_stamp(0, out), "1970-01-01T00:00:00.000Z");
    assert_string_equal(clock_stamp(1795395723004, out),
                        "2026-11-23T01:02:03.004Z");
    assert_string_equal(clock_stamp(951782400999, out),
                        "2000-02-29T00:00:00.999Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(monotonic_goes_on),
        cmocka_unit_test(wall_is_now),
        cmocka_unit_test(stamps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
