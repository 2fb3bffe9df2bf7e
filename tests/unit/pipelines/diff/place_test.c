/* tests/unit/pipelines/diff/place_test.c - remarks in and beside hunks. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/diff/place.h"
#include "tests/lib/unit.h"

#include <string.h>

/* New lines 10 to 14 and 30; old lines 10 to 13 and 29. */
static const char text[] =
    "diff --git a/src/old.c b/src/new.c\nrename from src/old.c\n"
    "rename to src/new.c\n--- a/src/old.c\n+++ b/src/new.c\n"
    "@@ -10,4 +10,5 @@\n int one;\n-int  two;\n+int two = 2;\n+int three;\n"
    " same();\n same();\n"
    "@@ -29 +30 @@\n-last\n+same();\n";

static struct diff *parse(void)
{
    return diff_parse(text, strlen(text), false);
}

static void check(const struct diff *diff, struct diff_range range,
                  enum diff_where where, uint32_t start, uint32_t end)
{
    struct diff_place place = diff_place(diff, &range);

    assert_int_equal(place.where, where);
    if (where != DIFF_INLINE)
        return;
    assert_int_equal(diff_line_number(place.start, range.side), start);
    assert_int_equal(diff_line_number(place.end, range.side), end);
    assert_true(diff_line_on(place.start, range.side));
    assert_true(diff_line_on(place.end, range.side));
    assert_int_equal(place.clipped,
                     start != range.line ||
                         end != (range.end_line ? range.end_line : range.line));
}

static void test_places(void **state)
{
    CLEANUP(diff) struct diff *diff = parse();

    (void)state;
    check(diff, (struct diff_range){"src/new.c", DIFF_NEW, 11, 0}, DIFF_INLINE,
          11, 11);
    check(diff, (struct diff_range){"src/new.c", DIFF_NEW, 11, 13}, DIFF_INLINE,
          11, 13);
    check(diff, (struct diff_range){"src/new.c", DIFF_NEW, 1, 12}, DIFF_INLINE,
          10, 12);
    check(diff, (struct diff_range){"src/new.c", DIFF_NEW, 13, 40}, DIFF_INLINE,
          13, 14);
    check(diff, (struct diff_range){"src/new.c", DIFF_NEW, 15, 29},
          DIFF_IN_FILE, 0, 0);
    check(diff, (struct diff_range){"src/new.c", DIFF_NEW, 15, 30}, DIFF_INLINE,
          30, 30);
    check(diff, (struct diff_range){"src/new.c", DIFF_NEW, 31, 31},
          DIFF_IN_FILE, 0, 0);
    check(diff, (struct diff_range){"src/new.c", DIFF_NEW, 0, 0}, DIFF_IN_FILE,
          0, 0);
    check(diff, (struct diff_range){"src/old.c", DIFF_OLD, 11, 11}, DIFF_INLINE,
          11, 11);
    check(diff, (struct diff_range){"src/old.c", DIFF_OLD, 29, 29}, DIFF_INLINE,
          29, 29);
    check(diff, (struct diff_range){"src/none.c", DIFF_NEW, 11, 11},
          DIFF_OUTSIDE, 0, 0);
}

static void check_pair(const struct diff *diff, enum diff_side side,
                       uint32_t line, uint32_t old_line, uint32_t new_line,
                       const char *code)
{
    const struct diff_file *file = &diff->files[0];
    const struct diff_line *found = diff_line_at(file, side, line, NULL);
    char got[DIFF_LINE_CODE_SIZE];
    uint32_t old_got, new_got;

    assert_non_null(found);
    diff_line_pair(found, &old_got, &new_got);
    assert_int_equal(old_got, old_line);
    assert_int_equal(new_got, new_line);
    assert_string_equal(diff_line_code(file, found, got), code);
}

/* printf src/new.c | sha1sum */
#define SHA "2597f11df06b3e6f8630fb4cb33587d365ccd0e2"

static void test_gitlab(void **state)
{
    CLEANUP(diff) struct diff *diff = parse();

    (void)state;
    check_pair(diff, DIFF_NEW, 10, 10, 10, SHA "_10_10");
    check_pair(diff, DIFF_OLD, 11, 11, 0, SHA "_11_11");
    check_pair(diff, DIFF_NEW, 11, 0, 11, SHA "_12_11");
    check_pair(diff, DIFF_NEW, 12, 0, 12, SHA "_12_12");
    check_pair(diff, DIFF_NEW, 13, 12, 13, SHA "_12_13");
}

