/* tests/unit/cli/batch_list_test.c - lists of berth batch. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/batch_list.h"
#include "tests/lib/unit.h"

#include <string.h>

static struct batch_list *load(const char *text)
{
    CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
    struct batch_list *list = NULL;

    if (batch_list_load("l.yml", text, strlen(text), diags, &list) < 0) {
        CLEANUP(strbuf) struct strbuf why = STRBUF_INIT;

        diag_list_render(diags, &why);
        fail_msg("%s", why.data);
    }
    return list;
}

static void refuse(const char *text, const char *why)
{
    CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
    CLEANUP(strbuf) struct strbuf all = STRBUF_INIT;
    struct batch_list *list = NULL;

    assert_int_equal(batch_list_load("l.yml", text, strlen(text), diags, &list),
                     -1);
    diag_list_render(diags, &all);
    if (!strstr(all.data, why))
        fail_msg("'%s' is not in '%s'", why, all.data);
}

static void test_ids(void **state)
{
    static const char two[] = "prompt: p\njobs:\n"
                              "  - {name: a, repo: /r, paths: ['*.c']}\n"
                              "  - {name: b, repo: /r, paths: ['*.c']}\n";
    CLEANUP(batch_list) struct batch_list *list = load(two);
    CLEANUP(batch_list) struct batch_list *again = load(two);
    CLEANUP(batch_list)
    struct batch_list *other =
        load("prompt: q\njobs:\n  - {name: a, repo: /r, paths: ['*.c']}\n");

    (void)state;
    assert_int_equal(list->count, 2);
    assert_int_equal(strlen(list->items[0].id), 30);
    assert_string_equal(list->items[0].id, again->items[0].id);
    assert_string_not_equal(list->items[0].id, list->items[1].id);
    assert_string_not_equal(list->items[0].id, other->items[0].id);
}

static void test_job(void **state)
{
    CLEANUP(batch_list)
    struct batch_list *list =
        load("model: m\nmax_findings: 7\nmin_severity: error\njobs:\n"
             "  - {name: a, repo: /r, ref: main, paths: x/**}\n");
    const json_t *job = list->items[0].job;
    const json_t *step = json_array_get(
        json_object_get(json_object_get(job, "pipeline"), "steps"), 1);
    const json_t *opencode = json_object_get(step, "opencode");

    (void)state;
    assert_string_equal(json_string_value(json_object_get(job, "id")),
                        list->items[0].id);
    assert_string_equal(json_string_value(json_object_get(job, "ref")), "main");
    assert_string_equal(json_string_value(json_object_get(opencode, "model")),
                        "m");
    assert_int_equal(
        json_integer_value(json_object_get(opencode, "max_findings")), 7);
    assert_true(json_is_true(json_object_get(opencode, "whole")));
}

static void test_refused(void **state)
{
    (void)state;
    refuse("", "this must be a mapping");
    refuse("jobs: []", "1 to 1000");
    refuse("jobs: [{repo: /r}]", "needs a name");
    refuse("jobs: [{name: ../a, repo: /r}]", "needs a name");
    refuse("jobs: [{name: .a, repo: /r}]", "needs a name");
    refuse("jobs: [{name: a}]", "needs a repo");
    refuse("jobs: [{name: a, repo: /r}, {name: a, repo: /s}]", "two entries");
    refuse("jobs: [{name: a, repo: /r, branches: x}]", "unknown key");
    refuse("promt: x\njobs: [{name: a, repo: /r}]", "unknown key");
    refuse("jobs: [a]", "must be a mapping");
    refuse("jobs: [", "l.yml:");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_job),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
