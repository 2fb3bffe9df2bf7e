/* tests/unit/worker/logs/needles_test.c - what has to be masked. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strbuf.h"
#include "tests/lib/unit.h"
#include "worker/logs/needles.h"

#include <stdlib.h>
#include <string.h>

static bool has(const struct needles *needles, const char *text)
{
    for (size_t i = 0; i < needles_count(needles); i++) {
        size_t len;
        const char *needle = needles_get(needles, i, &len);

        if (len == strlen(text) && memcmp(needle, text, len) == 0)
            return true;
    }
    return false;
}

static bool add(struct needles *needles, const char *value)
{
    return needles_add(needles, value, strlen(value));
}

static void a_value_has_forms(void **state UNUSED)
{
    CLEANUP(needles) struct needles *needles = needles_new();

    assert_int_equal(needles_count(needles), 0);
    assert_true(add(needles, " \n hunter/22\r\n"));
    assert_true(has(needles, "hunter/22"));
    assert_true(has(needles, "hunter%2F22"));
    assert_true(has(needles, "hunter\\/22"));
    assert_true(has(needles, "aHVudGVyLzIy"));
    assert_true(has(needles, "68756e7465722f3232"));
    assert_false(has(needles, " \n hunter/22\r\n"));
}

static void no_needle_is_short_or_repeated(void **state UNUSED)
{
    CLEANUP(needles) struct needles *needles = needles_new();
    size_t len;

    assert_true(add(needles, "s3cr"));
    assert_true(needles_count(needles) > 5);
    for (size_t i = 0; i < needles_count(needles); i++) {
        const char *needle = needles_get(needles, i, &len);

        assert_true(len >= NEEDLES_MIN_VALUE);
        for (size_t j = 0; j < i; j++) {
            size_t other_len;
            const char *other = needles_get(needles, j, &other_len);

            assert_false(len == other_len && memcmp(needle, other, len) == 0);
        }
    }
}

static void trivial_values_are_refused(void **state UNUSED)
{
    static const char *const trivial[] = {
        "",     "a",    "abc",   "   abc  ",  "true", "False", "NULL",
        "none", "test", "aaaaa", "*********", "1234", "12345", "password",
    };
    static const char *const fine[] = {
        "abcd", "truer", "123456", "1234a", "aaab", "a  b", "\xff\xfe\xfd\xfc",
    };
    CLEANUP(needles) struct needles *needles = needles_new();

    for (size_t i = 0; i < ARRAY_LEN(trivial); i++) {
        if (add(needles, trivial[i]))
            fail_msg("'%s' was added", trivial[i]);
        assert_int_equal(needles_count(needles), 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(fine); i++) {
        if (!add(needles, fine[i]))
            fail_msg("'%s' was not added", fine[i]);
        assert_true(has(needles, fine[i]));
    }
}

static void lines_stand_alone(void **state UNUSED)
{
    CLEANUP(needles) struct needles *needles = needles_new();

    assert_true(add(needles, "first line\n  sec\"ond line\r\nshort\n"));
    assert_true(has(needles, "first line\n  sec\"ond line\r\nshort"));
    assert_true(has(needles, "first line\r\n  sec\"ond line\r\nshort"));
    assert_true(has(needles, "first line\\n  sec\"ond line\\nshort"));
    assert_true(has(needles, "first line"));
    assert_true(has(needles, "sec\"ond line"));
    assert_true(has(needles, "sec\\\"ond line"));
    assert_false(has(needles, "short"));
}

#define BODY_1                                                                 \
    "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"
#define BODY_2 "MzEfYyjiWA4R4/M2bS1GB4t7NXp98C3S"
#define BEGIN  "-----BEGIN RSA PRIVATE KEY-----"
#define END    "-----END RSA PRIVATE KEY-----"

/* As the key file of a cloud has it. */
static void a_key_in_json_is_found(void **state UNUSED)
{
    CLEANUP(needles) struct needles *needles = needles_new();

    assert_true(add(needles, "{\"type\": \"x\", \"private_key\": \"" BEGIN
                             "\\r\\n" BODY_1 "\\n" BODY_2 "\\n" END
                             "\\n\", \"more\": \"" BEGIN "\"}"));
    assert_true(has(needles, BODY_1));
    assert_true(has(needles, BODY_2));
    assert_true(has(needles, BEGIN "\n" BODY_1 "\n" BODY_2 "\n" END));
    assert_true(has(needles, BEGIN "\\n" BODY_1 "\\n" BODY_2 "\\n" END));
    assert_false(has(needles, BEGIN));
    assert_false(has(needles, END));
}

static void a_key_file_is_a_value(void **state UNUSED)
{
    CLEANUP(needles) struct needles *needles = needles_new();
    size_t before;

    assert_true(add(needles, BEGIN "\n" BODY_1 "\n" BODY_2 "\n" END "\n"));
    before = needles_count(needles);
    assert_true(has(needles, BODY_2));
    assert_false(has(needles, END));
    needles_free(STEAL(needles));
    needles = needles_new();
    assert_true(add(needles, "-----BEGIN CERTIFICATE-----\n" BODY_1 "\n" BODY_2
                             "\n-----END CERTIFICATE-----"));
    assert_true(has(needles, BODY_2));
    assert_true(before > 10 && needles_count(needles) > 10);
}

