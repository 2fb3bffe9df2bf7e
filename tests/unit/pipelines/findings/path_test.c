/* tests/unit/pipelines/findings/path_test.c - into the workspace, never out. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/findings/path.h"
#include "tests/lib/unit.h"

#include <string.h>

static void check(const char *workspace, const char *dir, const char *raw,
                  bool is_uri, const char *wanted)
{
    CLEANUP(arena) struct arena *arena = arena_new();
    const struct findings_source source = {NULL, workspace, dir};
    const char *got = finding_path(arena, &source, raw, is_uri);

    if (wanted ? !got || strcmp(got, wanted) != 0 : got != NULL)
        fail_msg("%s is %s, not %s", raw, got ? got : "(none)",
                 wanted ? wanted : "(none)");
}

static void test_paths(void **state)
{
    static const struct {
        const char *raw, *wanted;
    } cases[] = {
        {"a.c", "a.c"},
        {"./src//a.c", "src/a.c"},
        {"src/./x/../a.c", "src/a.c"},
        {"src/", "src"},
        {"..a/...", "..a/..."},
        {"/workspace/a.c", "a.c"},
        {"/workspace//x/../a.c", "a.c"},
        {"//workspace/a.c", "a.c"},
        {"file:///workspace/a%20b.c", "a b.c"},
        {"FILE://localhost/workspace/a.c", "a.c"},
        {"file:/workspace/a.c", "a.c"},
        {"a%20b.c", "a%20b.c"},
        {"\xc3\xa4.c", "\xc3\xa4.c"},
        {"", NULL},
        {".", NULL},
        {"/workspace", NULL},
        {"/workspace/", NULL},
        {"/workspaces/a.c", NULL},
        {"/etc/passwd", NULL},
        {"../a.c", NULL},
        {"a/../../b", NULL},
        {"/workspace/../etc/passwd", NULL},
        {"/../workspace/a.c", NULL},
        {"file:///etc/passwd", NULL},
        {"./file:/workspace/a.c", NULL},
        {"file:a.c", "file:a.c"},
        {"file:///workspace/%2e%2e/x", NULL},
        {"file://evil/workspace/a.c", NULL},
        {"file:///workspace/a%00b", NULL},
        {"a\nb", NULL},
        {"a\x1b[0m", NULL},
        {"\xff", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        check(NULL, NULL, cases[i].raw, false, cases[i].wanted);
}

static void test_dirs(void **state)
{
    (void)state;
    check("/ws", "packages/a", "src/x.js", false, "packages/a/src/x.js");
    check("/ws", "packages/a", "../b/x.js", false, "packages/b/x.js");
    check("/ws", "packages/a", "../../../x.js", false, NULL);
    check("/ws", "packages/a", "/ws/x.js", false, "x.js");
    check("/ws", "../up", "x.js", false, NULL);
    check("/ws", NULL, "a%20b.c", true, "a b.c");
    check("/ws", NULL, "%2e%2e/b.c", true, NULL);
    check("/ws", NULL, "a%zz%2", true, "a%zz%2");
    check("/", NULL, "/a.c", false, "a.c");
}

static void test_long(void **state)
{
    CLEANUP(mem) char *fits = xcalloc(1, FINDING_MAX_PATH + 2);

    (void)state;
    memset(fits, 'a', FINDING_MAX_PATH);
    check(NULL, NULL, fits, false, fits);
    fits[FINDING_MAX_PATH] = 'a';
    check(NULL, NULL, fits, false, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_dirs),
        cmocka_unit_test(test_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
