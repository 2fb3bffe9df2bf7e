/* tests/unit/pipelines/diff/parse_test.c - diffs of all kinds, also broken. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strbuf.h"
#include "pipelines/diff/diff.h"
#include "tests/lib/unit.h"

#include <string.h>

static struct diff *parse(const char *text)
{
    return diff_parse(text, strlen(text), false);
}

static void check_file(const struct diff_file *file, enum diff_status status,
                       const char *old_path, const char *new_path)
{
    assert_int_equal(file->status, status);
    assert_string_equal(file->old_path, old_path);
    assert_string_equal(file->new_path, new_path);
}

static void check_line(const struct diff_line *line, enum diff_kind kind,
                       uint32_t old_line, uint32_t new_line, const char *text)
{
    assert_int_equal(line->kind, kind);
    assert_int_equal(line->old_line, old_line);
    assert_int_equal(line->new_line, new_line);
    assert_int_equal(line->len, strlen(text));
    assert_memory_equal(line->text, text, line->len);
}

#define HEAD(name)                                                             \
    "diff --git a/" name " b/" name "\nindex 1..2 100755\n--- a/" name         \
    "\n+++ b/" name "\n"

static void test_hunks(void **state)
{
    CLEANUP(diff)
    struct diff *diff = parse(HEAD("f.c") "@@ -2,4 +2,4 @@ int main(void)\n"
                                          " a\n-b\n+B\n c\n d\n"
                                          "@@ -20 +20,2 @@\n e\n+f\n"
                                          "\\ No newline at end of file\n");
    const struct diff_file *file = &diff->files[0];
    const struct diff_hunk *hunk = NULL;

    (void)state;
    assert_int_equal(diff->count, 1);
    assert_false(diff->cut);
    check_file(file, DIFF_MODIFIED, "f.c", "f.c");
    assert_int_equal(file->new_mode, 0100755);
    assert_int_equal(file->hunk_count, 2);
    assert_int_equal(file->hunks[0].count, 5);
    check_line(&file->hunks[0].lines[0], DIFF_CONTEXT, 2, 2, "a");
    check_line(&file->hunks[0].lines[1], DIFF_REMOVED, 3, 3, "b");
    check_line(&file->hunks[0].lines[2], DIFF_ADDED, 4, 3, "B");
    check_line(&file->hunks[0].lines[4], DIFF_CONTEXT, 5, 5, "d");
    check_line(&file->hunks[1].lines[1], DIFF_ADDED, 21, 21, "f");
    assert_true(file->hunks[1].lines[1].no_newline);
    assert_false(file->hunks[1].lines[0].no_newline);
    assert_ptr_equal(diff_line_at(file, DIFF_NEW, 21, &hunk),
                     &file->hunks[1].lines[1]);
    assert_ptr_equal(hunk, &file->hunks[1]);
    assert_ptr_equal(diff_line_at(file, DIFF_OLD, 3, NULL),
                     &file->hunks[0].lines[1]);
    assert_ptr_equal(diff_line_at(file, DIFF_NEW, 3, NULL),
                     &file->hunks[0].lines[2]);
    assert_null(diff_line_at(file, DIFF_NEW, 6, NULL));
    assert_null(diff_line_at(file, DIFF_OLD, 21, NULL));
    assert_null(diff_line_at(file, DIFF_NEW, 1, NULL));
}

static void test_statuses(void **state)
{
    CLEANUP(diff)
    struct diff *diff =
        parse("diff --git a/new b/new\nnew file mode 100644\nindex 0..1\n"
              "--- /dev/null\n+++ b/new\n@@ -0,0 +1,2 @@\n+x\n+y\n"
              "diff --git a/gone b/gone\ndeleted file mode 100644\nindex 1..0\n"
              "--- a/gone\n+++ /dev/null\n@@ -1 +0,0 @@\n-z\n"
              "diff --git a/from b/to\nsimilarity index 90%\nrename from from\n"
              "rename to to\nindex 1..2 100644\n--- a/from\n+++ b/to\n"
              "@@ -1 +1 @@\n-p\n+q\n"
              "diff --git a/one b/two\nsimilarity index 100%\ncopy from one\n"
              "copy to two\n"
              "diff --git a/run b/run\nold mode 100644\nnew mode 100755\n"
              "diff --git a/pic b/pic\nindex 1..2 100644\n"
              "Binary files a/pic and b/pic differ\n"
              "diff --git a/bin b/bin\nindex 1..2 100644\nGIT binary patch\n"
              "literal 3\nKcmZQz\n\nliteral 2\nKcmZQz\n\n"
              "diff --git a/empty b/empty\nnew file mode 100644\nindex 0..0\n");

    (void)state;
    assert_int_equal(diff->count, 8);
    assert_false(diff->cut);
    check_file(&diff->files[0], DIFF_NEW_FILE, "new", "new");
    check_line(&diff->files[0].hunks[0].lines[1], DIFF_ADDED, 1, 2, "y");
    check_file(&diff->files[1], DIFF_DELETED, "gone", "gone");
    check_line(&diff->files[1].hunks[0].lines[0], DIFF_REMOVED, 1, 1, "z");
    check_file(&diff->files[2], DIFF_RENAMED, "from", "to");
    assert_ptr_equal(diff_file_find(diff, "from", DIFF_OLD), &diff->files[2]);
    assert_ptr_equal(diff_file_find(diff, "from", DIFF_NEW), &diff->files[2]);
    check_file(&diff->files[3], DIFF_COPIED, "one", "two");
    check_file(&diff->files[4], DIFF_MODIFIED, "run", "run");
    assert_int_equal(diff->files[4].old_mode, 0100644);
    assert_int_equal(diff->files[4].new_mode, 0100755);
    assert_true(diff->files[5].binary);
    assert_true(diff->files[6].binary);
    assert_false(diff->files[4].binary);
    check_file(&diff->files[7], DIFF_NEW_FILE, "empty", "empty");
    assert_null(diff_file_find(diff, "nowhere", DIFF_NEW));
}

static void test_names(void **state)
{
    static const struct {
        const char *text, *old_path, *new_path;
    } cases[] = {
        {HEAD("with space b/x"), "with space b/x", "with space b/x"},
        {"diff --git a/b c b/b c\nold mode 100644\nnew mode 100755\n", "b c",
         "b c"},
        {"diff --git \"a/\\303\\244\\t\\\"\\\\\" \"b/\\303\\244\\t\\\"\\\\\"\n"
         "old mode 100644\nnew mode 100755\n",
         "\xc3\xa4\t\"\\", "\xc3\xa4\t\"\\"},
        {"diff --git a/plain \"b/\\303\\244\"\nrename from plain\n"
         "rename to \"\\303\\244\"\n",
         "plain", "\xc3\xa4"},
        {"diff --git i/m.c w/m.c\nindex 1..2\n--- i/m.c\n+++ w/m.c\n", "m.c",
         "m.c"},
        {"diff --git a/n.c a/n.c\nindex 1..2\n--- a/n.c\n+++ a/n.c\n", "a/n.c",
         "a/n.c"},
        {"diff --git x/n.c x/n.c\nnew file mode 100644\n--- /dev/null\n"
         "+++ x/n.c\n",
         "x/n.c", "x/n.c"},
        {"--- a/tab c\t2026-01-01\n+++ b/tab c\t2026-01-02\n", "tab c",
         "tab c"},
        {"--- /dev/null\n+++ b/made\n", "made", "made"},
        {"--- a/gone\n+++ /dev/null\n", "gone", "gone"},
        {"--- old/x.c\n+++ new/x.c\n", "old/x.c", "new/x.c"},
        {"diff --cc merged.c\nindex 1,2..3\n--- a/merged.c\n+++ b/merged.c\n"
         "@@@ -1,1 -1,1 +1,2 @@@\n++x\n",
         "merged.c", "merged.c"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(diff) struct diff *diff = parse(cases[i].text);

        if (diff->count != 1)
            fail_msg("%s: %zu files", cases[i].text, diff->count);
        assert_string_equal(diff->files[0].old_path, cases[i].old_path);
        assert_string_equal(diff->files[0].new_path, cases[i].new_path);
    }
}

static void test_around(void **state)
{
    CLEANUP(diff)
    struct diff *diff =
        parse("From 1234 Mon Sep 17 00:00:00 2001\nSubject: [PATCH] x\n\n---\n"
              " f | 2 +-\n 1 file changed\n\n" HEAD("f") "@@ -1,2 +1,2 @@\n"
                                                         "--- a\n+++ b\n c\n"
                                                         "-- \n2.39.2\n\n");

    (void)state;
    assert_int_equal(diff->count, 1);
    assert_false(diff->cut);
    assert_int_equal(diff->files[0].hunks[0].count, 3);
    check_line(&diff->files[0].hunks[0].lines[0], DIFF_REMOVED, 1, 1, "-- a");
    check_line(&diff->files[0].hunks[0].lines[1], DIFF_ADDED, 2, 1, "++ b");
}

static void test_line_ends(void **state)
{
    CLEANUP(diff)
    struct diff *diff = parse(HEAD("f") "@@ -1,3 +1,3 @@\n a\r\n-b\r\n+c\n\n");
    const struct diff_hunk *hunk = &diff->files[0].hunks[0];

    (void)state;
    assert_int_equal(hunk->count, 4);
    assert_true(hunk->lines[0].has_cr);
    check_line(&hunk->lines[0], DIFF_CONTEXT, 1, 1, "a");
    assert_false(hunk->lines[2].has_cr);
    check_line(&hunk->lines[3], DIFF_CONTEXT, 3, 3, ""); /* its space is lost */
    assert_false(diff->cut);
}

