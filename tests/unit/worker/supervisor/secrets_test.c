/* tests/unit/worker/supervisor/secrets_test.c - what is masked of a job. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "tests/lib/unit.h"
#include "worker/job/events.h"
#include "worker/supervisor/secrets.h"

#include <stdlib.h>
#include <string.h>

static const char payload[] =
    "{\"pipeline\":{\"env\":{\"NPM_TOKEN\":\"of-the-pipeline\",\"HOME_TOWN\":"
    "\"paris-france\"},\"steps\":[{\"env\":{\"DB_PASSWORD\":\"of-the-step\"}},"
    "{\"run\":\"true\"}]},\"env\":{\"API_KEY\":\"of-the-job\",\"EMPTY_TOKEN\":"
    "\"\",\"SHORT_TOKEN\":\"ab\"}}";

static void expect(const struct mask *mask, const char *text,
                   const char *wanted)
{
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;

    mask_string(mask, text, strlen(text), &out);
    assert_string_equal(out.data, wanted);
}

static void test_environments(void **state)
{
    CLEANUP(mask) struct mask *mask = secrets_mask("a", payload, NULL);

    (void)state;
    assert_non_null(mask);
    expect(mask, "of-the-pipeline of-the-step of-the-job", "*** *** ***");
    expect(mask, "paris-france ab", "paris-france ab");
}

/* What an expression brings into a variable with such a name. */
static void test_inputs(void **state)
{
    static const char text[] =
        "{\"inputs\":{\"tok\":\"of-the-input\",\"DEPLOY_TOKEN\":\"by-its-"
        "name\","
        "\"town\":\"paris-france\"},\"pipeline\":{\"env\":{\"API_TOKEN\":"
        "\"x-${{ inputs.tok }}\",\"TOWN\":\"${{ inputs.town }}\"}}}";
    CLEANUP(mask) struct mask *mask = secrets_mask("a", text, NULL);

    (void)state;
    assert_non_null(mask);
    expect(mask, "x-of-the-input by-its-name", "x-*** ***");
    expect(mask, "paris-france", "paris-france");
}

static void test_secrets(void **state)
{
    json_t *secrets = json_pack("{s:s, s:s, s:{s:s, s:s}}", "username",
                                "somebody", "password", "wordpass", "env",
                                "A_TOKEN", "swordfish", "WHO", "the-world");
    CLEANUP(mask) struct mask *mask = secrets_mask("a", "{}", secrets);

    (void)state;
    expect(mask, "wordpass swordfish", "*** ***");
    expect(mask, "somebody the-world", "somebody the-world");
    json_decref(secrets);
}

/* https://token@host: the user's name alone is the secret. */
static void test_token(void **state)
{
    json_t *secrets =
        json_pack("{s:s, s:s}", "username", "ghp_123456", "password", "");
    CLEANUP(mask) struct mask *mask = secrets_mask("a", "{}", secrets);

    (void)state;
    expect(mask, "ghp_123456", "***");
    json_decref(secrets);
}

static void test_nothing(void **state)
{
    (void)state;
    assert_null(secrets_mask("a", "{}", NULL));
    assert_null(secrets_mask("a", "nonsense", NULL));
    assert_null(secrets_mask("a", "[1]", NULL));
}

