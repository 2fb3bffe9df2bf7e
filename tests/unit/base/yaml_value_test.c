/* tests/unit/base/yaml_value_test.c - a part of a YAML document as JSON. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/yaml_value.h"
#include "tests/lib/unit.h"

#include <string.h>

static void no_error(void *arg, struct yaml_pos pos, const char *message,
                     const char *hint)
{
    (void)arg;
    (void)hint;
    fail_msg("%u:%u: %s", pos.line, pos.column, message);
}

static json_t *value_of(const char *text)
{
    CLEANUP(yaml_tree)
    struct yaml_tree *tree =
        yaml_tree_parse(text, strlen(text), no_error, NULL);

    assert_non_null(tree);
    return yaml_node_to_json(yaml_tree_root(tree));
}

static void test_values(void **state)
{
    static const struct {
        const char *yaml, *json;
    } cases[] = {
        {"{a: [1, -2, 1.5, 1e3], b: {c: ~}}",
         "{\"a\": [1, -2, 1.5, 1000], \"b\": {\"c\": null}}"},
        {"[true, False, 'true', yes]", "[true, false, \"true\", \"yes\"]"},
        {"[9007199254740991, 0x1f, \"\"]", "[9007199254740991, 31, \"\"]"},
        {"[&a {x: grün}, *a]", "[{\"x\": \"grün\"}, {\"x\": \"grün\"}]"},
        {"[]", "[]"},
        {"{}", "{}"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        json_t *got = value_of(cases[i].yaml);
        json_t *wanted = json_loads(cases[i].json, 0, NULL);

        assert_non_null(wanted);
        if (!got || !json_equal(got, wanted))
            fail_msg("%s", cases[i].yaml);
        json_decref(got);
        json_decref(wanted);
    }
}

static void test_large_numbers(void **state)
{
    json_t *got = value_of("1e300");

    (void)state;
    assert_true(json_is_real(got));
    assert_true(json_real_value(got) > 1e299);
    json_decref(got);
}

static void test_what_json_has_not(void **state)
{
    (void)state;
    assert_null(value_of("[1, .inf]"));
    assert_null(value_of("{a: {b: [.nan]}}"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_large_numbers),
        cmocka_unit_test(test_what_json_has_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
