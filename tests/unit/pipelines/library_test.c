/* tests/unit/pipelines/library_test.c - the pipelines that ship. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/diag.h"
#include "pipelines/library.h"
#include "pipelines/pipeline.h"
#include "tests/lib/unit.h"

#include <string.h>

static void test_find(void **state)
{
    const char *text = library_find("test");

    (void)state;
    assert_non_null(text);
    assert_ptr_equal(library_find("test.yml"), text);
    assert_ptr_equal(library_find("library/test.yml"), text);
    assert_ptr_equal(library_find("pipelines/library/test.yml"), text);
    assert_null(library_find(""));
    assert_null(library_find("tes"));
    assert_null(library_find("tests"));
    assert_null(library_find("test.yaml"));
    assert_null(library_find("library/test"));
    assert_null(library_find("./test.yml"));
    assert_null(library_find("other/test.yml"));
}

static void test_all_load(void **state)
{
    size_t count = 0;

    (void)state;
    for (const char *name; (name = library_name(count)); count++) {
        CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
        CLEANUP(pipeline) struct pipeline *pipeline = NULL;
        const char *text = library_find(name);

        assert_int_equal(
            pipeline_load(name, text, strlen(text), diags, &pipeline), 0);
        assert_string_equal(pipeline->name, name);
        assert_non_null(pipeline->description);
    }
    assert_true(count > 0);
}

static void test_test(void **state)
{
    CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
    CLEANUP(pipeline) struct pipeline *p = NULL;
    const char *text = library_find("test");

    (void)state;
    assert_int_equal(pipeline_load("x", text, strlen(text), diags, &p), 0);
    assert_int_equal(p->step_count, 3);
    assert_int_equal(p->steps[0].kind, STEP_CHECKOUT);
    assert_int_equal(p->steps[1].kind, STEP_INSTALL);
    assert_string_equal(p->steps[2].commands[0], "npm test");
    assert_string_equal(p->image, "host");
    assert_int_equal(p->network, NETWORK_HOSTS);
    assert_int_equal(p->hosts.count, 1);
    assert_string_equal(p->hosts.items[0], "npm");
    assert_int_equal(p->timeout_ms, 30 * 60 * 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_all_load),
        cmocka_unit_test(test_test),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