/* Words of ours stay, even if somebody chose one as a password. */
static void test_results(void **state)
{
    json_t *secrets = json_pack("{s:s}", "password", "step_failed");
    CLEANUP(mask) struct mask *mask = secrets_mask("a", "{}", secrets);
    json_t *result =
        json_pack("{s:s, s:s, s:i, s:[{s:s, s:s, s:s}], s:{s:s}}", "reason",
                  "step_failed", "message", "it is step_failed.", "n", 1,
                  "steps", "name", "say step_failed", "reason", "step_failed",
                  "outcome", "failed", "sandbox", "image", "/step_failed/x");
    CLEANUP(mem) char *json = NULL;

    (void)state;
    secrets_mask_result(NULL, result);
    assert_string_equal(json_string_value(json_object_get(result, "message")),
                        "it is step_failed.");
    secrets_mask_result(mask, result);
    json = json_dumps(result, JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(
        json, "{\"message\":\"it is ***.\",\"n\":1,\"reason\":\"step_failed\","
              "\"sandbox\":{\"image\":\"/***/x\"},\"steps\":[{\"name\":\"say "
              "***\",\"outcome\":\"failed\",\"reason\":\"step_failed\"}]}");
    json_decref(result);
    json_decref(secrets);
}

static void expect_frame(const struct mask *mask, const char *text,
                         const char *wanted)
{
    const struct frame frame = {JOB_FRAME_STEP_START, 0, (uint32_t)strlen(text),
                                (const uint8_t *)text};
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;

    secrets_mask_frame(mask, &frame, &out);
    assert_string_equal(out.data, wanted);
}

static void test_frames(void **state)
{
    json_t *secrets = json_pack("{s:s}", "password", "sword\"fish");
    CLEANUP(mask) struct mask *mask = secrets_mask("a", "{}", secrets);

    (void)state;
    expect_frame(mask, "{\"name\":\"a \\u0073word\\\"fish\"}",
                 "{\"name\":\"a ***\"}");
    expect_frame(mask, "is sword\"fish", "is ***");
    expect_frame(mask, "{\"cut\": \"sword\\\"fish", "{\"cut\": \"***");
    expect_frame(mask, "", "");
    expect_frame(NULL, "{ \"n\": 1 }", "{ \"n\": 1 }");
    json_decref(secrets);
}

/* ---- what run-job gets -------------------------------------------------- */

static char top[] = "/tmp/gather.XXXXXX";

static json_t *gather(const char *trust, const char *repo, const json_t *given)
{
    const struct secret_store_options options = {.dir = top};
    CLEANUP(secret_store)
    struct secret_store *store = secret_store_new(&options);
    CLEANUP(mem)
    char *text = xasprintf(
        "{\"trust\":\"%s\",\"repo\":\"%s\",\"secrets\":{\"FORGED\":\"x\"},"
        "\"pipeline\":{\"steps\":[{\"secrets\":[{\"name\":\"TOKEN\"},{\"name\":"
        "\"NONE\"}]},{},{\"secrets\":[{\"name\":\"TOKEN\"},{\"name\":\"../x\"},"
        "{\"name\":7},\"y\"]}]}}",
        trust, repo);

    return secrets_gather("a", text, given, store);
}

static const char *member(const json_t *all, const char *key, const char *name)
{
    return json_string_value(json_object_get(json_object_get(all, key), name));
}

static void test_gathered(void **state UNUSED)
{
    CLEANUP(mem) char *dir = NULL;
    CLEANUP(mem) char *file = NULL;
    CLEANUP(mask) struct mask *mask = NULL;
    json_t *all;
    struct err err;

    assert_non_null(mkdtemp(top));
    dir = xasprintf("%s/h.example/a", top);
    file = xasprintf("%s/TOKEN", dir);
    assert_int_equal(dir_make(dir, 0700, &err), 0);
    assert_int_equal(
        file_write(file, "swordfish\nwordpass-2\n", 21, 0600, &err), 0);
    all = gather("member", "https://h.example/a.git", NULL);
    assert_string_equal(member(all, "secrets", "TOKEN"),
                        "swordfish\nwordpass-2\n");
    assert_int_equal(json_object_size(json_object_get(all, "secrets")), 1);
    assert_non_null(strstr(member(all, "secrets_missing", "NONE"), top));
    assert_int_equal(json_object_size(json_object_get(all, "secrets_missing")),
                     1);
    mask = secrets_mask("a", "{}", all);
    expect(mask, "swordfish, wordpass-2", "***, ***");
    expect(mask, "c3dvcmRmaXNoCndvcmRwYXNzLTI=", "***");
    secrets_free(all);
    all = gather("member", "https://h.example/../a", NULL);
    assert_non_null(
        strstr(member(all, "secrets_missing", "TOKEN"), "no place"));
    secrets_free(all);
    assert_int_equal(tree_remove(top, &err), 0);
}

static void test_not_gathered(void **state UNUSED)
{
    json_t *given = json_pack("{s:{s:s}}", "secrets", "TOKEN", "given");
    json_t *all = gather("fork", "https://h.example/a.git", NULL);

    assert_int_equal(json_object_size(all), 0);
    secrets_free(all);
    all = gather("", "https://h.example/a.git", NULL);
    assert_int_equal(json_object_size(all), 0);
    secrets_free(all);
    all = gather("member", "https://h.example/a.git", given);
    assert_string_equal(member(all, "secrets", "TOKEN"), "given");
    secrets_free(all);
    /* What was given is as it was. */
    assert_string_equal(member(given, "secrets", "TOKEN"), "given");
    json_decref(given);
    secrets_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_environments), cmocka_unit_test(test_inputs),
        cmocka_unit_test(test_secrets),      cmocka_unit_test(test_token),
        cmocka_unit_test(test_nothing),      cmocka_unit_test(test_results),
        cmocka_unit_test(test_frames),       cmocka_unit_test(test_gathered),
        cmocka_unit_test(test_not_gathered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
