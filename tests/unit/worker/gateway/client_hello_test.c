/* tests/unit/worker/gateway/client_hello_test.c - the name in a ClientHello. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "hello.h"
#include "tests/lib/unit.h"
#include "worker/gateway/client_hello.h"

#include <stdlib.h>
#include <string.h>

/* With `name` as its only server name, padded to about `pad` bytes. */
static void make(struct strbuf *out, const char *name, size_t record,
                 size_t pad)
{
    CLEANUP(strbuf) struct strbuf names = STRBUF_INIT;
    CLEANUP(strbuf) struct strbuf extensions = STRBUF_INIT;
    CLEANUP(strbuf) struct strbuf message = STRBUF_INIT;
    CLEANUP(mem) char *padding = xcalloc(1, pad + 1);

    hello_extension(&extensions, 43, "\x02\x03\x04", 3);
    if (pad)
        hello_extension(&extensions, 21, padding, pad);
    if (name) {
        hello_name(&names, 0, name, strlen(name));
        hello_names(&extensions, &names);
    }
    hello_message(&message, &extensions);
    hello_records(out, &message, record);
}

static void assert_refused(const struct strbuf *hello, const char *says)
{
    char name[HOST_NAME_SIZE] = "untouched";
    struct err err = {0};
    int rc = client_hello_name(hello->data, hello->len, name, &err);

    if (rc != -1 || !strstr(err.msg, says))
        fail_msg("%d, not refused with '%s': %s", rc, says, err.msg);
    assert_int_equal(err.kind, ERR_USER);
    assert_string_equal(name, "untouched");
}

/* In one record and in many, and in whatever pieces it comes. */
static void test_name(void **state UNUSED)
{
    static const size_t records[] = {16384, 100, 7, 1};

    for (size_t i = 0; i < ARRAY_LEN(records); i++) {
        CLEANUP(strbuf) struct strbuf hello = STRBUF_INIT;
        char name[HOST_NAME_SIZE] = "";
        struct err err;

        make(&hello, "Registry.Example", records[i], 0);
        for (size_t len = 0; len < hello.len; len++)
            assert_int_equal(client_hello_name(hello.data, len, name, &err), 0);
        assert_int_equal(client_hello_name(hello.data, hello.len, name, &err),
                         1);
        assert_string_equal(name, "registry.example");
        strbuf_adds(&hello, "what comes behind it");
        assert_int_equal(
            client_hello_name(hello.data, hello.len - 20, name, &err), 1);
    }
}

static void test_large(void **state UNUSED)
{
    CLEANUP(strbuf) struct strbuf fits = STRBUF_INIT;
    CLEANUP(strbuf) struct strbuf large = STRBUF_INIT;
    CLEANUP(strbuf) struct strbuf split = STRBUF_INIT;
    char name[HOST_NAME_SIZE];
    struct err err;

    make(&fits, "a.example", 16384, 19000);
    assert_int_equal(client_hello_name(fits.data, fits.len, name, &err), 1);
    make(&large, "a.example", 16384, 30000);
    assert_refused(&large, "too long");
    strbuf_cut(&large, 20);
    assert_refused(&large, "too long");
    /* Records of one byte each take six. */
    make(&split, "a.example", 1, 4000);
    assert_refused(&split, "too long");
}

static void test_no_name(void **state UNUSED)
{
    CLEANUP(strbuf) struct strbuf none = STRBUF_INIT;
    CLEANUP(strbuf) struct strbuf message = STRBUF_INIT;
    CLEANUP(strbuf) struct strbuf old = STRBUF_INIT;

    make(&none, NULL, 16384, 0);
    assert_refused(&none, "names no server");
    hello_message(&message, NULL);
    hello_records(&old, &message, 16384);
    assert_refused(&old, "names no server");
}

static void test_bad_names(void **state UNUSED)
{
    static const char *const bad[] = {"10.0.0.1", "", "a b.example", "::1"};

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CLEANUP(strbuf) struct strbuf hello = STRBUF_INIT;

        make(&hello, bad[i], 16384, 0);
        assert_refused(&hello, "SNI");
    }
}

/* Two names in one extension, or two extensions, or another kind of name. */
static void test_two_names(void **state UNUSED)
{
    for (int way = 0; way < 4; way++) {
        CLEANUP(strbuf) struct strbuf names = STRBUF_INIT;
        CLEANUP(strbuf) struct strbuf extensions = STRBUF_INIT;
        CLEANUP(strbuf) struct strbuf message = STRBUF_INIT;
        CLEANUP(strbuf) struct strbuf hello = STRBUF_INIT;

        hello_name(&names, way == 1, "a.example\0b", way == 3 ? 11 : 9);
        if (way == 0)
            hello_name(&names, 0, "b.example", 9);
        hello_names(&extensions, &names);
        if (way == 2)
            hello_names(&extensions, &names);
        hello_message(&message, &extensions);
        hello_records(&hello, &message, 16384);
        assert_refused(&hello, way == 2   ? "two TLS"
                               : way == 3 ? "SNI"
                                          : "malformed");
    }
}

static void test_not_tls(void **state UNUSED)
{
    static const char *const bad[] = {
        "GET / HTTP/1.1\r\n\r\n", "SSH-2.0-OpenSSH\r\n",
        "\x80\x2e\x01\x03\x01",   "G",
        "\x17\x03\x03\x7f\x7f",   "\x16\x02\x03\x7f\x7f",
        "\x16\x03\x03\x7f\x7f",   "\x16\x03\x03\x01\x01\x02",
    };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CLEANUP(strbuf) struct strbuf hello = STRBUF_INIT;

        strbuf_adds(&hello, bad[i]);
        assert_refused(&hello, "TLS");
    }
}

/* One length wrong in any of its bytes: no crash, and never a wrong name. */
static void test_damage(void **state UNUSED)
{
    CLEANUP(strbuf) struct strbuf hello = STRBUF_INIT;

    make(&hello, "a.example", 16384, 0);
    for (size_t at = 0; at < hello.len - 9; at++) {
        char was = hello.data[at];
        char name[HOST_NAME_SIZE];
        struct err err;

        for (int change = 1; change < 256; change++) {
            hello.data[at] = (char)(was + change);
            if (client_hello_name(hello.data, hello.len, name, &err) == 1)
                assert_string_equal(name, "a.example");
        }
        hello.data[at] = was;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_name),      cmocka_unit_test(test_large),
        cmocka_unit_test(test_no_name),   cmocka_unit_test(test_bad_names),
        cmocka_unit_test(test_two_names), cmocka_unit_test(test_not_tls),
        cmocka_unit_test(test_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
