/* tests/unit/pipelines/diag_test.c - errors, listed and shown. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/diag.h"
#include "tests/lib/unit.h"

#include <string.h>

static void renders(const struct diag_list *list, const char *wanted)
{
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;

    diag_list_render(list, &out);
    assert_string_equal(out.data, wanted);
}

static void test_sorted_once(void **state)
{
    CLEANUP(diag_list) struct diag_list *list = diag_list_new();

    (void)state;
    assert_int_equal(diag_list_count(list), 0);
    diag_list_add(list, 2, 5, NULL, "c");
    diag_list_add(list, 1, 9, "y", "%s", "b");
    diag_list_add(list, 0, 0, NULL, "a");
    diag_list_add(list, 2, 5, NULL, "d");
    diag_list_add(list, 2, 5, NULL, "c");
    assert_int_equal(diag_list_count(list), 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(diag_list_at(list, i)->message[0], "abcd"[i]);
    assert_null(diag_list_at(list, 4));
    assert_string_equal(diag_list_at(list, 1)->hint, "y");
    assert_false(diag_list_truncated(list));
}

static void test_bounded(void **state)
{
    CLEANUP(diag_list) struct diag_list *list = diag_list_new();
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;

    (void)state;
    for (unsigned i = 1; i <= DIAG_MAX; i++)
        diag_list_add(list, i, 1, NULL, "x");
    assert_false(diag_list_truncated(list));
    diag_list_add(list, 1, 1, NULL, "x"); /* the same again */
    assert_false(diag_list_truncated(list));
    diag_list_add(list, 1, 2, NULL, "x");
    assert_true(diag_list_truncated(list));
    assert_int_equal(diag_list_count(list), DIAG_MAX);
    diag_list_render(list, &out);
    assert_non_null(strstr(out.data, "… more; these are the first 100\n"));
}

static void test_render(void **state)
{
    static const char text[] = "name: x\ntiemout: 30m\n";
    CLEANUP(diag_list) struct diag_list *list = diag_list_new();

    (void)state;
    diag_list_set_source(list, "a.yml", text, strlen(text));
    diag_list_add(list, 2, 1, "timeout", "unknown key 'tiemout'");
    diag_list_add(list, 2, 13, NULL, "behind the line");
    diag_list_add(list, 3, 1, NULL, "the last line");
    diag_list_add(list, 9, 1, NULL, "no such line");
    diag_list_add(list, 0, 0, NULL, "everything");
    renders(list, "a.yml: everything\n"
                  "a.yml:2:1: unknown key 'tiemout'; did you mean 'timeout'?\n"
                  "    2 | tiemout: 30m\n"
                  "      | ^\n"
                  "a.yml:2:13: behind the line\n"
                  "    2 | tiemout: 30m\n"
                  "      |             ^\n"
                  "a.yml:3:1: the last line\n"
                  "    3 | \n"
                  "      | ^\n"
                  "a.yml:9:1: no such line\n");
}

static void test_render_without_source(void **state)
{
    CLEANUP(diag_list) struct diag_list *list = diag_list_new();

    (void)state;
    diag_list_add(list, 0, 0, NULL, "m");
    renders(list, "m\n");
    diag_list_add(list, 1, 1, NULL, "n");
    renders(list, "m\n:1:1: n\n");
}

static void test_widths(void **state)
{
    static const char text[] = "\xef\xbb\xbf\t世e\xcc\x81\xffX";
    CLEANUP(diag_list) struct diag_list *list = diag_list_new();

    (void)state;
    diag_list_set_source(list, "f", text, strlen(text));
    diag_list_add(list, 1, 6, NULL, "m");
    renders(list, "f:1:6: m\n"
                  "    1 |     世e\xcc\x81?X\n"
                  "      |         ^\n");
}

static void test_line_breaks(void **state)
{
    static const char text[] = "a\r\nb\rc\n\nd";
    CLEANUP(diag_list) struct diag_list *list = diag_list_new();

    (void)state;
    diag_list_set_source(list, "f", text, strlen(text));
    diag_list_add(list, 2, 1, NULL, "m");
    diag_list_add(list, 3, 1, NULL, "m");
    diag_list_add(list, 4, 1, NULL, "m");
    diag_list_add(list, 5, 1, NULL, "m");
    renders(list, "f:2:1: m\n    2 | b\n      | ^\n"
                  "f:3:1: m\n    3 | c\n      | ^\n"
                  "f:4:1: m\n    4 | \n      | ^\n"
                  "f:5:1: m\n    5 | d\n      | ^\n");
}

