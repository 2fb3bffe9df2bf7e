/* tests/unit/worker/gateway/address_test.c - special addresses, and ranges. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/unit.h"
#include "worker/gateway/address.h"

#include <arpa/inet.h>
#include <string.h>

static struct in6_addr address(const char *text)
{
    struct in6_addr v6;
    struct in_addr v4;

    if (inet_pton(AF_INET, text, &v4) == 1)
        return address_of_v4(v4);
    assert_int_equal(inet_pton(AF_INET6, text, &v6), 1);
    return v6;
}

static void test_special(void **state UNUSED)
{
    /* First and last of each, and what is beside it where that is public. */
    static const char *const refused[] = {
        "0.0.0.0",
        "0.255.255.255",
        "10.0.0.0",
        "10.255.255.255",
        "100.64.0.0",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.255",
        "169.254.0.0",
        "169.254.169.254",
        "169.254.255.255",
        "172.16.0.0",
        "172.31.255.255",
        "192.0.0.0",
        "192.0.0.9",
        "192.0.0.255",
        "192.0.2.1",
        "192.31.196.1",
        "192.52.193.1",
        "192.88.99.1",
        "192.168.0.0",
        "192.168.255.255",
        "192.175.48.1",
        "198.18.0.0",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.80",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::2",
        "::7f00:1",
        "::ffff:10.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::10.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "100::1",
        "100:0:0:1::1",
        "2001::1",
        "2001:0:808:808::1",
        "2001:1::1",
        "2001:2::1",
        "2001:3::1",
        "2001:4:112::1",
        "2001:10::1",
        "2001:20::1",
        "2001:30::1",
        "2001:1ff:ffff::1",
        "2001:db8::1",
        "2001:db8:ffff:ffff::1",
        "2002:a00:1::1",
        "2002:808:808::1",
        "2620:4f:8000::1",
        "3fff::1",
        "3fff:fff:ffff::1",
        "5f00::1",
        "fc00::1",
        "fdff::1",
        "fe80::1",
        "febf::1",
        "fec0::1",
        "ff02::1",
        "4000::1",
        "1fff::1",
        "200::1",
        "8000::1",
    };
    static const char *const public[] = {
        "1.1.1.1",         "9.255.255.255",   "11.0.0.0",
        "100.63.255.255",  "100.128.0.0",     "126.255.255.255",
        "128.0.0.0",       "169.253.255.255", "169.255.0.0",
        "172.15.255.255",  "172.32.0.0",      "191.255.255.255",
        "192.0.1.0",       "192.0.3.0",       "192.167.255.255",
        "192.169.0.0",     "198.17.255.255",  "198.20.0.0",
        "203.0.112.255",   "203.0.114.0",     "223.255.255.255",
        "2000::1",         "2001:200::1",     "2001:db7:ffff::1",
        "2001:db9::1",     "2003::1",         "2606:4700::1111",
        "2620:4f:7fff::1", "2620:4f:8001::1", "3ffe:ffff::1",
        "3fff:1000::1",    "::ffff:1.1.1.1",  "64:ff9b::1.1.1.1",
    };

    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        struct in6_addr a = address(refused[i]);

        if (!address_refused(&a, NULL, 0))
            fail_msg("%s is not refused", refused[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(public); i++) {
        struct in6_addr a = address(public[i]);
        const char *name = address_refused(&a, NULL, 0);

        if (name)
            fail_msg("%s is refused as %s", public[i], name);
    }
}

static void test_names(void **state UNUSED)
{
    struct in6_addr a = address("169.254.169.254");

    assert_string_equal(address_refused(&a, NULL, 0), "link local");
    a = address("64:ff9b::10.1.1.1");
    assert_string_equal(address_refused(&a, NULL, 0), "private use");
    a = address("2001:0:1::1");
    assert_string_equal(address_refused(&a, NULL, 0), "Teredo");
}

static bool allows(const char *text, const char *wanted)
{
    struct address_range range;
    struct in6_addr a = address(wanted);
    struct err err;

    if (address_range_parse(text, &range, &err) < 0)
        fail_msg("%s: %s", text, err.msg);
    return !address_refused(&a, &range, 1);
}

