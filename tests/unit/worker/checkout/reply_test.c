/* tests/unit/worker/checkout/reply_test.c - what checkout may say. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/checkout/reply.h"

#include "worker/checkout/protocol.h"
#include "worker/checkout/text.h"
#include "worker/checkout/transport.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define OID "0123456789abcdef0123456789abcdef01234567"

#define SUBMODULE(path, commit)                                                \
    "{\"submodule\":{\"path\":\"" path "\",\"url\":\"u\",\"commit\":\"" commit \
    "\"}}"
#define DONE(fetched, files)                                                   \
    "{\"done\":{\"commit\":\"" OID "\",\"branch\":\"b\",\"subject\":\"s\","    \
    "\"fetched\":" fetched ",\"files\":" files "}}"

static int parse(const char *line, struct reply *reply)
{
    struct err err = {0};
    int rc = reply_parse(line, strlen(line), reply, &err);

    assert_int_equal(err.kind, rc ? ERR_BUG : ERR_NONE);
    return rc;
}

static void test_good(void **state)
{
    CLEANUP(reply) struct reply progress = {0};
    CLEANUP(reply) struct reply connect = {0};
    CLEANUP(reply) struct reply submodule = {0};
    CLEANUP(reply) struct reply file = {0};
    CLEANUP(reply) struct reply untold = {0};
    CLEANUP(reply) struct reply fits = {0};
    CLEANUP(reply) struct reply large = {0};
    CLEANUP(reply) struct reply more = {0};
    CLEANUP(reply) struct reply done = {0};
    CLEANUP(reply) struct reply error = {0};

    (void)state;
    assert_int_equal(parse("{\"progress\":\"x\"}", &progress), 0);
    assert_string_equal(progress.text, "x");
    assert_int_equal(parse("{\"connect\":1}", &connect), 0);
    assert_int_equal(connect.connection, 1);
    assert_int_equal(parse(SUBMODULE("a/b", OID), &submodule), 0);
    assert_int_equal(submodule.kind, REPLY_SUBMODULE);
    assert_int_equal(parse("{\"file\":{\"size\":1048576}}", &file), 0);
    assert_int_equal(file.size, 1048576);
    assert_null(file.why);
    assert_int_equal(parse("{\"file\":{\"why\":\"w\"}}", &untold), 0);
    assert_string_equal(untold.why, "w");
    assert_null(untold.path);
    assert_int_equal(parse("{\"file\":{\"size\":1,\"path\":\"a/b\"}}", &fits),
                     0);
    assert_string_equal(fits.path, "a/b");
    assert_null(fits.why);
    assert_int_equal(
        parse("{\"file\":{\"why\":\"w\",\"path\":\"a/b\"}}", &large), 0);
    assert_string_equal(large.path, "a/b");
    assert_int_equal(parse(DONE("true", "3,\"more\":true"), &more), 0);
    assert_true(more.more);
    assert_false(done.more);
    assert_int_equal(parse(DONE("true", "3"), &done), 0);
    assert_int_equal(done.files, 3);
    assert_true(done.fetched);
    assert_int_equal(
        parse("{\"error\":{\"kind\":\"user\",\"message\":\"m\"}}", &error), 0);
    assert_int_equal(error.err_kind, ERR_USER);
}

static void test_bad(void **state)
{
    static const char *const bad[] = {
        "",
        "x",
        "[]",
        "{}",
        "1",
        "{\"progress\":1}",
        "{\"progress\":\"x\",\"connect\":0}",
        "{\"progress\":\"x\",\"progress\":\"y\"}",
        "{\"connect\":-1}",
        "{\"connect\":2}",
        "{\"connect\":\"0\"}",
        "{\"connect\":4294967296}",
        "{\"other\":1}",
        "{\"error\":{\"kind\":\"lost\",\"message\":\"m\"}}",
        "{\"error\":{\"kind\":\"user\"}}",
        "{\"file\":{}}",
        "{\"file\":{\"size\":-1}}",
        "{\"file\":{\"size\":1048577}}",
        "{\"file\":{\"size\":\"1\"}}",
        "{\"file\":{\"size\":1,\"why\":\"w\"}}",
        "{\"file\":{\"size\":1,\"path\":\"../a\"}}",
        "{\"file\":{\"why\":\"w\",\"path\":\"a/.git\"}}",
        "{\"file\":{\"why\":\"w\",\"path\":1}}",
        "{\"file\":{\"path\":\"a\"}}",
        SUBMODULE("../a", OID),
        SUBMODULE("a", "HEAD"),
        DONE("1", "3"),
        DONE("true", "-1"),
        DONE("true", "3,\"more\":1"),
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct reply reply = {0};

        if (parse(bad[i], &reply) == 0)
            fail_msg("taken: %s", bad[i]);
    }
}

static void test_text(void **state)
{
    static const struct {
        const char *in;
        const char *out;
    } cases[] = {
        {"plain äöü €", "plain äöü €"},
        {"a\x1b[31mb\nc\x7f", "a [31mb c "},
        {"\xff\xfe", "??"},
        {"cut \xe2\x82", "cut ??"},
        {"over\xc0\xaflong", "over??long"},
        {"c1 \xc2\x9b"
         "31m",
         "c1   31m"},
        {"sur\xed\xa0\x80", "sur???"},
        {"\xf4\x90\x80\x80", "????"},
        {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *text = xstrdup(cases[i].in);

        text_clean(text);
        assert_string_equal(text, cases[i].out);
        free(text);
    }
}

static void test_explain(void **state)
{
    static const struct {
        const char *said;
        enum err_kind kind; /* ERR_NONE: it says nothing */
        const char *means;
    } cases[] = {
        {"", ERR_NONE, ""},
        {"\n \n", ERR_NONE, ""},
        {"fatal: the remote end hung up unexpectedly\n", ERR_NONE, ""},
        {"git@h: Permission denied (publickey).\r\nfatal: Could not read\n",
         ERR_USER, "no key of ours"},
        {"ERROR: Repository not found.\nfatal: x\n\nPlease make sure you have "
         "the correct access rights\nand the repository exists.\n",
         ERR_USER, "no such repository"},
        {"fatal: '/x' does not appear to be a git repository\n", ERR_USER,
         "no git repository"},
        {"ssh: connect to host h port 22: Connection refused\n", ERR_TRANSIENT,
         "Connection refused"},
        {"Host key verification failed.\n", ERR_USER, "known_hosts"},
    };
    CLEANUP(url) struct url url = {0};
    struct err err = {0};

    (void)state;
    assert_int_equal(url_parse("git@h:x", &url, &err), 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        bool says;

        memset(&err, 0, sizeof(err));
        says = transport_explain(&url, cases[i].said, &err);
        assert_int_equal(says, cases[i].kind != ERR_NONE);
        assert_int_equal(err.kind, cases[i].kind);
        assert_non_null(strstr(err.msg, cases[i].means));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_explain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
