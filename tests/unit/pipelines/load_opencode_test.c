/* tests/unit/pipelines/load_opencode_test.c - reviews behind other steps. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/diag.h"
#include "pipelines/pipeline.h"
#include "tests/lib/unit.h"

#include <string.h>

/* Allowed, but not to be missed. */
static void test_review_behind_code(void **state)
{
    static const struct {
        const char *steps;
        unsigned line, column; /* 0: no warning */
    } cases[] = {
        {"- run: make\n- opencode:", 2, 12},
        {"- install: npm\n- name: r\n  opencode: {whole: true}", 3, 13},
        {"- opencode: {prompt: x, file: y, tools: [edit]}\n- opencode:", 2, 12},
        {"- opencode:\n- run: make", 0, 0},
        {"- checkout:\n- opencode: {prompt: x, file: y}\n- opencode:", 0, 0},
        {"- run: make\n- opencode: {prompt: x, output: text}", 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
        CLEANUP(pipeline) struct pipeline *pipeline = NULL;
        CLEANUP(mem) char *text = xasprintf("steps:\n%s\n", cases[i].steps);
        const struct diag_list *warnings;

        assert_int_equal(
            pipeline_load("f", text, strlen(text), diags, &pipeline), 0);
        assert_int_equal(diag_list_count(diags), 0);
        warnings = diag_list_warnings(diags);
        if (!cases[i].line) {
            assert_null(warnings);
            continue;
        }
        assert_int_equal(diag_list_count(warnings), 1);
        assert_int_equal(diag_list_at(warnings, 0)->line, cases[i].line + 1);
        assert_int_equal(diag_list_at(warnings, 0)->column, cases[i].column);
    }
}

/* The next run is told what was found, not by which. */
static void test_incremental_is_alone(void **state)
{
    static const struct {
        const char *steps;
        unsigned line, column; /* 0: it is fine */
    } cases[] = {
        {"- opencode:\n- opencode: {incremental: true}", 3, 27},
        {"- opencode: {incremental: true}\n- opencode:", 2, 27},
        {"- opencode: {incremental: true}\n"
         "- opencode: {prompt: x, output: text}",
         0, 0},
        {"- opencode: {whole: true}\n- opencode: {incremental: false}", 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
        CLEANUP(pipeline) struct pipeline *pipeline = NULL;
        CLEANUP(mem) char *text = xasprintf("steps:\n%s\n", cases[i].steps);
        bool fine = !cases[i].line;

        assert_int_equal(
            pipeline_load("f", text, strlen(text), diags, &pipeline),
            fine ? 0 : -1);
        assert_int_equal(diag_list_count(diags), !fine);
        if (fine)
            continue;
        assert_int_equal(diag_list_at(diags, 0)->line, cases[i].line);
        assert_int_equal(diag_list_at(diags, 0)->column, cases[i].column);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_review_behind_code),
        cmocka_unit_test(test_incremental_is_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
