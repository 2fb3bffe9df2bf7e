/* tests/unit/pipelines/review/outcome_test.c - notes, and what comes next. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/job.h"
#include "pipelines/review/outcome.h"
#include "tests/lib/unit.h"

#include <string.h>

#define A40 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B40 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static json_t *parse(const char *text)
{
    json_error_t why;
    json_t *json = json_loads(text, 0, &why);

    if (!json)
        fail_msg("%s", why.text);
    return json;
}

static void test_note(void **state)
{
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;
    json_t *result = parse(
        "{\"steps\":[{},{\"outcome\":\"passed\",\"review\":{\"from\":\"" A40
        "\",\"to\":\"" B40
        "\",\"standing\":1,\"files\":3,\"ms\":4200,\"refuted\":2,"
        "\"beyond\":1,\"failed\":1,\"chunks\":4,\"left_out\":3,"
        "\"unseen\":7,\"cut\":true,"
        "\"reasons\":[{\"why\":\"binary\",\"files\":1},"
        "{\"why\":\"lock file\",\"files\":2}],"
        "\"notes\":[\"a`b @me <img>: binary\"]},\"model\":{\"model\":"
        "\"small\",\"requests\":2,\"input_tokens\":200,\"output_tokens\":40,"
        "\"usd\":0.0125}}]}");

    (void)state;
    outcome_note(&out, result);
    assert_non_null(strstr(out.data, "Reviewed 3 files, `aaaaaaa` to `bbbbbbb` "
                                     "with `small` in 4 s: 2 requests, 200 "
                                     "tokens in, 40 out, 0.0125 USD. 1 "
                                     "finding of before still stands."));
    assert_non_null(strstr(out.data, "Not told: 2 refuted when asked again, 1 "
                                     "beyond the limit."));
    assert_non_null(strstr(out.data, "**1 of 4 parts were not reviewed**"));
    assert_non_null(strstr(out.data, "Not looked at: 3 files (binary: 1, "
                                     "lock file: 2).\n\n<details><summary>"
                                     "Files not looked at</summary>\n\n- a"));
    assert_non_null(strstr(out.data, "\n- and 2 more: the log of the job names "
                                     "them\n\n</details>"));
    assert_non_null(strstr(out.data, "**Not looked at: 7 lines** of these"));
    assert_non_null(strstr(out.data, "**The change is too large**"));
    assert_null(strstr(out.data, " @me"));
    assert_null(strstr(out.data, "<img>"));
    json_decref(result);
}

/* A summary drops a foot that is too long for it. */
static void test_note_is_short(void **state)
{
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;
    json_t *notes = json_array(), *result;
    char path[251];

    (void)state;
    memset(path, 'p', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    for (int i = 0; i < 100; i++)
        json_array_append_new(notes, json_string(path));
    result = json_pack("{s:[{s:{s:i, s:o}}]}", "steps", "review", "left_out",
                       5000, "notes", notes);
    for (int i = 1; i < 4; i++)
        json_array_append(json_object_get(result, "steps"),
                          json_array_get(json_object_get(result, "steps"), 0));
    outcome_note(&out, result);
    assert_in_range(out.len, 6000, 16000);
    assert_non_null(strstr(out.data, "\n- and 4975 more: "));
    assert_non_null(strstr(out.data, "\n- and 5000 more: "));
    json_decref(result);
}

static void test_nothing(void **state)
{
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;
    static const char *const odd[] = {
        "{}", "[]", "{\"steps\":[{\"review\":7}]}", "{\"steps\":{}}"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
        json_t *result = parse(odd[i]);

        outcome_note(&out, result);
        assert_int_equal(out.len, 0);
        assert_null(outcome_previous(result));
        json_decref(result);
    }
    outcome_note(&out, NULL);
    assert_int_equal(out.len, 0);
    assert_null(outcome_previous(NULL));
}

static json_t *make_result(const char *outcome, int failed, size_t count)
{
    char text[10 * OUTCOME_MAX_TEXT];
    json_t *list = json_array();

    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    memcpy(text + OUTCOME_MAX_TEXT - 1, "\xc3\xbc", 2);
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list,
                              json_pack("{s:s, s:i, s:s, s:s, s:{s:s}}", "path",
                                        "a.c", "line", (int)i, "message", text,
                                        "why", "w", "fix", "text", "t"));
    return json_pack("{s:[{s:s, s:{s:s, s:i}, s:{s:o}}]}", "steps", "outcome",
                     outcome, "review", "to", B40, "failed", failed, "findings",
                     "findings", list);
}

