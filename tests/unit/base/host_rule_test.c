/* tests/unit/base/host_rule_test.c - names of hosts, and patterns of them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/host_rule.h"
#include "tests/lib/unit.h"

#include <string.h>

static void test_names(void **state UNUSED)
{
    static const struct {
        const char *text, *name; /* NULL: refused */
    } cases[] = {
        {"example.com", "example.com"},
        {"Example.COM.", "example.com"},
        {"a_b.x-1.example", "a_b.x-1.example"},
        {"localhost", "localhost"},
        {"xn--bcher-kva.example", "xn--bcher-kva.example"},
        {"1.example", "1.example"},
        {"", NULL},
        {".", NULL},
        {"a..b", NULL},
        {".a", NULL},
        {"a.b..", NULL},
        {"-a.b", NULL},
        {"a-.b", NULL},
        {"127.0.0.1", NULL},
        {"127.1", NULL},
        {"2130706433", NULL},
        {"0x7f000001", NULL},
        {"a.0x7f", NULL},
        {"a.0x", NULL},
        {"0x7f.1.", NULL},
        {"[::1]", NULL},
        {"::1", NULL},
        {"a b", NULL},
        {"a/b", NULL},
        {"a@b", NULL},
        {"b\xc3\xbc"
         "cher.example",
         NULL},
        {"a.b%00", NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char out[HOST_NAME_SIZE] = "untouched";
        struct err err = {0};
        int rc =
            host_name_parse(cases[i].text, strlen(cases[i].text), out, &err);

        if (rc != (cases[i].name ? 0 : -1))
            fail_msg("'%s': %d %s", cases[i].text, rc, err.msg);
        assert_string_equal(out, cases[i].name ? cases[i].name : "untouched");
        assert_int_equal(err.kind, rc ? ERR_USER : ERR_NONE);
    }
}

static void test_lengths(void **state UNUSED)
{
    char name[300], out[HOST_NAME_SIZE];
    struct err err;

    memset(name, 'a', sizeof(name));
    for (size_t i = 63; i < sizeof(name); i += 64)
        name[i] = '.';
    assert_int_equal(host_name_parse(name, 253, out, &err), 0);
    assert_int_equal(strlen(out), 253);
    assert_int_equal(host_name_parse(name, 254, out, &err), -1);
    assert_int_equal(host_name_parse(name, 63, out, &err), 0);
    name[63] = 'a';
    assert_int_equal(host_name_parse(name, 64, out, &err), -1);
    /* A NUL is no end. */
    assert_int_equal(host_name_parse("a.b\0c", 5, out, &err), -1);
}

static void test_rules(void **state UNUSED)
{
    static const struct {
        const char *rule, *host;
        int port;
        bool allowed;
    } cases[] = {
        {"example.com", "example.com", 443, true},
        {"example.com", "example.com", 80, true},
        {"example.com", "example.com", 8443, false},
        {"example.com", "www.example.com", 443, false},
        {"example.com", "badexample.com", 443, false},
        {"example.com", "example.com.evil.org", 443, false},
        {"EXAMPLE.com", "example.com", 443, true},
        {"example.com:8443", "example.com", 8443, true},
        {"example.com:8443", "example.com", 443, false},
        {"*.example.com", "a.example.com", 443, true},
        {"*.example.com", "a.b.example.com", 443, true},
        {"*.example.com", "example.com", 443, false},
        {"*.example.com", "badexample.com", 443, false},
        {"*.example.com", ".example.com", 443, false},
        {"*.example.com:22", "a.example.com", 22, true},
        {"*.example.com:22", "a.example.com", 443, false},
        {"nexus:8081", "nexus", 8081, true},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct host_rule rule;
        struct err err;

        assert_int_equal(host_rule_parse(cases[i].rule, &rule, &err), 0);
        if (host_rule_allows(&rule, cases[i].host, (uint16_t)cases[i].port) !=
            cases[i].allowed)
            fail_msg("%s of %s:%d", cases[i].rule, cases[i].host,
                     cases[i].port);
    }
}

static void test_bad_rules(void **state UNUSED)
{
    static const struct {
        const char *rule, *says;
    } cases[] = {
        {"", "1 to 253"},
        {"nexus", "needs its port, as in nexus:443"},
        {"*", "stands alone"},
        {"*.com", "two names"},
        {"*.com:443", "two names"},
        {"a.*.com", "stands alone"},
        {"*example.com", "stands alone"},
        {"example.com:", "a port"},
        {"example.com:0", "a port"},
        {"example.com:080", "a port"},
        {"example.com:65536", "a port"},
        {"example.com:4294967739", "a port"},
        {"example.com:18446744073709552059", "a port"},
        {"example.com:+80", "a port"},
        {"example.com: 80", "a port"},
        {"example.com:https", "a port"},
        {"10.0.0.1", "by name"},
        {"10.0.0.1:80", "by name"},
        {"::1", "by name"},
        {"[::1]:80", "by name"},
        {"https://example.com", "stands alone"},
        {"example.com/path", "letters"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct host_rule rule;
        struct err err = {0};

        if (host_rule_parse(cases[i].rule, &rule, &err) == 0)
            fail_msg("'%s' was taken", cases[i].rule);
        if (!strstr(err.msg, cases[i].says))
            fail_msg("'%s': %s", cases[i].rule, err.msg);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_bad_rules),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
