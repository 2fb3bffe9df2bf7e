/* tests/unit/scheduler/forge/write_test.c - places and texts for Git hosts. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/forge/api/write.h"
#include "tests/lib/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void cuts(const char *from, size_t max, const char *wanted)
{
    CLEANUP(mem) char *got = write_cut(from, max);

    assert_string_equal(got, wanted);
}

static void test_cut(void **state)
{
    (void)state;
    cuts("", 3, "");
    cuts("abc", 3, "abc");
    cuts("abcd", 3, "ab\xe2\x80\xa6");
    cuts("\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f", 3, "\xc3\xa4\xc3\xb6\xe2\x80\xa6");
    /* Twice beyond 16 bits. */
    cuts("a\xf0\x9f\x98\x80"
         "b",
         4,
         "a\xf0\x9f\x98\x80"
         "b");
    cuts("a\xf0\x9f\x98\x80"
         "b",
         3, "a\xe2\x80\xa6");
}

static void test_same(void **state)
{
    (void)state;
    assert_true(write_same("a\nb\n", "a\r\nb"));
    assert_true(write_same("", "\n"));
    assert_false(write_same("a\nb", "a\nc"));
    assert_false(write_same("a", "ab"));
    assert_false(write_same("a\rb", "a\nb"));
}

/* What is made must be read back, whatever the names are. */
static void test_patch(void **state)
{
    static const char hunk[] = "@@ -1 +1,2 @@\n one\n+two";
    const struct patch_file files[] = {
        {"a b.js", "a b.js", false, false, false, hunk},
        {"old \"x\".js", "new\t\\y.js", false, false, true, hunk},
        {"new.js", "new.js", true, false, false, "@@ -0,0 +1 @@\n+one\n"},
        {"gone.js", "gone.js", false, true, false, "@@ -1 +0,0 @@\n-one\n"},
        {"moved.bin", "b/moved.bin", false, false, true, ""},
    };
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;
    CLEANUP(diff) struct diff *diff = NULL;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        patch_add(&out, &files[i]);
    diff = diff_parse(out.data, out.len, false);
    assert_int_equal(diff->count, ARRAY_LEN(files));
    assert_false(diff->cut);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        assert_string_equal(diff->files[i].old_path, files[i].old_path);
        assert_string_equal(diff->files[i].new_path, files[i].new_path);
        assert_int_equal(diff->files[i].hunk_count, *files[i].patch ? 1 : 0);
    }
    assert_int_equal(diff->files[1].status, DIFF_RENAMED);
    assert_int_equal(diff->files[2].status, DIFF_NEW_FILE);
    assert_int_equal(diff->files[3].status, DIFF_DELETED);
    assert_int_equal(diff->files[4].status, DIFF_RENAMED);
}

static void positions(const char *path, enum diff_side side, uint32_t line,
                      uint32_t end_line, const char *wanted)
{
    static const char text[] =
        "diff --git a/old.js b/a\nrename from old.js\nrename to a\n"
        "--- a/old.js\n+++ b/a\n@@ -10,3 +20,4 @@\n ten\n-eleven\n+one\n"
        "+two\n twelve\n";
    CLEANUP(diff)
    struct diff *diff = diff_parse(text, strlen(text), false);
    const struct diff_range range = {path, side, line, end_line};
    struct diff_place place = diff_place(diff, &range);
    struct forge_diff refs = {
        .base_sha = "b", .start_sha = "s", .head_sha = "h"};
    json_t *got, *want;
    json_error_t error;
    char *dump;

    assert_int_equal(place.where, DIFF_INLINE);
    got = gitlab_position(&refs, &place);
    want = json_loads(wanted, 0, &error);
    assert_non_null(want);
    json_object_set_new(want, "position_type", json_string("text"));
    json_object_set_new(want, "base_sha", json_string("b"));
    json_object_set_new(want, "start_sha", json_string("s"));
    json_object_set_new(want, "head_sha", json_string("h"));
    json_object_set_new(want, "old_path", json_string("old.js"));
    json_object_set_new(want, "new_path", json_string("a"));
    dump = json_dumps(got, JSON_INDENT(1));
    if (!json_equal(got, want))
        fail_msg("%s is not %s", dump, wanted);
    free(dump);
    json_decref(got);
    json_decref(want);
}

#define CODE_A "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8" /* SHA-1 of "a" */

static void test_gitlab(void **state)
{
    (void)state;
    positions("a", DIFF_NEW, 21, 0, "{\"new_line\":21}");
    positions("old.js", DIFF_OLD, 11, 0, "{\"old_line\":11}");
    positions("a", DIFF_NEW, 20, 0, "{\"old_line\":10,\"new_line\":20}");
    positions("a", DIFF_NEW, 21, 23,
              "{\"old_line\":12,\"new_line\":23,\"line_range\":{\"start\":{"
              "\"line_code\":\"" CODE_A "_12_21\",\"type\":\"new\","
              "\"new_line\":21},\"end\":{\"line_code\":\"" CODE_A
              "_12_23\",\"old_line\":12,\"new_line\":23}}}");
}

static void test_whose(void **state)
{
    json_t *github = json_pack("{s:{s:s}}", "user", "login", "berth[bot]");
    json_t *gitlab = json_pack("{s:{s:s}}", "author", "username", "Berth");
    json_t *gone = json_pack("{s:n}", "user");

    (void)state;
    assert_true(write_is_by(github, "berth[bot]"));
    assert_false(write_is_by(github, "berth"));
    assert_true(write_is_by(gitlab, "berth"));
    assert_false(write_is_by(gone, ""));
    json_decref(github);
    json_decref(gitlab);
    json_decref(gone);
}

/* Only the mark of a whole fingerprint at the very start. */
static void test_marks(void **state)
{
    static const char *const none[] = {
        "", "text\n<!-- berth:finding 0123456789abcdef0123456789abcdef -->\n",
        "<!-- berth:finding 0123 -->\n", "<!-- berth:summary x -->\n"};
    struct forge_comments comments = {0};
    struct forge_comment comment = {.id = "1", .thread = "2"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(none); i++) {
        comment.body = none[i];
        comments_add(&comments, &comment);
    }
    assert_int_equal(comments.count, 0);
    comment.body =
        "<!-- berth:finding 0123456789abcdef0123456789abcdef -->\r\ntext";
    comments_add(&comments, &comment);
    assert_int_equal(comments.count, 1);
    assert_string_equal(comments.items[0].fingerprint,
                        "0123456789abcdef0123456789abcdef");
    forge_comments_clear(&comments);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut),   cmocka_unit_test(test_same),
        cmocka_unit_test(test_patch), cmocka_unit_test(test_gitlab),
        cmocka_unit_test(test_whose), cmocka_unit_test(test_marks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
