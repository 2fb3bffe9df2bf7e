/* tests/unit/cli/review_output_test.c - what is said of how a review went. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/review_output.h"
#include "tests/lib/unit.h"

static void expect(const char *steps, const char *wanted)
{
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;
    CLEANUP(mem) char *text = xasprintf("{\"steps\":[%s]}", steps);
    json_t *result = json_loads(text, 0, NULL);

    assert_non_null(result);
    review_facts_add(&out, result);
    json_decref(result);
    assert_string_equal(out.data ? out.data : "", wanted);
}

static void test_nothing(void **state)
{
    (void)state;
    expect("", "");
    expect("{\"name\":\"a\"}", "");
    expect("{\"review\":{\"files\":1}}", "reviewed: 1 file\n");
}

/* All that was not looked at, and all that was dropped, is said. */
static void test_all(void **state)
{
    (void)state;
    expect("{\"review\":{\"files\":2,\"from\":\"0123456789\",\"to\":"
           "\"abcdefabcdef\",\"refuted\":1,\"misplaced\":2,\"repeated\":3,"
           "\"minor\":4,\"beyond\":5,\"failed\":1,\"chunks\":6,\"cut\":true,"
           "\"unseen\":7,\"left_out\":1,\"reasons\":[{\"why\":\"lock "
           "file\",\"files\":1}]},\"model\":{\"requests\":2,\"input_tokens\":"
           "100,\"output_tokens\":20,\"usd\":0.5,\"estimated\":true}}",
           "reviewed: 2 files, 0123456...abcdefa; 2 requests, 120 tokens, "
           "about 0.5000 USD; 1 refuted; 2 at lines that are not there; 3 said "
           "before; 4 too minor; 5 beyond the cap\n"
           "not reviewed: 1 of 6 parts, for the model gave no answer of use\n"
           "not looked at: the end of the change, which is too large\n"
           "not looked at: 7 lines, for want of room\n"
           "not looked at: 1 file (lock file: 1)\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
