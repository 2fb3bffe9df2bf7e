/* tests/unit/cli/credential_test.c - passwords in addresses. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/credential.h"
#include "tests/lib/unit.h"

#include <string.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