static void long_forms_are_cut(void **state UNUSED)
{
    CLEANUP(needles) struct needles *needles = needles_new();
    size_t size = 2 * NEEDLES_MAX_LEN + 3, len;
    CLEANUP(mem) char *value = xmalloc(size);
    const char *needle;

    for (size_t i = 0; i < size; i++)
        value[i] = (char)('a' + random() % 26);
    assert_true(needles_add(needles, value, size));
    needle = needles_get(needles, 0, &len);
    assert_int_equal(len, NEEDLES_MAX_LEN);
    assert_memory_equal(needle, value, len);
    needle = needles_get(needles, 1, &len);
    assert_int_equal(len, NEEDLES_MAX_LEN);
    assert_memory_equal(needle, value + NEEDLES_MAX_LEN, len);
    needle = needles_get(needles, 2, &len);
    assert_int_equal(len, NEEDLES_MIN_LINE);
    assert_memory_equal(needle, value + size - len, len);
    for (size_t i = 0; i < needles_count(needles); i++) {
        (void)needles_get(needles, i, &len);
        assert_in_range(len, NEEDLES_MIN_VALUE, NEEDLES_MAX_LEN);
    }
}

static void a_full_set_says_so(void **state UNUSED)
{
    CLEANUP(needles) struct needles *needles = needles_new();
    size_t size = NEEDLES_MAX_BYTES + 1, bytes = 0, len;
    CLEANUP(mem) char *value = xmalloc(size);

    for (size_t i = 0; i < size; i++)
        value[i] = (char)('a' + random() % 26);
    assert_false(needles_add(needles, value, size));
    assert_int_equal(needles_count(needles), 0);
    assert_true(add(needles, "first secret"));
    assert_false(needles_add(needles, value, size / 4));
    for (size_t i = 0; i < needles_count(needles); i++) {
        (void)needles_get(needles, i, &len);
        bytes += len;
    }
    assert_in_range(bytes, NEEDLES_MAX_BYTES / 2, NEEDLES_MAX_BYTES);
    /* What is there already needs no room. */
    needles_free(STEAL(needles));
    needles = needles_new();
    assert_true(add(needles, "first secret"));
    len = needles_count(needles);
    assert_true(add(needles, "first secret"));
    assert_int_equal(needles_count(needles), len);
}

static void names_say_what_is_secret(void **state UNUSED)
{
    static const char *const secret[] = {
        "TOKEN",
        "NPM_TOKEN",
        "github_token",
        "SECRET",
        "MY_SECRET",
        "DB_PASSWORD",
        "X_PASSWD",
        "A_API_KEY",
        "A_APIKEY",
        "DEPLOY_PRIVATE_KEY",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "AWS_SECRET_ACCESS_KEY",
        "AZURE_CONNECTION_STRING",
        "PGPASSWORD",
        "GITHUB_ACCESS_TOKEN",
        "npm_config__authToken",
        "SECRET_KEY_BASE",
    };
    static const char *const open[] = {
        "",
        "PATH",
        "PWD",
        "OLDPWD",
        "TOKENS_DIR",
        "HOME",
        "MYTOKEN",
        "PASSWORD_FILE",
        "PUBLIC_KEY",
        "CI_COMMIT_SHA",
        "_",
        "MONKEY",
        "AWS_ACCESS_KEY_ID",
    };
    CLEANUP(needles) struct needles *needles = needles_new();

    for (size_t i = 0; i < ARRAY_LEN(secret); i++)
        if (!needles_is_secret_name(secret[i]))
            fail_msg("%s is not secret", secret[i]);
    for (size_t i = 0; i < ARRAY_LEN(open); i++)
        if (needles_is_secret_name(open[i]))
            fail_msg("%s is secret", open[i]);
    assert_true(needles_add_env(needles, "HOME", "/home/somebody"));
    assert_true(needles_add_env(needles, "NPM_TOKEN", ""));
    assert_int_equal(needles_count(needles), 0);
    assert_false(needles_add_env(needles, "NPM_TOKEN", "abc"));
    assert_true(needles_add_env(needles, "NPM_TOKEN", "abc-def"));
    assert_true(has(needles, "abc-def"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_has_forms),
        cmocka_unit_test(no_needle_is_short_or_repeated),
        cmocka_unit_test(trivial_values_are_refused),
        cmocka_unit_test(lines_stand_alone),
        cmocka_unit_test(a_key_in_json_is_found),
        cmocka_unit_test(a_key_file_is_a_value),
        cmocka_unit_test(long_forms_are_cut),
        cmocka_unit_test(a_full_set_says_so),
        cmocka_unit_test(names_say_what_is_secret),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
