/* tests/unit/pipelines/review/sift_test.c - which findings are told. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/pipelines/review/review_rig.h"

static void test_places(void **state)
{
    struct review_options o = options();
    struct review *review = review_new(&o, diff);

    (void)state;
    answer(
        review,
        "{\"findings\":[" ENTRY(
            4, "error", "a", "moved",
            "eval(input);") "," ENTRY(400, "error", "b", "nowhere",
                                      "not there at all") ","
                                                          "{\"path\":\"src/"
                                                          "b.js\",\"line\":1,"
                                                          "\"message\":\"no "
                                                          "such file\"},"
                                                          "{\"path\":\"src/"
                                                          "a.js\",\"line\":90,"
                                                          "\"message\":\"no "
                                                          "such line\"},"
                                                          "{\"message\":\"no "
                                                          "place\"},{\"path\":"
                                                          "\"src/a.js\"}]}");
    assert_null(review_ask(review));
    assert_int_equal(review_findings(review)->count, 1);
    assert_string_equal(review_findings(review)->items[0].message, "moved");
    assert_int_equal(review_findings(review)->items[0].line, 2);
    assert_int_equal(review_counts(review)->moved, 1);
    assert_int_equal(review_counts(review)->misplaced, 4);
    assert_int_equal(review_counts(review)->found, 6);
    review_free(review);
}

static void test_merges_and_caps(void **state)
{
    struct review_options o = options();
    struct review *review;

    (void)state;
    o.max_findings = 1;
    o.min_severity = FINDING_WARNING;
    review = review_new(&o, diff);
    answer(review,
           "{\"findings\":[" ENTRY(
               3, "warning", "bug", "next of x",
               "next(x);") "," ENTRY(2, "warning", "security", "dangerous eval",
                                     "eval(input);") "," BUG
                                                     "," ENTRY(
                                                         2, "info", "style",
                                                         "ugly",
                                                         "eval(input);") "]}");
    assert_null(review_ask(review));
    assert_int_equal(review_findings(review)->count, 1);
    assert_string_equal(review_findings(review)->items[0].message,
                        "eval of input");
    assert_int_equal(review_counts(review)->repeated, 1);
    assert_int_equal(review_counts(review)->minor, 1);
    assert_int_equal(review_counts(review)->beyond, 1);
    review_free(review);
}

/* What differs in letters of another alphabet only is not the same. */
static void test_other_languages(void **state)
{
    struct review_options o = options();
    struct review *review = review_new(&o, diff);

    (void)state;
    answer(
        review,
        "{\"findings\":[" ENTRY(
            2, "error", "security", "\u6ce8\u5165 eval",
            "eval(input);") "," ENTRY(3, "error", "bug", "\u7ade\u4e89 eval",
                                      "next(x);") "," ENTRY(3, "error", "tests",
                                                            "\u7ade\u4e89: "
                                                            "eval!",
                                                            "next(x);") "]}");
    assert_null(review_ask(review));
    assert_int_equal(review_findings(review)->count, 2);
    assert_int_equal(review_counts(review)->repeated, 1);
    review_free(review);
}

/* The same is wrong in two places; in one of them it is said twice. */
static void test_places_of_the_same(void **state)
{
    static const char text[] = "--- /dev/null\n+++ b/f.c\n@@ -0,0 +1,9 @@\n"
                               "+a\n+b\n+c\n+d\n+e\n+f\n+g\n+h\n+i\n";
    CLEANUP(diff) struct diff *small = diff_parse(text, strlen(text), false);
    struct review_options o = options();
    CLEANUP(strbuf) struct strbuf found = STRBUF_INIT;
    static const int lines[] = {1, 9, 8};
    struct review *review, *second;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        strbuf_addf(&found,
                    "%s{\"path\":\"f.c\",\"line\":%d,\"message\":\"No "
                    "check.\",\"category\":\"%d\"}",
                    i ? "," : "[", lines[i], lines[i]);
    strbuf_addc(&found, ']');
    review = review_new(&o, small);
    answer(review, found.data);
    assert_null(review_ask(review));
    assert_int_equal(review_findings(review)->count, 2);
    assert_int_equal(review_findings(review)->items[0].line, 1);
    assert_int_equal(review_findings(review)->items[1].line, 9);
    assert_int_equal(review_counts(review)->repeated, 1);
    /* Of what was told before nobody wants to hear at other lines. */
    o.earlier = review_findings(review);
    second = review_new(&o, small);
    answer(second, "[{\"path\":\"f.c\",\"line\":5,\"message\":\"no check\"}]");
    assert_null(review_ask(second));
    assert_int_equal(review_findings(second)->count, 0);
    review_free(second);
    review_free(review);
}

static void test_knows_the_earlier(void **state)
{
    struct review_options o = options();
    struct review *first = review_new(&o, diff), *second;

    (void)state;
    answer(first, "{\"findings\":[" BUG "]}");
    assert_null(review_ask(first));
    o.earlier = review_findings(first);
    second = review_new(&o, diff);
    assert_non_null(strstr(review_ask(second), "- src/a.js:2: eval of input"));
    answer(second, "{\"findings\":[" BUG "]}");
    assert_null(review_ask(second));
    assert_int_equal(review_findings(second)->count, 0);
    assert_int_equal(review_counts(second)->repeated, 1);
    review_free(second);
    review_free(first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_merges_and_caps),
        cmocka_unit_test(test_other_languages),
        cmocka_unit_test(test_places_of_the_same),
        cmocka_unit_test(test_knows_the_earlier),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
