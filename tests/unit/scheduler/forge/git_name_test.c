/* tests/unit/scheduler/forge/git_name_test.c - names, and what is none. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/forge/git_name.h"

#include "tests/lib/unit.h"

#include "base/mem.h"

#include <string.h>

static void test_refs(void **state UNUSED)
{
    static const char *const good[] = {"main",    "a/b",          "release-1.2",
                                       "é/ß",     "refs/heads/x", "a@b",
                                       "x.locks", "{x}"};
    static const char *const bad[] = {
        "",         "@",        "-x",      "a..b",     "a b",   "a\tb",
        "a\x7f",    "a~1",      "a^",      "a:b",      "a?",    "a*",
        "a[b",      "a\\b",     "/a",      "a/",       "a//b",  "a.",
        ".a",       "a/.b",     "a.lock",  "a.lock/b", "a@{1}", "\xff",
        "\xc0\x80", "a\u200bb", "a\u202eb"};
    char large[GIT_REF_MAX + 2];

    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        if (!git_is_ref(good[i]))
            fail_msg("refused: '%s'", good[i]);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (git_is_ref(bad[i]))
            fail_msg("taken: '%s'", bad[i]);
    memset(large, 'x', sizeof(large));
    large[GIT_REF_MAX + 1] = '\0';
    assert_false(git_is_ref(large));
    large[GIT_REF_MAX] = '\0';
    assert_true(git_is_ref(large));
}

static void test_commits(void **state UNUSED)
{
    assert_true(git_is_sha("0123456789abcdef0123456789abcdef01234567"));
    assert_false(git_is_sha("0123456789ABCDEF0123456789abcdef01234567"));
    assert_false(git_is_sha("0123456789abcdef0123456789abcdef0123456"));
    assert_false(git_is_sha("0123456789abcdef0123456789abcdef012345678"));
    assert_false(git_is_sha("0123456789abcdef0123456789abcdef0123456\n"));
    assert_true(git_is_zero("0000000000000000000000000000000000000000"));
    assert_false(git_is_zero("0000000000000000000000000000000000000001"));
    assert_false(git_is_zero("0"));
}

static void test_paths(void **state UNUSED)
{
    assert_true(git_is_path("a"));
    assert_true(git_is_path("a/b c/..d"));
    assert_false(git_is_path(""));
    assert_false(git_is_path("/a"));
    assert_false(git_is_path("a/"));
    assert_false(git_is_path("a/../b"));
    assert_false(git_is_path("./a"));
    assert_false(git_is_path("a\xff"));
}

static void test_full_names(void **state UNUSED)
{
    assert_true(git_is_full_name(FORGE_GITHUB, "a/b"));
    assert_true(git_is_full_name(FORGE_GITEA, "A_1/b.c-d"));
    assert_true(git_is_full_name(FORGE_GITLAB, "a/b/c/d"));
    assert_false(git_is_full_name(FORGE_GITHUB, "a/b/c"));
    assert_false(git_is_full_name(FORGE_GITLAB, "a"));
    assert_false(git_is_full_name(FORGE_GITHUB, ""));
    assert_false(git_is_full_name(FORGE_GITHUB, "a/"));
    assert_false(git_is_full_name(FORGE_GITHUB, "/a"));
    assert_false(git_is_full_name(FORGE_GITHUB, "../a"));
    assert_false(git_is_full_name(FORGE_GITHUB, "a/."));
    assert_false(git_is_full_name(FORGE_GITHUB, "a/-b"));
    assert_false(git_is_full_name(FORGE_GITHUB, "a/b?x"));
    assert_false(git_is_full_name(FORGE_GITHUB, "a/b\n"));
    assert_false(git_is_full_name(
        FORGE_GITLAB, "a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a"));
}

static void test_clone_urls(void **state UNUSED)
{
    assert_true(
        git_is_clone_url("https://h.org/a/b.git", "https://h.org", "a/b"));
    assert_true(
        git_is_clone_url("https://h.org/a/b.git", "HTTPS://H.org//", "a/b"));
    assert_true(git_is_clone_url("http://h:3000/git/a/b.git",
                                 "http://h:3000/git/", "a/b"));
    assert_false(git_is_clone_url("http://h:3000/GIT/a/b.git",
                                  "http://h:3000/git/", "a/b"));
    assert_false(git_is_clone_url("https://h.org/a/b", "https://h.org", "a/b"));
    assert_false(
        git_is_clone_url("https://h.org/a/b.git", "https://h.org", "a/c"));
    assert_false(
        git_is_clone_url("http://h.org/a/b.git", "https://h.org", "a/b"));
    assert_false(
        git_is_clone_url("https://h.orga/b.git", "https://h.org", "a/b"));
    assert_false(
        git_is_clone_url("https://u@h.org/a/b.git", "https://h.org", "a/b"));
    assert_false(
        git_is_clone_url("https://h.org:1/a/b.git", "https://h.org", "a/b"));
    assert_false(
        git_is_clone_url("https://h.org/a/b.git?x", "https://h.org", "a/b"));
    assert_false(git_is_clone_url("ssh://h.org/a/b.git", "ssh://h.org", "a/b"));
    assert_false(git_is_clone_url("", "", "a/b"));
}

static void test_scopes(void **state UNUSED)
{
    assert_true(git_in_scope("a/b", "a"));
    assert_true(git_in_scope("a/b", "A/B"));
    assert_true(git_in_scope("a/b/c", "a/b"));
    assert_false(git_in_scope("ab/c", "a"));
    assert_false(git_in_scope("a/bc", "a/b"));
    assert_false(git_in_scope("a/b", "a/b/c"));
    assert_false(git_in_scope("a/b", ""));
    assert_false(git_in_scope("", "a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refs),       cmocka_unit_test(test_commits),
        cmocka_unit_test(test_paths),      cmocka_unit_test(test_full_names),
        cmocka_unit_test(test_clone_urls), cmocka_unit_test(test_scopes),
    };

    return cmocka_run_group_tests_name("scheduler/forge/git_name", tests, NULL,
                                       NULL);
}