/* printf a | sha1sum */
#define SHA_A "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"

/* A side without lines is counted from 0. */
static void test_gitlab_empty(void **state)
{
    static const char added[] =
        "--- /dev/null\n+++ b/a\n@@ -0,0 +1,2 @@\n+one\n+two\n";
    static const char deleted[] =
        "--- a/a\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-one\n-two\n";
    CLEANUP(diff) struct diff *is_new = NULL;
    CLEANUP(diff) struct diff *is_gone = NULL;

    (void)state;
    is_new = diff_parse(added, strlen(added), false);
    is_gone = diff_parse(deleted, strlen(deleted), false);
    check_pair(is_new, DIFF_NEW, 1, 0, 1, SHA_A "_0_1");
    check_pair(is_new, DIFF_NEW, 2, 0, 2, SHA_A "_0_2");
    check_pair(is_gone, DIFF_OLD, 2, 2, 0, SHA_A "_2_0");
}

static void find(enum diff_side side, const char *code, uint32_t near,
                 uint32_t line, uint32_t end_line)
{
    CLEANUP(diff) struct diff *diff = parse();
    struct diff_range range = {"src/new.c", side, 0, 0};
    bool found = diff_find(&diff->files[0], side, code, near, &range);

    if (found != (line > 0) || range.line != line || range.end_line != end_line)
        fail_msg("%s: %d, %u to %u", code, found, range.line, range.end_line);
    if (found && line != end_line)
        assert_true(diff_says(&diff->files[0], &range, code));
}

static void test_find(void **state)
{
    (void)state;
    find(DIFF_NEW, "int two = 2;", 99, 11, 11);
    find(DIFF_NEW, "\n\n  int\ttwo=2 ;\n  int three;\n", 1, 11, 12);
    find(DIFF_NEW, "int one;\nint two = 2;", 1, 10, 11);
    find(DIFF_NEW, "+int two = 2;\n+int three;", 1, 11, 12);
    find(DIFF_OLD, "int one;\nint two;", 1, 10, 11);
    find(DIFF_NEW, "int two;", 1, 0, 0);
    find(DIFF_NEW, "same();", 1, 13, 13);
    find(DIFF_NEW, "same();", 14, 14, 14);
    find(DIFF_NEW, "same();", 25, 30, 30);
    find(DIFF_NEW, "int three", 1, 12, 12); /* part of one line */
    find(DIFF_NEW, "int t", 1, 0, 0);       /* of several, and short */
    find(DIFF_NEW, "", 1, 0, 0);
    find(DIFF_NEW, " \n\t\n", 1, 0, 0);
}

static void test_says(void **state)
{
    CLEANUP(diff) struct diff *diff = parse();
    struct diff_range range = {"src/new.c", DIFF_NEW, 11, 12};

    (void)state;
    assert_true(diff_says(&diff->files[0], &range, "int two = 2;\nint three;"));
    assert_true(diff_says(&diff->files[0], &range, "two = 2"));
    assert_false(diff_says(&diff->files[0], &range, "int three;"));
    range.line = 20;
    assert_false(diff_says(&diff->files[0], &range, "int two = 2;"));
}

static void test_cut(void **state)
{
    const char *cut = "--- a/f\n+++ b/f\n@@ -1,4 +1,4 @@\n a\n b\n";
    CLEANUP(diff) struct diff *diff = diff_parse(cut, strlen(cut), false);

    (void)state;
    check(diff, (struct diff_range){"f", DIFF_NEW, 2, 2}, DIFF_INLINE, 2, 2);
    check(diff, (struct diff_range){"f", DIFF_NEW, 3, 3}, DIFF_IN_FILE, 0, 0);
    check(diff, (struct diff_range){"f", DIFF_NEW, 2, 3}, DIFF_IN_FILE, 0, 0);
    assert_true(diff->files[0].cut);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),       cmocka_unit_test(test_gitlab),
        cmocka_unit_test(test_gitlab_empty), cmocka_unit_test(test_find),
        cmocka_unit_test(test_says),         cmocka_unit_test(test_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
