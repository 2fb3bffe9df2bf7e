/* tests/unit/cli/credential_test.c - passwords in addresses. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/credential.h"
#include "tests/lib/unit.h"

#include <string.h>

static void check(const char *url, const char *text, const char *wanted)
{
    CLEANUP(credential) struct credential *credential = credential_of(url);
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;

    credential_mask(credential, text, strlen(text), &out);
    assert_string_equal(out.data, wanted);
}

static void test_mask(void **state)
{
    (void)state;
    check("https://me:s3cret@host/a.git", "https://me:s3cret@host/a.git",
          "https://***@host/a.git");
    check("https://me:s3cret@host/a.git", "auth for s3cret failed, s3cret",
          "auth for *** failed, ***");
    check("https://ghp_token@host/a", "token ghp_token", "token ***");
    check("https://me:p%40ss@host/a", "p%40ss or p@ss", "*** or ***");
    check("https://a:b:c/d@host/a", "https://a:b:c/d@host/a",
          "https://a:b:c/d@host/a"); /* no authority may hold a '/' */
    check("https://me:p@ss@host/a", "https://me:p@ss@host/a",
          "https://***@host/a");
    check("https://me:x@host/a", "x-ray of https://me:x@host/a",
          "x-ray of https://***@host/a");
    check("ssh://git:pass1@host/a", "pass1", "***");
}

static void test_nothing_to_hide(void **state)
{
    (void)state;
    assert_null(credential_of("https://host/a@b"));
    assert_null(credential_of("https://host/a?x=y@z"));
    assert_null(credential_of("ssh://git@host/a"));
    assert_null(credential_of("git@host:a/b"));
    assert_null(credential_of("/some/path@x"));
    check("https://host/a", "text as it is", "text as it is");
}

static void check_split(const char *url, const char *wanted,
                        const char *username, const char *password)
{
    CLEANUP(mem) char *bare = NULL;
    json_t *secrets = NULL;
    struct err err = {0};

    assert_int_equal(credential_split(url, &bare, &secrets, &err), 0);
    assert_string_equal(bare, wanted);
    assert_int_equal(secrets != NULL, username != NULL);
    if (username) {
        assert_string_equal(
            json_string_value(json_object_get(secrets, "username")), username);
        assert_string_equal(
            json_string_value(json_object_get(secrets, "password")), password);
    }
    json_decref(secrets);
}

static void test_split(void **state)
{
    static const char *const refused[] = {
        "ssh://git:SECRET@host/a",    "git:SECRET@host:a/b",
        "file://u:SECRET@host/a",     "https://u:SECRET%zz@host/a",
        "https://u:SECRET%00x@h/a",   "https://u:SECRET\xff@h/a",
        "https://SECRET%0@host/path",
    };

    (void)state;
    check_split("https://me:s3cret@host:8/a.git", "https://host:8/a.git", "me",
                "s3cret");
    check_split("HTTPS://tok@host/a@b", "HTTPS://host/a@b", "tok", "");
    check_split("http://m%40x:p%2f:@ss@host/a", "http://host/a", "m@x",
                "p/:@ss");
    check_split("https://me:p?w#d@host/a", "https://host/a", "me", "p?w#d");
    check_split("https://host/a@b", "https://host/a@b", NULL, NULL);
    check_split("ssh://git@host/a", "ssh://git@host/a", NULL, NULL);
    check_split("git@host:a/b", "git@host:a/b", NULL, NULL);
    check_split("/some/path:x@y:z", "/some/path:x@y:z", NULL, NULL);
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        char *bare = NULL;
        json_t *secrets = NULL;
        struct err err = {0};

        assert_int_equal(credential_split(refused[i], &bare, &secrets, &err),
                         -1);
        assert_int_equal(err.kind, ERR_USER);
        assert_null(strstr(err.msg, "SECRET"));
        assert_null(bare);
        assert_null(secrets);
    }
}

static void test_json(void **state)
{
    CLEANUP(credential)
    struct credential *credential = credential_of("https://me:s3cret@h/a");
    CLEANUP(mem) char *got = NULL;
    json_t *doc =
        json_loads("{\"a\":[\"s3cret\",{\"b\":\"x s3cret\"},1]}", 0, NULL);

    (void)state;
    credential_mask_json(credential, doc);
    got = json_dumps(doc, JSON_COMPACT);
    assert_string_equal(got, "{\"a\":[\"***\",{\"b\":\"x ***\"},1]}");
    credential_mask_json(NULL, doc);
    json_decref(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mask),
        cmocka_unit_test(test_nothing_to_hide),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
