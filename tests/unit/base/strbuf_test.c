/* tests/unit/base/strbuf_test.c - a growing byte buffer with a maximum. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strbuf.h"
#include "tests/lib/unit.h"

#include <stdlib.h>
#include <string.h>

static void starts_empty(void **state UNUSED)
{
    CLEANUP(strbuf) struct strbuf b = STRBUF_INIT;

    assert_string_equal(b.data, "");
    strbuf_add(&b, NULL, 0);
    strbuf_adds(&b, "");
    strbuf_consume(&b, 10);
    strbuf_cut(&b, 0);
    assert_string_equal(b.data, "");
    assert_int_equal(b.len, 0);
    assert_int_equal(b.cap, 0);
}

static void adds(void **state UNUSED)
{
    CLEANUP(strbuf) struct strbuf b = STRBUF_INIT;

    strbuf_adds(&b, "one");
    strbuf_addc(&b, ' ');
    strbuf_addf(&b, "%d%s", 2, "!");
    strbuf_add(&b, "\0x", 2);
    assert_int_equal(b.len, 8);
    assert_memory_equal(b.data, "one 2!\0x", 9);
    assert_false(b.truncated);
}

static void grows(void **state UNUSED)
{
    CLEANUP(strbuf) struct strbuf b = STRBUF_INIT;

    for (int i = 0; i < 100000; i++)
        strbuf_addc(&b, (char)('a' + i % 26));
    assert_int_equal(b.len, 100000);
    assert_int_equal(strlen(b.data), 100000);
    assert_int_equal(b.data[99999], 'a' + 99999 % 26);
}

static void the_maximum_holds(void **state UNUSED)
{
    CLEANUP(strbuf) struct strbuf b = STRBUF_MAX(5);

    strbuf_adds(&b, "abc");
    assert_false(b.truncated);
    strbuf_adds(&b, "de");
    assert_false(b.truncated);
    strbuf_addc(&b, 'f');
    assert_true(b.truncated);
    assert_string_equal(b.data, "abcde");
    strbuf_clear(&b);
    assert_false(b.truncated);
    assert_int_equal(b.max_bytes, 5);
    strbuf_adds(&b, "0123456789");
    assert_string_equal(b.data, "01234");
    assert_true(b.truncated);
}

static void consumes_and_cuts(void **state UNUSED)
{
    CLEANUP(strbuf) struct strbuf b = STRBUF_INIT;

    strbuf_adds(&b, "abcdef");
    strbuf_consume(&b, 2);
    assert_string_equal(b.data, "cdef");
    strbuf_cut(&b, 10);
    assert_string_equal(b.data, "cdef");
    strbuf_cut(&b, 3);
    assert_string_equal(b.data, "cde");
    strbuf_consume(&b, 0);
    assert_int_equal(b.len, 3);
    strbuf_consume(&b, 99);
    assert_string_equal(b.data, "");
    assert_int_equal(b.len, 0);
    strbuf_adds(&b, "again");
    assert_string_equal(b.data, "again");
}

static void takes(void **state UNUSED)
{
    CLEANUP(strbuf) struct strbuf b = STRBUF_MAX(3);
    char *s;

    s = strbuf_take(&b);
    assert_string_equal(s, "");
    free(s);
    strbuf_adds(&b, "abcd");
    s = strbuf_take(&b);
    assert_string_equal(s, "abc");
    free(s);
    assert_string_equal(b.data, "");
    assert_int_equal(b.len, 0);
    assert_false(b.truncated);
    strbuf_adds(&b, "x");
    assert_string_equal(b.data, "x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_empty),
        cmocka_unit_test(adds),
        cmocka_unit_test(grows),
        cmocka_unit_test(the_maximum_holds),
        cmocka_unit_test(consumes_and_cuts),
        cmocka_unit_test(takes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
