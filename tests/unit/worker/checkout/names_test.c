/* tests/unit/worker/checkout/names_test.c - names that are refused. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/checkout/names.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *fault(const char *name)
{
    return name_fault(name, strlen(name));
}

static void test_refused(void **state)
{
    static const char *const bad[] = {"",
                                      ".",
                                      "..",
                                      "a/b",
                                      "/a",
                                      ".git",
                                      ".GIT",
                                      ".gIt",
                                      "git~1",
                                      "GIT~1",
                                      ".git ",
                                      ".git.",
                                      ".git. .",
                                      ".git:",
                                      ".git::$DATA",
                                      "git~1 .",
                                      ".g\xe2\x80\x8cit",
                                      "\xe2\x80\x8e.git",
                                      ".git\xe2\x80\xae",
                                      ".gi\xe2\x81\xaat",
                                      "\xef\xbb\xbf.GIT",
                                      "x\\.git",
                                      ".git\\x",
                                      "a\\b\\git~1\\c"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (!fault(bad[i]))
            fail_msg("'%s' was taken", bad[i]);
    assert_non_null(name_fault("a\0b", 3));
}

static void test_taken(void **state)
{
    static const char *const good[] = {
        "a",
        "...",
        ".gi",
        ".gitx",
        ".gitignore",
        ".gitmodules",
        "git",
        "git~2",
        "git~10",
        "xgit~1",
        ".git x",
        ". git",
        "x.git",
        "a:b",
        "a\\b",
        "con",
        "\xe2\x80\x8b.git" /* not one that HFS+ ignores */,
        "\xff\xfe",
        ".g\xe2\x80it"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        if (fault(good[i]))
            fail_msg("'%s' %s", good[i], fault(good[i]));
}

static void test_paths(void **state)
{
    char deep[2 * (PATH_MAX_DEPTH + 1)];
    char name[NAME_MAX_BYTES + 2];

    (void)state;
    assert_null(path_fault("a/b/c"));
    assert_non_null(path_fault("a//c"));
    assert_non_null(path_fault("/a"));
    assert_non_null(path_fault("a/"));
    assert_non_null(path_fault("a/../b"));
    assert_non_null(path_fault("a/.git/b"));
    memset(name, 'n', sizeof(name));
    assert_null(name_fault(name, NAME_MAX_BYTES));
    assert_non_null(name_fault(name, NAME_MAX_BYTES + 1));
    for (size_t i = 0; i < sizeof(deep); i++)
        deep[i] = i % 2 ? '/' : 'd';
    deep[2 * PATH_MAX_DEPTH - 1] = '\0';
    assert_null(path_fault(deep));
    deep[2 * PATH_MAX_DEPTH - 1] = '/';
    deep[2 * PATH_MAX_DEPTH + 1] = '\0';
    assert_non_null(path_fault(deep));
}

static void test_gitmodules(void **state)
{
    static const char *const same[] = {
        ".gitmodules", ".GITMODULES", ".gitmodules .",
        "gitmod~1",    "GITMOD~4",    ".git\xe2\x80\x8cmodules",
        "gi7eba~1"};
    static const char *const other[] = {"gitmodules", ".gitmodule", "gitmod~5",
                                        "gitmod~", ".gitmodulesx"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(same); i++)
        assert_true(name_is_gitmodules(same[i], strlen(same[i])));
    for (size_t i = 0; i < ARRAY_LEN(other); i++)
        assert_false(name_is_gitmodules(other[i], strlen(other[i])));
}

static void test_patterns(void **state)
{
    (void)state;
    assert_true(path_is_pattern("*"));
    assert_true(path_is_pattern("a/*.yml"));
    assert_true(path_is_pattern("*a*"));
    assert_false(path_is_pattern("a"));
    assert_false(path_is_pattern("*/a"));
    assert_false(path_is_pattern("a?[b]"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),  cmocka_unit_test(test_taken),
        cmocka_unit_test(test_paths),    cmocka_unit_test(test_gitmodules),
        cmocka_unit_test(test_patterns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
