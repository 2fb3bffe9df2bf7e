/* tests/unit/base/image_name_test.c - what may be a name of an image. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/unit.h"

#include "base/image_name.h"

#include <stdlib.h>
#include <string.h>

static void test_names(void **state UNUSED)
{
    static const char *const good[] = {
        "node",          "node:20-slim",        "library/node",
        "localhost/a/b", "ghcr.io/a/b_c:v1.2",  "127.0.0.1:5000/x",
        "a@sha256:0123", "UPPER/is-for-others",
    };
    static const char *const bad[] = {
        "",    "-x",   "/etc", ".a",  "a b", "a//b", "a/../b", "a/",
        "a?b", "a\nb", "a%2e", "a#b", "ä",   "a\\b", "$(a)",   "a..b"};
    CLEANUP(mem) char *name = xcalloc(1, IMAGE_NAME_MAX + 2);

    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        if (!image_name_ok(good[i]))
            fail_msg("'%s' is one", good[i]);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (image_name_ok(bad[i]))
            fail_msg("'%s' is none", bad[i]);
    memset(name, 'a', IMAGE_NAME_MAX);
    assert_true(image_name_ok(name));
    name[IMAGE_NAME_MAX] = 'a';
    assert_false(image_name_ok(name));
}

static void test_registries(void **state UNUSED)
{
    static const struct {
        const char *name, *registry;
    } cases[] = {
        {"node", "docker.io"},        {"node:20", "docker.io"},
        {"a/b", "docker.io"},         {"ghcr.io/a/b", "ghcr.io"},
        {"localhost/a", "localhost"}, {"127.0.0.1:5000/a:1", "127.0.0.1:5000"},
        {"host:1/a", "host:1"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(mem) char *registry = image_name_registry(cases[i].name);

        assert_string_equal(registry, cases[i].registry);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_registries),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
