/* tests/unit/worker/checkout/refs_test.c - packed references. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/checkout/refs.h"

#include "base/fd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static void test_names(void **state)
{
    static const char *const good[] = {"refs/heads/a", "refs/heads/a/b-c.d",
                                       "refs/x", "refs/heads/ä", "refs/a@b"};
    static const char *const bad[] = {
        "",          "HEAD",         "heads/a",     "refs/",         "refs//a",
        "refs/a/",   "refs/.a",      "refs/a..b",   "refs/a b",      "refs/a~1",
        "refs/a^",   "refs/a:b",     "refs/a?",     "refs/a*",       "refs/a[",
        "refs/a\\b", "refs/a@{b",    "refs/a.lock", "refs/a.lock/b", "refs/a.",
        "refs/a\nb", "refs/../../x", "refs/a\x7f"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_true(ref_name_ok(good[i]));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (ref_name_ok(bad[i]))
            fail_msg("'%s' was taken", bad[i]);
    assert_true(oid_ok(A));
    assert_false(oid_ok(A "a"));
    assert_false(oid_ok("g"));
}

static void test_settle(void **state)
{
    CLEANUP(refs) struct refs refs = {0};

    (void)state;
    assert_true(refs_add(&refs, "refs/heads/a/b", A, NULL));
    assert_true(refs_add(&refs, "refs/heads/a-x", A, NULL));
    assert_true(refs_add(&refs, "refs/heads/a", B, NULL));
    assert_true(refs_add(&refs, "refs/heads/a/b/c", A, NULL));
    assert_true(refs_add(&refs, "refs/heads/z", A, NULL));
    assert_true(refs_add(&refs, "refs/heads/z", B, NULL));
    assert_false(refs_add(&refs, "refs/heads/..", B, NULL));
    assert_false(refs_add(&refs, "refs/heads/q", "xyz", NULL));
    refs_settle(&refs);
    assert_int_equal(refs.count, 3);
    assert_non_null(refs_find(&refs, "refs/heads/a"));
    assert_non_null(refs_find(&refs, "refs/heads/a-x"));
    assert_null(refs_find(&refs, "refs/heads/a/b"));
    /* The first added wins. */
    assert_string_equal(refs_find(&refs, "refs/heads/z")->oid, A);
    refs_drop(&refs, "refs/heads/a");
    assert_int_equal(refs.count, 1);
    refs_drop_one(&refs, "refs/heads/z");
    refs_drop_one(&refs, "refs/heads/z");
    assert_int_equal(refs.count, 0);
    assert_null(refs_find(&refs, "refs/heads/z"));
}

static void test_file(void **state)
{
    CLEANUP(refs) struct refs refs = {0};
    CLEANUP(refs) struct refs again = {0};
    char path[] = "/tmp/refs_test.XXXXXX";
    int fd = mkstemp(path);
    struct err err = {0};

    (void)state;
    assert_true(fd >= 0);
    assert_true(refs_add(&refs, "refs/tags/v1", A, B));
    for (int i = 0; i < 1000; i++) {
        char name[64];

        (void)snprintf(name, sizeof(name), "refs/heads/b%d/x", i * 7919 % 1000);
        assert_true(refs_add(&refs, name, B, NULL));
    }
    assert_int_equal(refs_save(&refs, path, &err), 0);
    assert_int_equal(refs_load(&again, path, &err), 0);
    assert_int_equal(again.count, 1001);
    assert_string_equal(refs_find(&again, "refs/tags/v1")->peeled, B);
    assert_string_equal(refs_find(&again, "refs/heads/b999/x")->peeled, "");
    for (size_t i = 1; i < again.count; i++)
        assert_true(strcmp(again.items[i - 1].name, again.items[i].name) < 0);
    (void)close(fd);
    (void)unlink(path);
    refs_clear(&again);
    assert_int_equal(refs_load(&again, path, &err), 0);
    assert_int_equal(again.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_settle),
        cmocka_unit_test(test_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
