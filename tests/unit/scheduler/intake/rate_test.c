/* tests/unit/scheduler/intake/rate_test.c - how often is too often. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/intake/rate.h"

#include "tests/lib/unit.h"

#include <arpa/inet.h>
#include <stdio.h>

static int64_t take(struct rate *rate, const char *address, int64_t now_ms)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    struct sockaddr_in in = {.sin_family = AF_INET};

    if (inet_pton(AF_INET, address, &in.sin_addr) == 1)
        return rate_take(rate, (const struct sockaddr *)&in, now_ms);
    assert_int_equal(inet_pton(AF_INET6, address, &in6.sin6_addr), 1);
    return rate_take(rate, (const struct sockaddr *)&in6, now_ms);
}

static void test_window(void **state UNUSED)
{
    CLEANUP(rate) struct rate *rate = rate_new(2);

    assert_int_equal(take(rate, "192.0.2.1", 1000), 0);
    assert_int_equal(take(rate, "192.0.2.1", 2000), 0);
    assert_int_equal(take(rate, "192.0.2.1", 3000), 58000);
    assert_int_equal(take(rate, "192.0.2.1", 60999), 1);
    assert_int_equal(take(rate, "192.0.2.1", 61000), 0);
    assert_int_equal(take(rate, "192.0.2.1", 61000), 0);
    assert_int_equal(take(rate, "192.0.2.1", 61000), 60000);
}

static void test_addresses(void **state UNUSED)
{
    CLEANUP(rate) struct rate *rate = rate_new(1);
    unsigned free_ones = 0;
    char address[32];

    assert_int_equal(take(rate, "2001:db8::1", 0), 0);
    assert_int_not_equal(take(rate, "2001:db8::ffff:2", 0), 0);
    /* Few of these share a counter. */
    for (int i = 0; i < 100; i++) {
        (void)snprintf(address, sizeof(address), "192.0.2.%d", i);
        free_ones += take(rate, address, 0) == 0;
    }
    assert_true(free_ones > 80);
}

static void test_none(void **state UNUSED)
{
    CLEANUP(rate) struct rate *rate = rate_new(0);

    for (int i = 0; i < 1000; i++)
        assert_int_equal(take(rate, "192.0.2.1", 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_none),
    };

    return cmocka_run_group_tests_name("scheduler/intake/rate", tests, NULL,
                                       NULL);
}
