/* tests/unit/scheduler/forge/signature_test.c - secrets, and the vectors. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/forge/signature.h"

#include "tests/lib/unit.h"

#include <string.h>

/* The example of GitHub's documentation. */
#define GITHUB_MAC                                                             \
    "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
/* The example of the Standard Webhooks' specification. */
#define STANDARD_KEY  "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define STANDARD_ID   "msg_p5jXN8AQM9LWM0D4loKWxJek"
#define STANDARD_BODY "{\"test\": 2432232314}"
#define STANDARD_MAC  "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
#define STANDARD_AT   INT64_C(1614265330)

static int check(enum forge_kind forge, const struct strv *headers,
                 const char *body, const struct webhook_secret *secret)
{
    const struct webhook_secrets secrets = {secret, 1};
    const struct webhook_request request = {.headers = headers,
                                            .body = body,
                                            .len = strlen(body),
                                            .now_ms = STANDARD_AT * 1000};
    struct err err = {0};
    uint64_t matched = 0;

    if (signature_check(forge, &request, &secrets, &matched, &err) < 0) {
        assert_int_equal(err.kind, ERR_USER);
        assert_null(strstr(err.msg, secret->value));
        assert_int_equal(matched, 0);
        return -1;
    }
    assert_int_equal(matched, 1);
    return 0;
}

static void test_github(void **state UNUSED)
{
    struct webhook_secret secret = {"s", "It's a Secret to Everybody", NULL};
    CLEANUP(strv) struct strv headers = {0};

    strv_add(&headers, "X-Hub-Signature-256: sha256=" GITHUB_MAC);
    assert_int_equal(check(FORGE_GITHUB, &headers, "Hello, World!", &secret),
                     0);
    assert_int_equal(check(FORGE_GITHUB, &headers, "Hello, World", &secret),
                     -1);
    secret.value = "It's a Secret to everybody";
    assert_int_equal(check(FORGE_GITHUB, &headers, "Hello, World!", &secret),
                     -1);
}

static void test_standard(void **state UNUSED)
{
    struct webhook_secret secret = {"s", STANDARD_KEY, NULL};
    CLEANUP(strv) struct strv headers = {0};

    strv_add(&headers, "webhook-id: " STANDARD_ID);
    strv_addf(&headers, "webhook-timestamp: %lld", (long long)STANDARD_AT);
    strv_add(&headers, "webhook-signature: " STANDARD_MAC);
    assert_int_equal(check(FORGE_GITLAB, &headers, STANDARD_BODY, &secret), 0);
    assert_int_equal(check(FORGE_GITLAB, &headers, "{}", &secret), -1);
    secret.value = "whsec_!";
    assert_int_equal(check(FORGE_GITLAB, &headers, STANDARD_BODY, &secret), -1);
    secret.value = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    assert_int_equal(check(FORGE_GITLAB, &headers, STANDARD_BODY, &secret), -1);
}

static void test_secrets(void **state UNUSED)
{
    static const char *const good[] = {"x", "whsecx", STANDARD_KEY,
                                       "whsec_AAAAAAAAAAAAAAAAAAAAAA=="};
    static const char *const bad[] = {
        "",          "whsec_",     "whsec_AAAA",
        "whsec_!!!", "whsec_A===", "whsec_AAAAAAAAAAAAAAAAAAAAAA"};

    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_int_equal(
            webhook_secret_check(&(struct webhook_secret){"n", good[i], NULL},
                                 NULL),
            0);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err err = {0};

        assert_int_equal(
            webhook_secret_check(&(struct webhook_secret){"name", bad[i], NULL},
                                 &err),
            -1);
        assert_non_null(strstr(err.msg, "'name'"));
    }
}

static void test_names(void **state UNUSED)
{
    assert_int_equal(forge_find("github"), FORGE_GITHUB);
    assert_int_equal(forge_find("forgejo"), FORGE_GITEA);
    assert_int_equal(forge_find("none"), FORGE_NONE);
    assert_int_equal(forge_find("svn"), FORGE_NONE);
    assert_string_equal(forge_name(FORGE_GITLAB), "gitlab");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_github),
        cmocka_unit_test(test_standard),
        cmocka_unit_test(test_secrets),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests_name("scheduler/forge/signature", tests, NULL,
                                       NULL);
}
