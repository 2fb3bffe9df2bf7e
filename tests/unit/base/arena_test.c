/* tests/unit/base/arena_test.c - memory that is freed all at once. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "tests/lib/unit.h"

#include <string.h>

static void test_alloc_zeroed_and_aligned(void **state)
{
    CLEANUP(arena) struct arena *arena = arena_new();

    (void)state;
    for (size_t size = 0; size < 200; size++) {
        unsigned char *p = arena_alloc(arena, size);

        assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++) {
            assert_int_equal(p[i], 0);
            p[i] = 0xff;
        }
    }
}

static void test_large_keeps_room(void **state)
{
    CLEANUP(arena) struct arena *arena = arena_new();
    char *large = arena_alloc(arena, 1 << 20);
    char *small = arena_alloc(arena, 16);
    char *other = arena_alloc(arena, 1 << 20);
    char *next = arena_alloc(arena, 16);

    (void)state;
    memset(large, 'a', 1 << 20);
    memset(other, 'b', 1 << 20);
    assert_ptr_equal(next, small + 16);
    assert_int_equal(next[0], 0);
}

static void test_strndup(void **state)
{
    CLEANUP(arena) struct arena *arena = arena_new();

    (void)state;
    assert_string_equal(arena_strndup(arena, "abcdef", 3), "abc");
    assert_string_equal(arena_strndup(arena, "", 0), "");
}

static void test_grow_keeps_items(void **state)
{
    CLEANUP(arena) struct arena *arena = arena_new();
    int *items = NULL;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        items = arena_grow(arena, items, (size_t)i, sizeof(*items));
        items[i] = i;
    }
    for (int i = 0; i < 1000; i++)
        assert_int_equal(items[i], i);
}

static void test_free_null(void **state)
{
    (void)state;
    arena_free(NULL);
    arena_free(arena_new());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alloc_zeroed_and_aligned),
        cmocka_unit_test(test_large_keeps_room),
        cmocka_unit_test(test_strndup),
        cmocka_unit_test(test_grow_keeps_items),
        cmocka_unit_test(test_free_null),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