static void test_previous(void **state)
{
    json_t *result = make_result("passed", 0, 80);
    json_t *previous = outcome_previous(result);
    const json_t *list =
        json_object_get(json_object_get(previous, "findings"), "findings");
    const json_t *one = json_array_get(list, OUTCOME_MAX_FINDINGS - 1);
    const json_t *whole = json_array_get(list, 7);
    size_t bytes = json_dumpb(previous, NULL, 0, JSON_COMPACT);

    (void)state;
    assert_string_equal(json_string_value(json_object_get(previous, "commit")),
                        B40);
    assert_int_equal(json_array_size(list), OUTCOME_MAX_FINDINGS);
    assert_int_equal(json_integer_value(json_object_get(one, "line")),
                     OUTCOME_MAX_FINDINGS - 1);
    /* What was cut says so. */
    assert_int_equal(json_string_length(json_object_get(one, "message")),
                     OUTCOME_MAX_TEXT - 1 + strlen("…"));
    assert_non_null(
        strstr(json_string_value(json_object_get(one, "message")), "x…"));
    assert_non_null(
        strstr(json_string_value(json_object_get(one, "why")), "are cut"));
    assert_int_equal(json_integer_value(json_object_get(
                         json_object_get(previous, "findings"), "overflow")),
                     80 - OUTCOME_MAX_FINDINGS);
    assert_null(json_object_get(one, "fix"));
    assert_non_null(json_object_get(whole, "fix"));
    assert_int_equal(json_string_length(json_object_get(whole, "message")),
                     10 * OUTCOME_MAX_TEXT - 1);
    assert_in_range(bytes, 1, JOB_MAX_PREVIOUS_BYTES);
    json_decref(previous);
    json_decref(result);
}

/* Nor forgets the next one what the last one was not told. */
static void test_lost(void **state)
{
    json_t *result = make_result("passed", 0, OUTCOME_MAX_FINDINGS);
    json_t *step = json_array_get(json_object_get(result, "steps"), 0);
    json_t *previous = outcome_previous(result);
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;

    (void)state;
    assert_null(
        json_object_get(json_object_get(previous, "findings"), "overflow"));
    json_decref(previous);
    json_object_set_new(json_object_get(step, "findings"), "overflow",
                        json_integer(3));
    previous = outcome_previous(result);
    assert_int_equal(json_integer_value(json_object_get(
                         json_object_get(previous, "findings"), "overflow")),
                     3);
    json_decref(previous);
    outcome_note(&out, result);
    assert_null(strstr(out.data, "not known"));
    json_object_set_new(json_object_get(step, "review"), "lost",
                        json_integer(3));
    outcome_note(&out, result);
    assert_non_null(strstr(
        out.data, "**Of 3 more it is not known whether they stand**: a review "
                  "is told of 50 findings of before."));
    json_decref(result);
}

/* What was not looked at must be looked at the next time. */
static void test_incomplete(void **state)
{
    json_t *part = make_result("passed", 1, 1);
    json_t *failed = make_result("failed", 0, 1);

    (void)state;
    assert_null(outcome_previous(part));
    assert_null(outcome_previous(failed));
    assert_true(outcome_is_partial(part));
    assert_false(outcome_is_partial(failed));
    assert_false(outcome_is_partial(NULL));
    json_decref(part);
    json_decref(failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_note),     cmocka_unit_test(test_note_is_short),
        cmocka_unit_test(test_nothing),  cmocka_unit_test(test_lost),
        cmocka_unit_test(test_previous), cmocka_unit_test(test_incomplete),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
