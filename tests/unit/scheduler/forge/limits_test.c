/* tests/unit/scheduler/forge/limits_test.c - answers about limits. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/forge/limits.h"

#include "tests/lib/unit.h"

#define NOW_MS ((int64_t)784111777 * 1000) /* Sun, 06 Nov 1994 08:49:37 GMT */

static struct limits answer(enum forge_kind forge, int status,
                            const char *const *lines, const char *body)
{
    CLEANUP(strv) struct strv headers = {0};
    struct limits_answer a = {.forge = forge,
                              .status = status,
                              .headers = &headers,
                              .body = body,
                              .now_ms = NOW_MS};

    for (; lines && *lines; lines++)
        strv_add(&headers, *lines);
    return limits_read(&a);
}

#define LINES(...)                                                             \
    (const char *const[])                                                      \
    {                                                                          \
        __VA_ARGS__, NULL                                                      \
    }

static void check(struct limits got, enum limits_verdict verdict,
                  int64_t pause_ms)
{
    assert_int_equal(got.verdict, verdict);
    assert_int_equal(got.pause_ms, pause_ms);
}

static void test_retry_after(void **state UNUSED)
{
    assert_int_equal(limits_retry_after_ms("0", NOW_MS), 0);
    assert_int_equal(limits_retry_after_ms("120", NOW_MS), 120000);
    assert_int_equal(
        limits_retry_after_ms("Sun, 06 Nov 1994 08:49:47 GMT", NOW_MS), 10000);
    assert_int_equal(
        limits_retry_after_ms("Sunday, 06-Nov-94 08:49:47 GMT", NOW_MS), 10000);
    assert_int_equal(limits_retry_after_ms("Sun Nov  6 08:49:47 1994", NOW_MS),
                     10000);
    assert_int_equal(
        limits_retry_after_ms("Sun, 06 Nov 1994 08:49:27 GMT", NOW_MS), 0);
    assert_int_equal(limits_retry_after_ms("", NOW_MS), -1);
    assert_int_equal(limits_retry_after_ms("-1", NOW_MS), -1);
    assert_int_equal(limits_retry_after_ms("1.5", NOW_MS), -1);
    assert_int_equal(limits_retry_after_ms("soon", NOW_MS), -1);
    assert_int_equal(limits_retry_after_ms("9999999999999999999", NOW_MS), -1);
}

static void test_github(void **state UNUSED)
{
    struct limits got;

    check(answer(FORGE_GITHUB, 200, NULL, NULL), LIMITS_NONE, 0);
    check(answer(FORGE_GITHUB, 200, LINES("X-RateLimit-Remaining: 10"), NULL),
          LIMITS_NONE, 0);
    got = answer(
        FORGE_GITHUB, 403,
        LINES("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 784111807"),
        NULL);
    check(got, LIMITS_REFUSED, 31000);
    assert_false(got.is_secondary);
    got = answer(FORGE_GITHUB, 429, LINES("Retry-After: 7"), NULL);
    check(got, LIMITS_REFUSED, 7000);
    assert_true(got.is_secondary);
    check(answer(FORGE_GITHUB, 403, LINES("X-RateLimit-Remaining: 50"),
                 "{\"message\":\"You have exceeded a secondary Rate Limit\"}"),
          LIMITS_REFUSED, 60000);
    check(answer(FORGE_GITHUB, 403, NULL, "Resource not accessible"),
          LIMITS_NONE, 0);
    check(answer(FORGE_GITHUB, 403, NULL, NULL), LIMITS_NONE, 0);
    check(answer(FORGE_GITHUB, 404, LINES("Retry-After: 7"), NULL), LIMITS_NONE,
          0);
    check(answer(
              FORGE_GITHUB, 201,
              LINES("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 784111807"),
              NULL),
          LIMITS_SLOW, 31000);
}

static void test_others(void **state UNUSED)
{
    check(answer(FORGE_GITLAB, 429,
                 LINES("RateLimit-Remaining: 0", "RateLimit-Reset: 784111807"),
                 "Retry later\n"),
          LIMITS_REFUSED, 31000);
    check(answer(FORGE_GITLAB, 429, LINES("Retry-After: 3"), "Retry later\n"),
          LIMITS_REFUSED, 3000);
    check(answer(FORGE_GITLAB, 403, NULL, "rate limit"), LIMITS_NONE, 0);
    check(answer(FORGE_GITLAB, 503, LINES("Retry-After: 3"), NULL),
          LIMITS_REFUSED, 3000);
    check(answer(FORGE_GITEA, 503, NULL, NULL), LIMITS_NONE, 0);
    check(answer(FORGE_GITEA, 429, NULL, NULL), LIMITS_REFUSED, 60000);
}

static void test_bounds(void **state UNUSED)
{
    const struct strv none = {0};
    struct limits_answer a = {
        .status = 429, .headers = &none, .now_ms = NOW_MS, .refusals = 2};

    check(limits_read(&a), LIMITS_REFUSED, 240000);
    a.refusals = 4000000000U;
    check(limits_read(&a), LIMITS_REFUSED, LIMITS_MAX_PAUSE_MS);
    check(answer(FORGE_GITHUB, 429, LINES("Retry-After: 999999999"), NULL),
          LIMITS_REFUSED, LIMITS_MAX_PAUSE_MS);
    check(answer(FORGE_GITHUB, 429,
                 LINES("X-RateLimit-Remaining: 0",
                       "X-RateLimit-Reset: 999999999999"),
                 NULL),
          LIMITS_REFUSED, LIMITS_MAX_PAUSE_MS);
    check(answer(FORGE_GITHUB, 429,
                 LINES("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 5"),
                 NULL),
          LIMITS_REFUSED, 1000);
    check(answer(FORGE_GITHUB, 429, LINES("Retry-After: 0"), NULL),
          LIMITS_REFUSED, 1000);
    check(answer(FORGE_GITLAB, 503,
                 LINES("Retry-After: Sun, 06 Nov 1994 08:49:27 GMT"), NULL),
          LIMITS_REFUSED, 1000);
    check(answer(FORGE_GITHUB, 429, LINES("Retry-After: soon"), NULL),
          LIMITS_REFUSED, 60000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_github),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_bounds),
    };

    return cmocka_run_group_tests_name("scheduler/forge/limits", tests, NULL,
                                       NULL);
}