static void test_allowed(void **state UNUSED)
{
    assert_true(allows("10.1.0.0/16", "10.1.255.255"));
    assert_false(allows("10.1.0.0/16", "10.2.0.0"));
    assert_true(allows("10.1.2.3", "10.1.2.3"));
    assert_false(allows("10.1.2.3", "10.1.2.4"));
    assert_true(allows("10.0.0.0/9", "10.127.0.1"));
    assert_false(allows("10.0.0.0/9", "10.128.0.1"));
    assert_true(allows("10.0.0.0/8", "::ffff:10.0.0.1"));
    assert_true(allows("::ffff:10.0.0.0/104", "10.0.0.1"));
    assert_true(allows("fd12::/16", "fd12:1::1"));
    assert_false(allows("fd12::/16", "fd13::1"));
    assert_true(allows("0.0.0.0/0", "127.0.0.1"));
    assert_false(allows("0.0.0.0/0", "::1"));
    assert_true(allows("::/0", "127.0.0.1"));
    /* A public one that is not named stays allowed. */
    assert_true(allows("10.0.0.0/8", "1.1.1.1"));
    /* A translator that is allowed does not open what is behind it. */
    assert_false(allows("2002::/16", "2002:a00:1::1"));
    assert_true(allows("2002::/16", "2002:808:808::1"));
    assert_false(allows("64:ff9b::/96", "64:ff9b::10.0.0.1"));
    assert_true(allows("10.0.0.0/8", "64:ff9b::10.0.0.1"));
    assert_false(allows("10.0.0.0/8", "2002:a00:1::1"));
}

static void test_bad_ranges(void **state UNUSED)
{
    static const char *const bad[] = {
        "",
        "/",
        "/8",
        "10",
        "10.0.0",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/8/8",
        "10.0.0.0/8 ",
        " 10.0.0.0/8",
        "10.0.0.1/8",
        "010.0.0.0/8",
        "fd00::/129",
        "fd00::1/8",
        "fe80::1%lo",
        "10.0.0.0/0008",
        "localhost",
        "::ffff:10.0.0.1/104",
        "1111:2222:3333:4444:5555:6666:255.255.255.2555555",
    };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct address_range range;
        struct err err = {0};

        if (address_range_parse(bad[i], &range, &err) == 0)
            fail_msg("'%s' was taken", bad[i]);
        assert_int_equal(err.kind, ERR_USER);
    }
}

static void test_format(void **state UNUSED)
{
    char text[ADDRESS_TEXT_SIZE];
    struct in6_addr a = address("10.1.2.3");

    assert_string_equal(address_format(&a, text), "10.1.2.3");
    a = address("fd00::1");
    assert_string_equal(address_format(&a, text), "fd00::1");
}

static void test_of_site(void **state UNUSED)
{
    static const char *const yes[] = {
        "10.1.2.3",     "192.168.0.1", "127.0.0.1", "100.64.0.1",
        "203.0.113.80", "198.18.0.1",  "fd00::1",   "::ffff:10.0.0.1",
        "::1",          "2001:db8::1",
    };
    static const char *const no[] = {
        "169.254.169.254", "0.0.0.0",   "224.0.0.1",
        "240.0.0.1",       "fe80::1",   "64:ff9b::a9fe:a9fe",
        "2002:a09:807::1", "::",        "64:ff9b::a00:1",
        "93.184.216.34",   "2600::1",   "::ffff:169.254.169.254",
        "ff02::1",         "2001:0::1",
    };

    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        struct in6_addr one = address(yes[i]);

        if (!address_is_of_site(&one))
            fail_msg("%s is none", yes[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(no); i++) {
        struct in6_addr one = address(no[i]);

        if (address_is_of_site(&one))
            fail_msg("%s is one", no[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_of_site),    cmocka_unit_test(test_special),
        cmocka_unit_test(test_names),      cmocka_unit_test(test_allowed),
        cmocka_unit_test(test_bad_ranges), cmocka_unit_test(test_format),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
