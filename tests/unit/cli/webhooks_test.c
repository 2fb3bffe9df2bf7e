/* tests/unit/cli/webhooks_test.c - secrets and addresses as configured. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/webhooks.h"
#include "tests/lib/unit.h"

#include <netinet/in.h>
#include <string.h>

static void test_items(void **state UNUSED)
{
    static const char *const good[] = {"file:/x", "env:A", "o@file:/x",
                                       "o/n@env:A", "file:/a@b"};
    static const char *const bad[] = {
        "",    "file:x", "env:",    "@env:A", "hunter2", "o@",
        "o@x", "o@env:", "o:env:A", "@",      "o@file:x"};

    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        if (webhook_secret_item_check(good[i], NULL) < 0)
            fail_msg("refused: '%s'", good[i]);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err err = {0};

        if (webhook_secret_item_check(bad[i], &err) == 0)
            fail_msg("taken: '%s'", bad[i]);
        assert_int_equal(err.kind, ERR_USER);
    }
}

static void test_addresses(void **state UNUSED)
{
    static const char *const bad[] = {
        "",      "127.0.0.1", "127.0.0.1:",    "127.0.0.1:x",     "localhost:1",
        "[::1]", "::1:80",    "[127.0.0.1]:1", "127.0.0.1:65536", ":80",
        "[]:1",  "[::1:1"};
    struct sockaddr_storage address = {0};
    struct sockaddr_in6 in6;
    struct sockaddr_in in;

    assert_int_equal(webhook_address("127.0.0.1:0", &address, NULL), 0);
    memcpy(&in, &address, sizeof(in));
    assert_int_equal(in.sin_family, AF_INET);
    assert_int_equal(in.sin_port, 0);
    assert_int_equal(webhook_address("[::1]:8480", &address, NULL), 0);
    memcpy(&in6, &address, sizeof(in6));
    assert_int_equal(in6.sin6_family, AF_INET6);
    assert_int_equal(ntohs(in6.sin6_port), 8480);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err err = {0};

        if (webhook_address(bad[i], &address, &err) == 0)
            fail_msg("taken: '%s'", bad[i]);
        assert_int_equal(err.kind, ERR_USER);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_items),
        cmocka_unit_test(test_addresses),
    };

    return cmocka_run_group_tests_name("cli/webhooks", tests, NULL, NULL);
}