static void test_whole_in_cr_lf(void **state)
{
    CLEANUP(diff)
    struct diff *diff = parse("diff --git a/f b/f\r\nindex 1..2 100644\r\n"
                              "--- a/f\r\n+++ b/f\r\n@@ -1 +1 @@\r\n"
                              "-a\r\n+b\r\n");

    (void)state;
    check_file(&diff->files[0], DIFF_MODIFIED, "f", "f");
    check_line(&diff->files[0].hunks[0].lines[1], DIFF_ADDED, 2, 1, "b");
}

static void test_broken(void **state)
{
    static const struct {
        const char *hunks;
        size_t count, lines; /* what is left */
    } cases[] = {
        {"@@ -1,3 +1,3 @@\n a\n", 1, 1},
        {"@@ -1,3 +1,3 @@\n a\n hal", 1, 1},
        {"@@ -1,2 +1,2 @@\n a\n?b\n", 1, 1},
        {"@@ -1,1 +1,2 @@\n-a\n-b\n", 1, 1},
        {"@@ -x +1 @@\n a\n", 0, 0},
        {"@@ -1 +1\n a\n", 0, 0},
        {"@@ -4294967296,2 +1 @@\n a\n", 0, 0},
        {"@@ -9 +9 @@\n a\n@@ -5 +5 @@\n b\n", 1, 1},
        {"@@ -0,1 +1 @@\n a\n", 0, 0},
        {"@@ -1,2 +1,2 @@\n a\n@@ -8 +8 @@\n b\n", 2, 1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
        CLEANUP(diff) struct diff *diff = NULL;

        strbuf_addf(&text, "%s%s", HEAD("f"), cases[i].hunks);
        diff = parse(text.data);
        if (!diff->cut || !diff->files[0].cut ||
            diff->files[0].hunk_count != cases[i].count)
            fail_msg("%s: cut %d, %zu hunks", cases[i].hunks, diff->cut,
                     diff->files[0].hunk_count);
        if (cases[i].count)
            assert_int_equal(diff->files[0].hunks[0].count, cases[i].lines);
    }
}

static void test_truncated(void **state)
{
    const char *text = HEAD("f") "@@ -1 +1,2 @@\n a\n+b";
    CLEANUP(diff) struct diff *whole = parse(text);
    CLEANUP(diff) struct diff *half = diff_parse(text, strlen(text), true);

    (void)state;
    assert_false(whole->cut);
    assert_int_equal(whole->files[0].hunks[0].count, 2);
    assert_true(half->cut && half->files[0].cut && half->files[0].hunks[0].cut);
    assert_int_equal(half->files[0].hunks[0].count, 1);
}

static void test_nothing(void **state)
{
    static const char *const texts[] = {
        "",        "\n",      "no diff\n",   "@@ -1 +1 @@\n",
        "--- a\n", "+++ b\n", "index 1..2\n"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        CLEANUP(diff) struct diff *diff = parse(texts[i]);

        assert_int_equal(diff->count, 0);
    }
}

static void test_same_name_twice(void **state)
{
    CLEANUP(diff)
    struct diff *diff = parse("diff --git a/l b/l\ndeleted file mode 120000\n"
                              "--- a/l\n+++ /dev/null\n@@ -1 +0,0 @@\n-t\n"
                              "diff --git a/l b/l\nnew file mode 100644\n"
                              "--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+u\n");

    (void)state;
    assert_ptr_equal(diff_file_find(diff, "l", DIFF_OLD), &diff->files[0]);
    assert_ptr_equal(diff_file_find(diff, "l", DIFF_NEW), &diff->files[1]);
}

static void test_too_many_files(void **state)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    CLEANUP(diff) struct diff *diff = NULL;

    (void)state;
    for (unsigned i = 0; i < DIFF_MAX_FILES + 3; i++)
        strbuf_addf(&text, "diff --git a/%u b/%u\nnew file mode 100644\n", i,
                    i);
    diff = parse(text.data);
    assert_int_equal(diff->count, DIFF_MAX_FILES);
    assert_true(diff->cut);
    assert_non_null(diff_file_find(diff, "9999", DIFF_NEW));
    assert_null(diff_file_find(diff, "10000", DIFF_NEW));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hunks),
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_around),
        cmocka_unit_test(test_line_ends),
        cmocka_unit_test(test_whole_in_cr_lf),
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_same_name_twice),
        cmocka_unit_test(test_too_many_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
