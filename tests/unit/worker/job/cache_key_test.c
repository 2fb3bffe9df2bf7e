/* tests/unit/worker/job/cache_key_test.c - names of keys in the store. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/unit.h"
#include "worker/cache/store_impl.h"
#include "worker/job/cache_key.h"

#include <stdlib.h>
#include <string.h>

static char *name_of(const char *path, const char *key)
{
    CLEANUP(strv) struct strv paths = {0};

    strv_add(&paths, path);
    return cache_key_name(&paths, key);
}

static void every_key_has_a_name(void **state UNUSED)
{
    static const char *const keys[] = {
        "a",   "A",  ".",        "..",    "../x", "a/b", "a_b", "a_5Fb",
        "a b", "-a", "\xc3\xa9", "a.b-c", "_",    "__",  "a_",  "a_2",
    };

    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        CLEANUP(mem) char *name = name_of("p", keys[i]);

        assert_true(cache_name_ok(name));
        for (size_t j = 0; j < i; j++) {
            CLEANUP(mem) char *other = name_of("p", keys[j]);

            assert_string_not_equal(name, other);
        }
    }
}

static void paths_are_a_part_of_it(void **state UNUSED)
{
    CLEANUP(mem) char *one = name_of("p", "k");
    CLEANUP(mem) char *other = name_of("q", "k");
    CLEANUP(mem) char *joined = name_of("pq", "k");
    CLEANUP(strv) struct strv apart = {0};
    CLEANUP(mem) char *two = NULL;

    assert_string_not_equal(one, other);
    /* "p" and "q" are not "pq", nor one with another. */
    strv_add(&apart, "p");
    strv_add(&apart, "q");
    two = cache_key_name(&apart, "k");
    assert_string_not_equal(two, one);
    assert_string_not_equal(two, joined);
}

static void long_keys_differ(void **state UNUSED)
{
    char key[CACHE_KEY_MAX + 1];
    CLEANUP(mem) char *one = NULL;
    CLEANUP(mem) char *other = NULL;

    for (size_t len = 1; len < sizeof(key); len += 11) {
        CLEANUP(mem) char *name = NULL;

        memset(key, '/', len); /* three bytes each in the name */
        key[len] = '\0';
        name = name_of("p", key);
        assert_true(cache_name_ok(name));
    }
    memset(key, '/', CACHE_KEY_MAX);
    key[CACHE_KEY_MAX] = '\0';
    one = name_of("p", key);
    key[CACHE_KEY_MAX - 1] = 'x';
    other = name_of("p", key);
    assert_string_not_equal(one, other);
}

static void begins(const char *prefix, const char *key)
{
    CLEANUP(strv) struct strv paths = {0};
    CLEANUP(mem) char *head = NULL;
    CLEANUP(mem) char *name = NULL;

    strv_add(&paths, "p");
    head = cache_key_prefix(&paths, prefix);
    name = cache_key_name(&paths, key);
    if (strncmp(name, head, strlen(head)) != 0)
        fail_msg("'%s' does not begin as '%s'", name, head);
}

static void names_begin_as_keys_do(void **state UNUSED)
{
    char key[CACHE_KEY_MAX + 1];

    begins("npm-", "npm-1");
    begins("a/", "a/b/c");
    begins("a_", "a_b");
    begins("\xc3\xa9", "\xc3\xa9t\xc3\xa9");
    memset(key, '/', CACHE_KEY_MAX);
    key[CACHE_KEY_MAX] = '\0';
    for (size_t len = 1; len < CACHE_KEY_MAX; len += 37) {
        CLEANUP(mem) char *prefix = xasprintf("%.*s", (int)len, key);

        begins(prefix, key);
        begins(prefix, prefix);
    }
}

static void some_are_refused(void **state UNUSED)
{
    CLEANUP(mem) char *longest = xcalloc(1, CACHE_KEY_MAX + 2);

    assert_null(cache_key_problem("npm-1"));
    assert_null(cache_key_problem("\xc3\xa9 _/%"));
    assert_non_null(cache_key_problem(""));
    assert_non_null(cache_key_problem("  "));
    assert_non_null(cache_key_problem("a\nb"));
    assert_non_null(cache_key_problem("a\x1b[0m"));
    assert_non_null(cache_key_problem("\xff"));
    memset(longest, 'x', CACHE_KEY_MAX);
    assert_null(cache_key_problem(longest));
    longest[CACHE_KEY_MAX] = 'x';
    assert_non_null(cache_key_problem(longest));
}

static void paths_are_inside(void **state UNUSED)
{
    CLEANUP(mem) char *work = cache_key_inside("a/b");
    CLEANUP(mem) char *home = cache_key_inside("~/.npm");

    assert_string_equal(work, "/workspace/a/b");
    assert_string_equal(home, "/home/berth/.npm");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_has_a_name),
        cmocka_unit_test(paths_are_a_part_of_it),
        cmocka_unit_test(long_keys_differ),
        cmocka_unit_test(names_begin_as_keys_do),
        cmocka_unit_test(some_are_refused),
        cmocka_unit_test(paths_are_inside),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
