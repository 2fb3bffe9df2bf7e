/* tests/unit/scheduler/report/gather_test.c - findings of several jobs. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/report/gather.h"

#include "base/mem.h"
#include "tests/lib/unit.h"

#include <string.h>

static json_t *result_of(size_t findings, size_t bytes, const char *fingerprint)
{
    json_t *list = json_array();
    CLEANUP(mem) char *text = xcalloc(1, bytes + 1);

    memset(text, 'x', bytes);
    for (size_t i = 0; i < findings; i++) {
        json_t *finding = json_pack("{s:s, s:s, s:s}", "kind", "issue",
                                    "severity", "error", "message", text);

        if (fingerprint)
            json_object_set_new(finding, "fingerprint",
                                json_string(fingerprint));
        json_array_append_new(list, finding);
    }
    return json_pack("{s:[{s:{s:i, s:o, s:{s:i, s:i, s:i}, s:s}}]}", "steps",
                     "findings", "schema", 1, "findings", list, "tests",
                     "passed", 1, "failed", 2, "skipped", 3, "note", "odd");
}

static void add(struct gather *gather, json_t *result)
{
    gather_add(gather, result);
    json_decref(result);
}

static size_t count_of(const json_t *document)
{
    return json_array_size(json_object_get(document, "findings"));
}

static json_int_t number(const json_t *document, const char *key)
{
    return json_integer_value(json_object_get(document, key));
}

static void test_none(void **state UNUSED)
{
    CLEANUP(gather) struct gather *gather = gather_new();

    gather_add(gather, NULL);
    add(gather, json_array());
    add(gather, json_pack("{s:[{}, 1, {s:[]}]}", "steps", "findings"));
    assert_null(gather_take(gather));
}

static void test_sums(void **state UNUSED)
{
    CLEANUP(gather) struct gather *gather = gather_new();
    json_t *document;

    add(gather, result_of(2, 5, "a"));
    add(gather, result_of(2, 5, "a")); /* known: another job's */
    add(gather, result_of(1, 5, NULL));
    document = gather_take(gather);
    assert_int_equal(count_of(document), 3);
    assert_int_equal(number(document, "schema"), 1);
    assert_int_equal(number(json_object_get(document, "tests"), "failed"), 6);
    assert_null(json_object_get(document, "overflow"));
    assert_string_equal(json_string_value(json_object_get(document, "note")),
                        "odd");
    json_decref(document);
    assert_null(gather_take(gather));
}

static void test_bounds(void **state UNUSED)
{
    CLEANUP(gather) struct gather *many = gather_new();
    CLEANUP(gather) struct gather *large = gather_new();
    json_t *document;

    for (int i = 0; i < 6; i++)
        add(many, result_of(1000, 1, NULL));
    document = gather_take(many);
    assert_int_equal(count_of(document), GATHER_MAX_FINDINGS);
    assert_int_equal(number(document, "overflow"), 1000);
    json_decref(document);
    for (int i = 0; i < 5; i++)
        add(large, result_of(2, 1 << 20, NULL));
    document = gather_take(large);
    assert_int_equal(count_of(document), 7);
    assert_int_equal(number(document, "overflow"), 3);
    json_decref(document);
}

/* What a worker wrote may be anything. */
static void test_nonsense(void **state UNUSED)
{
    CLEANUP(gather) struct gather *gather = gather_new();
    json_t *document;

    add(gather, json_pack("{s:[{s:{s:i, s:{s:s, s:i}, s:f}}]}", "steps",
                          "findings", "findings", 3, "tests", "passed", "x",
                          "failed", -4, "overflow", 1.5));
    document = gather_take(gather);
    assert_int_equal(count_of(document), 0);
    assert_int_equal(number(json_object_get(document, "tests"), "failed"), 0);
    json_decref(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_nonsense),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
