/* tests/unit/base/base64_test.c - bytes as text. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64.h"

#include "tests/lib/unit.h"

#include <stdio.h>
#include <string.h>

/* RFC 4648, 10. */
static void test_known(void **state UNUSED)
{
    static const char *const pairs[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
        {"\xff\xef\xbe", "/+++"},
    };

    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        CLEANUP(strbuf) struct strbuf text = STRBUF_INIT, back = STRBUF_INIT;

        base64_encode(pairs[i][0], strlen(pairs[i][0]), &text);
        assert_string_equal(text.data, pairs[i][1]);
        assert_true(base64_decode(text.data, text.len, &back));
        assert_string_equal(back.data, pairs[i][0]);
    }
}

static void test_wrong(void **state UNUSED)
{
    static const char *const wrong[] = {
        "Z",    "Zg",   "Zg=",    "Zh==", "Zm9=",  "Zm9v=", "====", "Zg==Zg==",
        "Z===", "Zm 9", "Zm9v\n", "Zm-_", "Zm8=a", "=m9v",  "Z=9v", "Zm=v",
    };
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;

    strbuf_adds(&out, "x");
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        if (base64_decode(wrong[i], strlen(wrong[i]), &out))
            fail_msg("'%s' is taken", wrong[i]);
    assert_string_equal(out.data, "x");
    assert_false(base64_decode("Zm9\0", 4, &out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_wrong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
