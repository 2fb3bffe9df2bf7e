/* tests/unit/pipelines/findings/fingerprint_test.c - the same, or not. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strbuf.h"
#include "pipelines/findings/fingerprint.h"
#include "pipelines/findings/reader.h"
#include "tests/lib/unit.h"

#include <string.h>

static const struct findings_source source = {NULL, NULL, NULL};

static void add(struct findings *findings, const char *path, uint32_t line,
                const char *rule, const char *message)
{
    struct reader reader = {findings, &source};
    struct finding draft = FINDING_DRAFT;

    draft.tool = "lint";
    draft.rule = rule;
    draft.line = line;
    draft.message = message;
    reader_add(&reader, &draft, path, false);
}

/* A file of these lines; "" is the line before the first. */
static const char *line_of(void *arg, const char *path, enum diff_side side,
                           uint32_t line, size_t *out_len)
{
    const char *text = arg;

    (void)path, (void)side;
    for (uint32_t i = 1; *text; i++) {
        size_t len = strcspn(text, "\n");

        if (i == line) {
            *out_len = len;
            return text;
        }
        text += len + (text[len] == '\n');
    }
    return NULL;
}

/* The fingerprint of a finding at a line of a text. */
static void print_of(const char *text, uint32_t line, const char *message,
                     char out[FINGERPRINT_SIZE])
{
    CLEANUP(findings) struct findings *findings = findings_new();

    add(findings, "a.c", line, "r", message);
    findings_fingerprint(findings, text ? line_of : NULL, (void *)text);
    memcpy(out, findings->items[0].fingerprint, FINGERPRINT_SIZE);
    assert_true(fingerprint_ok(out));
}

static void same(const char *text_a, uint32_t line_a, const char *text_b,
                 uint32_t line_b, bool wanted)
{
    char a[FINGERPRINT_SIZE], b[FINGERPRINT_SIZE];

    print_of(text_a, line_a, "m", a);
    print_of(text_b, line_b, "m", b);
    if ((strcmp(a, b) == 0) != wanted)
        fail_msg("%s:%u and %s:%u", text_a, line_a, text_b, line_b);
}

static void test_moved(void **state)
{
    (void)state;
    same("a\nb\nc\n", 2, "new\nnew\na\nb\nc\n", 4, true);
    same("a\nb\nc\n", 2, "\ta\n  b  \nc\r\n", 2, true);
    same("a\nb\nc\n", 2, "a\nB\nc\n", 2, false);
    same("a\nb\nc\n", 2, "x\nb\nc\n", 2, false);
    same("a\nb\nc\n", 2, "a\nb\ny\n", 2, false);
    same("a\nb\n", 1, "a\nb\nc\n", 1, true);
}

static void test_messages(void **state)
{
    char a[FINGERPRINT_SIZE], b[FINGERPRINT_SIZE];

    (void)state;
    print_of("x\n", 1, "one", a); /* with the code known they do not count */
    print_of("x\n", 1, "two", b);
    assert_string_equal(a, b);
    print_of(NULL, 1, "took 12 ms", a);
    print_of(NULL, 9, "took  7 ms", b);
    assert_string_equal(a, b);
    print_of(NULL, 1, "took it", b);
    assert_string_not_equal(a, b);
}

static void test_occurrences(void **state)
{
    CLEANUP(findings) struct findings *findings = findings_new();
    CLEANUP(findings) struct findings *later = findings_new();
    const char *text = "x\nsame\nx\nsame\nx\nother\nx\nsame\nx\n";

    (void)state;
    add(findings, "a.c", 8, "r", "m");
    add(findings, "a.c", 2, "r", "m");
    add(findings, "a.c", 4, "r", "m");
    add(findings, "b.c", 2, "r", "m");
    add(findings, "a.c", 2, "s", "m");
    findings_fingerprint(findings, line_of, (void *)text);
    for (size_t i = 0; i < findings->count; i++)
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(findings->items[i].fingerprint,
                                    findings->items[j].fingerprint);
    /* The last one is gone: the others stay who they were. */
    add(later, "a.c", 4, "r", "m");
    add(later, "a.c", 2, "r", "m");
    findings_fingerprint(later, line_of, (void *)text);
    assert_string_equal(later->items[1].fingerprint,
                        findings->items[1].fingerprint);
    assert_string_equal(later->items[0].fingerprint,
                        findings->items[2].fingerprint);
}

static void print_of_test(const char *message, uint32_t line,
                          char out[FINGERPRINT_SIZE])
{
    CLEANUP(findings) struct findings *findings = findings_new();
    struct reader reader = {findings, &source};
    struct finding draft = FINDING_DRAFT;

    draft.kind = FINDING_TEST;
    draft.rule = "adds";
    draft.message = message;
    draft.line = line;
    reader_add(&reader, &draft, "t.js", false);
    findings_fingerprint(findings, line_of, (void *)"x\ny\n");
    memcpy(out, findings->items[0].fingerprint, FINGERPRINT_SIZE);
}

static void test_tests(void **state)
{
    char a[FINGERPRINT_SIZE], b[FINGERPRINT_SIZE];

    (void)state;
    print_of_test("one reason", 1, a);
    print_of_test("another", 2, b);
    assert_string_equal(a, b);
}

static void test_diff_lines(void **state)
{
    const char *text = "--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n";
    CLEANUP(diff) struct diff *diff = diff_parse(text, strlen(text), false);
    size_t len = 0;

    (void)state;
    assert_memory_equal(fingerprint_diff_line(diff, "f", DIFF_NEW, 2, &len),
                        "c", 1);
    assert_memory_equal(fingerprint_diff_line(diff, "f", DIFF_OLD, 2, &len),
                        "b", 1);
    assert_int_equal(len, 1);
    assert_null(fingerprint_diff_line(diff, "f", DIFF_NEW, 3, &len));
    assert_null(fingerprint_diff_line(diff, "g", DIFF_NEW, 1, &len));
}

static void test_kept(void **state)
{
    CLEANUP(findings) struct findings *findings = findings_new();

    (void)state;
    add(findings, "a.c", 1, "r", "m");
    strcpy(findings->items[0].fingerprint, "0123");
    findings_fingerprint(findings, NULL, NULL);
    assert_string_equal(findings->items[0].fingerprint, "0123");
    assert_false(fingerprint_ok("0123"));
    assert_false(fingerprint_ok("0123456789abcdef0123456789abcdeg"));
    assert_true(fingerprint_ok("0123456789abcdef0123456789abcdef"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moved),       cmocka_unit_test(test_messages),
        cmocka_unit_test(test_occurrences), cmocka_unit_test(test_tests),
        cmocka_unit_test(test_diff_lines),  cmocka_unit_test(test_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
