/* tests/unit/cli/table_test.c - rows of words in columns. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/table.h"

#include "tests/lib/unit.h"

#include <string.h>

static const struct style plain = {.colour = false, .ascii = true};

static const char *const heads[] = {"id", "what", "empty", "why", NULL};

static struct table *two_rows(void)
{
    struct table *table = table_new(heads);

    table_cell(table, "a");
    table_tinted(table, TINT_RED, "first");
    table_end_row(table);
    table_cell(table, "bcd");
    table_cell(table, "x\033[31m\ny");
    table_cell(table, NULL);
    table_cell(table, "because of what it is");
    table_end_row(table);
    return table;
}

static void test_rows(void **state)
{
    CLEANUP(table) struct table *table = two_rows();
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;

    (void)state;
    table_add(table, &plain, 200, &out);
    assert_string_equal(out.data, "id   what   why\n"
                                  "a    first\n"
                                  "bcd  x y    because of what it is\n");
}

static void test_narrow(void **state)
{
    CLEANUP(table) struct table *table = two_rows();
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;

    (void)state;
    table_add(table, &plain, 24, &out);
    assert_string_equal(out.data, "id   what   why\n"
                                  "a    first\n"
                                  "bcd  x y    because of ~\n");
    strbuf_cut(&out, 0);
    table_add(table, &plain, 1, &out); /* cut no further than can be read */
    assert_non_null(strstr(out.data, "bcd  x y    because~\n"));
}

static void test_colour(void **state)
{
    static const struct style colour = {.colour = true, .ascii = true};
    CLEANUP(table) struct table *table = two_rows();
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;

    (void)state;
    table_add(table, &colour, 200, &out);
    assert_non_null(strstr(out.data, "\033[1mid\033[0m   \033[1mwhat"));
    assert_non_null(strstr(out.data, "a    \033[31mfirst\033[0m\n"));
}

static void test_wide_cell(void **state)
{
    CLEANUP(table) struct table *table = table_new(heads);
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;
    char text[500];

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_true(table_is_empty(table));
    table_cell(table, text);
    assert_false(table_is_empty(table));
    table_end_row(table);
    table_add(table, &plain, 1000, &out);
    assert_int_equal(out.len, strlen("id\n") + 96 + 1);
}

static void test_note(void **state)
{
    CLEANUP(table) struct table *table = two_rows();
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;

    (void)state;
    table_note(table, "a \033[1mlong\nnote that is not cut");
    table_cell(table, "e");
    table_end_row(table);
    table_note(table, "");
    table_add(table, &plain, 24, &out);
    assert_string_equal(out.data, "id   what   why\n"
                                  "a    first\n"
                                  "bcd  x y    because of ~\n"
                                  "    a long note that is not cut\n"
                                  "e\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),   cmocka_unit_test(test_narrow),
        cmocka_unit_test(test_colour), cmocka_unit_test(test_wide_cell),
        cmocka_unit_test(test_note),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
