/* tests/unit/pipelines/review/carry_test.c - what still stands. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/review/carry.h"
#include "tests/lib/unit.h"

#include <string.h>

/* Two lines more at the top, line 10 is another, 20 to 21 are gone. */
static const char text[] = "diff --git a/a.c b/a.c\n--- a/a.c\n+++ b/a.c\n"
                           "@@ -1,2 +1,4 @@\n+x\n+y\n one\n two\n"
                           "@@ -9,3 +11,3 @@\n nine\n-ten\n+TEN\n eleven\n"
                           "@@ -19,4 +21,2 @@\n n\n-20\n-21\n 22\n"
                           "diff --git a/old.c b/new.c\nsimilarity index 100%\n"
                           "rename from old.c\nrename to new.c\n"
                           "diff --git a/gone.c b/gone.c\n"
                           "deleted file mode 100644\n--- a/gone.c\n"
                           "+++ /dev/null\n@@ -1 +0,0 @@\n-x\n";

static struct findings *list_of(const char *path, const char *side,
                                unsigned line, unsigned end)
{
    static const struct findings_source source = {.tool = "review"};
    CLEANUP(mem)
    char *doc = xasprintf(
        "{\"schema\":1,\"findings\":[{\"path\":\"%s\",\"side\":\"%s\","
        "\"line\":%u,\"end_line\":%u,\"message\":\"m\",\"severity\":\"error\","
        "\"fix\":{\"text\":\"t\",\"line\":%u,\"end_line\":%u}}]}",
        path, side, line, end, line, end);
    struct findings *list = findings_new();
    struct err err = {0};

    if (findings_read(list, FINDINGS_OWN, &source, doc, strlen(doc), &err) < 0)
        fail_msg("%s", err.msg);
    assert_int_equal(list->count, 1);
    return list;
}

static const struct {
    const char *path, *side;
    unsigned line, end;
    const char *new_path; /* NULL: it does not stand */
    unsigned new_line, new_end;
} cases[] = {
    {"a.c", "new", 1, 1, "a.c", 3, 3},
    {"a.c", "new", 5, 7, "a.c", 7, 9},
    {"a.c", "new", 9, 9, "a.c", 11, 11},
    {"a.c", "new", 10, 10, NULL, 0, 0},
    {"a.c", "new", 8, 12, NULL, 0, 0},
    {"a.c", "new", 11, 12, "a.c", 13, 14},
    {"a.c", "new", 21, 21, NULL, 0, 0},
    {"a.c", "new", 22, 30, "a.c", 22, 30},
    {"a.c", "new", 40, 40, "a.c", 40, 40},
    {"a.c", "old", 10, 10, "a.c", 10, 10},
    {"other.c", "new", 10, 10, "other.c", 10, 10},
    {"old.c", "new", 4, 5, "new.c", 4, 5},
    {"gone.c", "new", 1, 1, NULL, 0, 0},
};

static void test_cases(void **state)
{
    CLEANUP(diff) struct diff *diff = diff_parse(text, strlen(text), false);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(findings)
        struct findings *list =
            list_of(cases[i].path, cases[i].side, cases[i].line, cases[i].end);

        carry_over(list, diff);
        assert_int_equal(list->count, cases[i].new_path ? 1 : 0);
        if (!list->count)
            continue;
        assert_string_equal(list->items[0].path, cases[i].new_path);
        assert_int_equal(list->items[0].line, cases[i].new_line);
        assert_int_equal(list->items[0].end_line, cases[i].new_end);
        if (list->items[0].fix.text)
            assert_int_equal(list->items[0].fix.line, cases[i].new_line);
    }
}

/* Put between two lines of one it is not as it was. */
static void test_inserted(void **state)
{
    static const char more[] = "diff --git a/a.c b/a.c\n--- a/a.c\n+++ b/a.c\n"
                               "@@ -4,2 +4,3 @@\n four\n+between\n five\n";
    CLEANUP(diff) struct diff *diff = diff_parse(more, strlen(more), false);
    CLEANUP(findings) struct findings *both = list_of("a.c", "new", 4, 5);
    CLEANUP(findings) struct findings *second = list_of("a.c", "new", 5, 5);

    (void)state;
    carry_over(both, diff);
    carry_over(second, diff);
    assert_int_equal(both->count, 0);
    assert_int_equal(second->count, 1);
    assert_int_equal(second->items[0].line, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_inserted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
