/* tests/unit/base/glob_test.c - patterns of paths. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/glob.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *pattern, *path;
    bool match;
} cases[] = {
    {"a", "a", true},
    {"a", "b", false},
    {"a", "a/b", false},
    {"a/b", "a", false},
    {"*", "a", true},
    {"*", "a/b", false},
    {"*.xml", "a.xml", true},
    {"*.xml", ".xml", false},
    {".*", ".env", true},
    {"*", ".env", false},
    {"?", ".", false},
    {"[.]env", ".env", false},
    {"a*b*c", "axxbxxc", true},
    {"a*b*c", "axxbxxcd", false},
    {"a**b", "axxb", true},
    {"a?c", "abc", true},
    {"a?c", "a/c", false},
    {"[a-c]x", "bx", true},
    {"[!a-c]x", "bx", false},
    {"[!a-c]x", "dx", true},
    {"[]]x", "]x", true},
    {"[a", "[a", true},
    {"[a-]", "-", true},
    {"**", "a", true},
    {"**", "a/b/c", true},
    {"**", "a/.b", false},
    {"**/x", "x", true},
    {"**/x", "a/b/x", true},
    {"**/x", "a/.git/x", false},
    {"**/.git/x", "a/.git/x", true},
    {"**/*.xml", "a/b/c.xml", true},
    {"**/*.xml", "a/b/c.xmlx", false},
    {"a/**", "a", false},
    {"a/**", "a/b/c", true},
    {"a/**/b", "a/b", true},
    {"a/**/b", "a/x/y/b", true},
    {"a/**/b/**/c", "a/b/x/b/y/c", true},
    {"a/**/b/**/c", "a/b/x/b/y/d", false},
    {"**/a/b", "a/a/b", true},
};

static void test_match(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (glob_match(cases[i].pattern, cases[i].path) != cases[i].match)
            fail_msg("'%s' and '%s'", cases[i].pattern, cases[i].path);
}

static void test_dots(void **state UNUSED)
{
    static const struct {
        const char *pattern, *path;
        bool match;
    } dotted[] = {
        {"*", ".env", true},        {"**", ".github/x", true},
        {"**/x", "a/.b/c/x", true}, {"a/**", "a/.b", true},
        {"?env", ".env", true},     {"[.]env", ".env", true},
        {"*/x", ".b/x", true},      {"**/*.yml", ".a/.b/.yml", true},
        {"a/*", "a/b/c", false},    {"*.md", "a/b.md", false},
        {"**/x", "a/.b/y", false},
    };

    for (size_t i = 0; i < ARRAY_LEN(dotted); i++)
        if (glob_match_dots(dotted[i].pattern, dotted[i].path) !=
            dotted[i].match)
            fail_msg("'%s' and '%s'", dotted[i].pattern, dotted[i].path);
}

static void test_last(void **state UNUSED)
{
    assert_true(glob_match_last("*.yml", "a.yml"));
    assert_true(glob_match_last(".a/*.yml", ".a/b.yml"));
    assert_true(glob_match_last("[a]/*.yml", "[a]/b.yml"));
    assert_false(glob_match_last("[a]/*.yml", "a/b.yml"));
    assert_false(glob_match_last("a/*.yml", "a/b/c.yml"));
    assert_false(glob_match_last("a/*.yml", "a/.yml"));
    assert_false(glob_match_last("a/*.yml", "a"));
    assert_false(glob_match_last("a/*.yml", ""));
}

static void test_below(void **state UNUSED)
{
    assert_true(glob_may_match_below("a/b", ""));
    assert_true(glob_may_match_below("a/b", "a"));
    assert_true(glob_may_match_below("*/b", "a"));
    assert_true(glob_may_match_below("**/b", "a/c/d"));
    assert_true(glob_may_match_below("a/**", "a/b/c"));
    assert_false(glob_may_match_below("a/b", "a/b"));
    assert_false(glob_may_match_below("a/b", "c"));
    assert_false(glob_may_match_below("*.xml", "node_modules"));
}

static void test_problems(void **state UNUSED)
{
    assert_null(glob_problem("a/**/b.*"));
    assert_null(glob_problem("..a/.b"));
    assert_non_null(glob_problem(""));
    assert_non_null(glob_problem("/a"));
    assert_non_null(glob_problem("a//b"));
    assert_non_null(glob_problem("a/"));
    assert_non_null(glob_problem("a/../b"));
    assert_non_null(glob_problem("./a"));
}

/* What takes a backtracking matcher for ever. */
static void test_time(void **state UNUSED)
{
    CLEANUP(mem) char *path = xcalloc(1, 4001);
    char pattern[1000] = "";
    int64_t before = clock_mono_ms();

    memset(path, 'a', 4000);
    for (size_t i = 1; i < 4000; i += 2)
        path[i] = '/';
    path[3999] = 'a';
    for (int i = 0; i < 150; i++)
        strcat(pattern, "**/a/");
    strcat(pattern, "b");
    assert_false(glob_match(pattern, path));
    memset(path, 'a', 4000);
    *pattern = '\0';
    for (int i = 0; i < 400; i++)
        strcat(pattern, "*a");
    strcat(pattern, "b");
    assert_false(glob_match(pattern, path));
    assert_true(clock_mono_ms() - before < 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_match),    cmocka_unit_test(test_dots),
        cmocka_unit_test(test_last),     cmocka_unit_test(test_below),
        cmocka_unit_test(test_problems), cmocka_unit_test(test_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