static void test_hostile(void **state)
{
    /* A colour, a C1 control, right-to-left override, DEL. */
    static const char text[] = {'\x1b', '[',    '3',    '1',    'm', '\x9b',
                                '\xe2', '\x80', '\xae', '\x7f', '\0'};
    CLEANUP(diag_list) struct diag_list *list = diag_list_new();

    (void)state;
    diag_list_set_source(list, "f\x1b\n", text, strlen(text));
    diag_list_add(list, 1, 1, "h\x1b", "m\x1b\xff");
    renders(list, "f??:1:1: m??; did you mean 'h?'?\n"
                  "    1 | ?[31m???\n"
                  "      | ^\n");
}

static void test_long_line(void **state)
{
    CLEANUP(diag_list) struct diag_list *list = diag_list_new();
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;
    const char *line, *caret;

    (void)state;
    for (int i = 0; i < 100000; i++)
        strbuf_addc(&text, (char)('a' + i % 26));
    text.data[70000] = '#';
    diag_list_set_source(list, "f", text.data, text.len);
    diag_list_add(list, 1, 70001, NULL, "m");
    diag_list_render(list, &out);
    line = strstr(out.data, "\n    1 | …");
    assert_non_null(line);
    caret = strstr(line, "\n      | ") + 1;
    assert_true(caret - line < 100);
    /* The ellipses are three bytes in one column. */
    assert_int_equal(strchr(line, '#') - (line + 1) - 2,
                     strchr(caret, '^') - caret);
    assert_int_equal(strncmp(caret - strlen("…\n"), "…\n", 4), 0);
}

static void test_long_line_of_wide(void **state)
{
    CLEANUP(diag_list) struct diag_list *list = diag_list_new();
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;

    (void)state;
    for (int i = 0; i < 1000; i++)
        strbuf_adds(&text, "世");
    diag_list_set_source(list, "f", text.data, text.len);
    diag_list_add(list, 1, 900, NULL, "m");
    diag_list_render(list, &out);
    assert_true(out.len < 300);
    assert_non_null(strstr(out.data, "      |                           "));
}

static void test_long_message(void **state)
{
    CLEANUP(diag_list) struct diag_list *list = diag_list_new();
    CLEANUP(strbuf) struct strbuf message = STRBUF_INIT;

    (void)state;
    for (int i = 0; i < 1000; i++)
        strbuf_adds(&message, "ü");
    diag_list_add(list, 1, 1, NULL, "%sx", message.data);
    diag_list_add(list, 2, 1, NULL, "y%s", message.data);
    assert_int_equal(strlen(diag_list_at(list, 0)->message), 400 + 3);
    assert_int_equal(strlen(diag_list_at(list, 1)->message), 399 + 3);
}

static void test_json(void **state)
{
    CLEANUP(diag_list) struct diag_list *list = diag_list_new();
    json_t *wanted = json_pack("[{s:i,s:i,s:s,s:s}, {s:i,s:i,s:s,s:n}]", "line",
                               1, "column", 2, "message", "a", "hint", "b",
                               "line", 3, "column", 4, "message", "c?", "hint");
    json_t *got;

    (void)state;
    diag_list_add(list, 3, 4, NULL, "c\xff");
    diag_list_add(list, 1, 2, "b", "a");
    got = diag_list_to_json(list);
    assert_true(json_equal(got, wanted));
    json_decref(got);
    json_decref(wanted);
    diag_list_free(NULL);
}

static void test_warnings(void **state)
{
    CLEANUP(diag_list) struct diag_list *list = diag_list_new();
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;

    (void)state;
    diag_list_set_source(list, "f", "a\nbc\n", 5);
    assert_null(diag_list_warnings(list));
    diag_list_warn(list, 2, 2, "odd");
    diag_list_warn(list, 2, 2, "odd");
    assert_int_equal(diag_list_count(list), 0);
    assert_int_equal(diag_list_count(diag_list_warnings(list)), 1);
    diag_list_render(diag_list_warnings(list), &out);
    assert_string_equal(out.data, "f:2:2: warning: odd\n"
                                  "    2 | bc\n      |  ^\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sorted_once),
        cmocka_unit_test(test_warnings),
        cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_render),
        cmocka_unit_test(test_render_without_source),
        cmocka_unit_test(test_widths),
        cmocka_unit_test(test_line_breaks),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_long_line),
        cmocka_unit_test(test_long_line_of_wide),
        cmocka_unit_test(test_long_message),
        cmocka_unit_test(test_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
