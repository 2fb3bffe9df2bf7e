/* tests/unit/base/embed_test.c - a file of the tree inside the program. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/embed.h"
#include "base/fd.h"
#include "tests/lib/unit.h"

#include <string.h>

EMBED(embedded_license, "LICENSE");

static void the_copy_is_whole(void **state UNUSED)
{
    CLEANUP(strbuf) struct strbuf file = STRBUF_INIT;
    struct err err = {0};

    assert_int_equal(file_read("LICENSE", 1 << 20, &file, &err), 0);
    assert_int_equal(strlen(embedded_license), file.len);
    assert_string_equal(embedded_license, file.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_copy_is_whole)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
