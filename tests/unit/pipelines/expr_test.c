/* tests/unit/pipelines/expr_test.c - conditions and templates. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strbuf.h"
#include "pipelines/expr.h"
#include "tests/lib/unit.h"

#include <string.h>

static const char *lookup(void *arg, const char *context, const char *name)
{
    static const struct {
        const char *context, *name, *value;
    } values[] = {
        {"repo", NULL, "acme/app"},
        {"branch", NULL, "main"},
        {"change", NULL, ""},
        {"commit", NULL, "0123abc"},
        {"trust", NULL, "member"},
        {"inputs", "n", "12"},
        {"inputs", "half", " 0.5 "},
        {"inputs", "yes", "true"},
        {"inputs", "a b", "spaces"},
        {"inputs", "node-version", "20"},
        {"env", "X", "it's"},
        {"steps", "unit", "failure"},
        {"steps", "unit tests", "success"},
    };

    assert_string_equal(arg, "arg");
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        if (!strcmp(values[i].context, context) &&
            (values[i].name ? name && !strcmp(values[i].name, name) : !name))
            return values[i].value;
    return NULL;
}

static struct expr_scope scope_of(enum expr_status status)
{
    static char arg[] = "arg";

    return (struct expr_scope){status, lookup, arg};
}

static bool eval_in(const char *condition, enum expr_status status)
{
    struct expr_scope scope = scope_of(status);
    struct err err = {0};
    bool yes = false;

    if (condition_eval(condition, &scope, &yes, &err) < 0)
        fail_msg("%s", err.msg);
    return yes;
}

static bool eval(const char *condition)
{
    return eval_in(condition, EXPR_SUCCESS);
}

static void test_status(void **state)
{
    static const struct {
        const char *condition;
        bool on[3]; /* success, failure, cancelled */
    } cases[] = {
        {NULL, {true, false, false}},
        {"success()", {true, false, false}},
        {"failure()", {false, true, false}},
        {"cancelled()", {false, false, true}},
        {"always()", {true, true, true}},
        {"!cancelled()", {true, true, false}},
        {"true", {true, false, false}}, /* success() && (true) */
        {"branch == 'main'", {true, false, false}},
        {"failure() || branch == 'x'", {false, true, false}},
        {"always() && branch == 'x'", {false, false, false}},
        {"(branch == 'main') && (success() || failure())", {true, true, false}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (int s = EXPR_SUCCESS; s <= EXPR_CANCELLED; s++)
            if (eval_in(cases[i].condition, (enum expr_status)s) !=
                cases[i].on[s])
                fail_msg("%s in %d", cases[i].condition, s);
}

static const char *const true_conditions[] = {
    "true",
    "!false",
    "!!true",
    "! ! !false",
    "1",
    "-1",
    "+1.5e-3",
    "0x1f == 31",
    "'x'",
    "\"x\"",
    "'it''s' == env.X",
    "\"a\"\"b\" == 'a\"b'",
    "'0'",     /* text is true unless it is empty */
    "'false'", /* so is this */
    "!''",
    "!null",
    "!0",
    "!-0",
    "1 == 1.0",
    "1 != 2",
    "1 < 2",
    "2 <= 2",
    "2 > 1",
    "2 >= 2",
    "'a' < 'b'",
    "'b' >= 'a'",
    "'Main' != 'main'",
    "null == ''",
    "null == 0",
    "true == 1",
    "true == '1'",
    "false == ''",
    "true != 'true'", /* the text is not a number */
    "'' == 0",
    "'12' == 12",
    "' 12 ' == 12",
    "'0x10' == 16",
    "!('x' < 1) && !('x' > 1) && 'x' != 1",
    "!('x' <= 1) && !('x' >= 1)",
    "inputs.n > 9",
    "inputs['n'] == 12",
    "inputs.half == 0.5",
    "inputs.yes == 'true'",
    "inputs['a b'] == 'spaces'",
    "inputs.node-version == 20",
    "repo == 'acme/app' && commit && trust == 'member'",
    "!change",
    "base == null",
    "env.NOPE == null && matrix.os == ''",
    "steps.unit.outcome == 'failure'",
    "steps['unit tests'].outcome == \"success\"",
    "steps.nope.outcome == null",
    "false || true && true",
    "true || true && false",
    "!(true && false)",
    "1 < 2 == true",
    "!false == true",
    "('a' || 'b') == 'a'",
    "('' || 'b') == 'b'",
    "('a' && 'b') == 'b'",
    "('' && 'b') == ''",
    "((((((((((true))))))))))",
    "\t\n true \r ",
};

static void test_true(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(true_conditions); i++)
        if (!eval(true_conditions[i]))
            fail_msg("%s is false", true_conditions[i]);
}

static void test_false(void **state)
{
    static const char *const cases[] = {
        "false",
        "null",
        "0",
        "''",
        "0.0",
        "-0",
        "!true",
        "change",
        "1 > 1",
        "2 < 1",
        "1 >= 2",
        "env.X == 'its'",
        "true && false",
        "'nan' == 'x'",
        "matrix.os",
        "base",
        "'12' == '12.0'",
        "'1e3x' == 1000",
        "'.' == 0",
        "'0x' == 0",
        "'1e' == 1",
        "'1.5.' == 1.5",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (eval(cases[i]))
            fail_msg("%s is true", cases[i]);
}

/* ---- errors ----------------------------------------------------------------
 */

struct seen {
    unsigned count;
    size_t offset;
    char message[200];
    char hint[100];
};

static void on_error(void *arg, size_t offset, const char *message,
                     const char *hint)
{
    struct seen *seen = arg;

    if (seen->count++)
        return;
    seen->offset = offset;
    strncpy(seen->message, message, sizeof(seen->message) - 1);
    strncpy(seen->hint, hint ? hint : "", sizeof(seen->hint) - 1);
}

static bool has_step(void *arg, const char *name, const char **out_close)
{
    (void)arg;
    *out_close = "unit tests";
    return !strcmp(name, "unit tests");
}

static struct seen check(const char *text, enum expr_form form)
{
    struct seen seen = {0};
    struct expr_rules rules = {
        .has_step = has_step, .on_error = on_error, .arg = &seen};
    int rc = expr_check(text, form, &rules);

    assert_int_equal(rc, seen.count ? -1 : 0);
    return seen;
}

static const struct {
    const char *text;
    size_t offset;
    const char *message;
    const char *hint;
} wrong[] = {
    {"", 0, "is missing", ""},
    {"  ", 0, "is missing", ""},
    {"brnch", 0, "unknown context 'brnch'", "branch"},
    {"true && secrets.X", 8, "unknown context 'secrets'", ""},
    {"github.ref", 0, "stand alone", ""},
    {"not true", 0, "unknown context 'not'", "!"},
    {"always", 0, "write always()", ""},
    {"alway()", 0, "unknown function 'alway'", "always"},
    {"contains('a', 'b')", 9, "functions take nothing", ""},
    {"success(", 8, "the expression ends", ""},
    {"true and false", 5, "'and' where an operator", "&&"},
    {"true or false", 5, "'or' where", "||"},
    {"branch is 'x'", 7, "'is' where", "=="},
    {"true false", 5, "'false' where an operator", ""},
    {"branch = 'x'", 7, "a single '='", "=="},
    {"true & false", 5, "a single '&'", "&&"},
    {"true | false", 5, "a single '|'", "||"},
    {"'abc", 0, "no closing '", ""},
    {"\"abc'", 0, "no closing \"", ""},
    {"'abc''", 0, "no closing '", ""},
    {"1.2.3", 0, "'1.2.3' is not a number", ""},
    {"1e", 0, "is not a number", ""},
    {"0xg", 0, "is not a number", ""},
    {"12abc", 0, "is not a number", ""},
    {"(true", 5, "ends where ')'", ""},
    {"true)", 4, "')' where", ""},
    {"()", 1, "')' where a value", ""},
    {"true &&", 7, "ends where a value", ""},
    {"&& true", 0, "'&&' where a value", ""},
    {"'a' 'b'", 4, "where an operator", ""},
    {"!", 1, "ends where a value", ""},
    {"branch.name", 6, "nothing inside", ""},
    {"branch['x']", 6, "nothing inside", ""},
    {"inputs", 0, "inputs.NAME", ""},
    {"inputs.", 7, "ends where a name", ""},
    {"inputs.1", 7, "'1' where a name", ""},
    {"inputs.'x'", 7, "a text where a name", ""},
    {"inputs[x]", 7, "'x' where a text in quotes", ""},
    {"inputs['x'", 10, "ends where ']'", ""},
    {"steps.unit", 10, "ends where '.'", ""},
    {"steps.unit.conclusion", 11, "is its outcome", "outcome"},
    {"steps.unit.outcome", 6, "no earlier step is called", "unit tests"},
    {"true ? 1", 5, "'?' is not part", ""},
    {"a b", 0, "unknown context 'a'", ""},
    {"true \xc3\xbc", 5, "'\xc3\xbc' is not part", ""},
    {"true \xff", 5, "is not part", ""},
    {"-x", 0, "'-' is not part", ""},
    {"true }}", 5, "'}' is not part", ""},
};

static void test_errors(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct seen seen = check(wrong[i].text, EXPR_CONDITION);

        if (!seen.count || !strstr(seen.message, wrong[i].message) ||
            seen.offset != wrong[i].offset ||
            strcmp(seen.hint, wrong[i].hint) != 0)
            fail_msg("%s: at %zu: %s (%s)", wrong[i].text, seen.offset,
                     seen.message, seen.hint);
    }
}

static void test_all_wrong_names_are_reported(void **state)
{
    (void)state;
    assert_int_equal(check("alway() || sucess()", EXPR_CONDITION).count, 2);
    assert_int_equal(
        check("steps.a.outcome == steps.b.outcome", EXPR_CONDITION).count, 2);
    assert_int_equal(
        check("${{ rpo }} ${{ ( }} ${{ brnch }}", EXPR_TEMPLATE).count, 3);
    assert_int_equal(
        check("steps['unit tests'].outcome && true", EXPR_CONDITION).count, 0);
}

static void test_no_earlier_steps(void **state)
{
    struct seen seen = {0};
    struct expr_rules rules = {.on_error = on_error, .arg = &seen};

    (void)state;
    assert_int_equal(expr_check("steps.a.outcome", EXPR_CONDITION, &rules), -1);
    assert_non_null(strstr(seen.message, "no earlier step"));
}

static bool has_name(void *arg, const char *context, const char *name,
                     const char **out_close)
{
    (void)arg;
    *out_close = "node";
    return !strcmp(context, "inputs") || !strcmp(name, "node");
}

static void test_contexts_of_a_place(void **state)
{
    static const char *const contexts[] = {"inputs", "matrix", "needs", NULL};
    static const struct {
        const char *text;
        unsigned count;
        size_t offset;
        const char *message, *hint;
    } cases[] = {
        {"inputs.x && matrix.node && needs.node.outcome", 0, 0, "", ""},
        {"matrix.nod", 1, 7, "the matrix has no 'nod'", "node"},
        {"needs.nod.outcome", 1, 6, "does not need 'nod'", "node"},
        {"needs.node.result", 1, 11, "is its outcome", "outcome"},
        {"branch == 'x'", 1, 0,
         "'branch' has no value here; what has: inputs, matrix, needs", ""},
        {"steps.x.outcome || env.X", 2, 19, "'env' has no value here", ""},
        {"always() && true", 0, 0, "", ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct seen seen = {0};
        struct expr_rules rules = {.on_error = on_error,
                                   .arg = &seen,
                                   .has_name = has_name,
                                   .contexts = contexts};
        int rc = expr_check(cases[i].text, EXPR_CONDITION, &rules);

        assert_int_equal(rc, seen.count ? -1 : 0);
        if (seen.count != cases[i].count)
            fail_msg("%s: %s", cases[i].text, seen.message);
        if (seen.count == 1 && (!strstr(seen.message, cases[i].message) ||
                                seen.offset != cases[i].offset ||
                                strcmp(seen.hint, cases[i].hint) != 0))
            fail_msg("%s: at %zu: %s (%s)", cases[i].text, seen.offset,
                     seen.message, seen.hint);
    }
}

/* After something was skipped nothing but always() is true. */
static void test_skipped(void **state)
{
    const struct expr_scope scope = {.status = EXPR_SKIPPED};
    static const struct {
        const char *text;
        bool yes;
    } cases[] = {
        {"always()", true},     {"success()", false}, {"failure()", false},
        {"cancelled()", false}, {"true", false},      {NULL, false},
        {"!success()", true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        bool yes = !cases[i].yes;

        assert_int_equal(condition_eval(cases[i].text, &scope, &yes, NULL), 0);
        assert_int_equal(yes, cases[i].yes);
    }
}

static char *repeated(const char *a, size_t n, const char *middle,
                      const char *b)
{
    struct strbuf buf = STRBUF_INIT;

    for (size_t i = 0; i < n; i++)
        strbuf_adds(&buf, a);
    strbuf_adds(&buf, middle);
    for (size_t i = 0; i < n; i++)
        strbuf_adds(&buf, b);
    return strbuf_take(&buf);
}

static void test_limits(void **state)
{
    CLEANUP(mem) char *deep = repeated("(", EXPR_MAX_DEPTH, "true", ")");
    CLEANUP(mem) char *deeper = repeated("(", EXPR_MAX_DEPTH + 1, "true", ")");
    CLEANUP(mem) char *nots = repeated("!", 2000, "true", "");
    CLEANUP(mem) char *length = repeated("1||", 1365, "true", "");
    CLEANUP(mem) char *longer = repeated("1||", 1366, "true", "");
    CLEANUP(mem) char *parts = repeated("${{ 1 }}", EXPR_MAX_PARTS, "", "");
    CLEANUP(mem) char *more = repeated("${{ 1 }}", EXPR_MAX_PARTS + 1, "", "");

    (void)state;
    assert_true(eval(deep));
    assert_non_null(strstr(check(deeper, EXPR_CONDITION).message, "deeper"));
    assert_true(eval(nots));
    assert_true(eval(length));
    assert_non_null(strstr(check(longer, EXPR_CONDITION).message, "longer"));
    assert_int_equal(check(parts, EXPR_TEMPLATE).count, 0);
    assert_non_null(strstr(check(more, EXPR_TEMPLATE).message, "more than"));
}

static void test_eval_fails(void **state)
{
    struct expr_scope scope = scope_of(EXPR_SUCCESS);
    struct err err = {0};
    bool yes = true;

    (void)state;
    assert_int_equal(condition_eval("brnch && (", &scope, &yes, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    assert_non_null(strstr(err.msg, "unknown context 'brnch'"));
    assert_true(yes);
}

/* ---- templates -------------------------------------------------------------
 */

static void expands(const char *text, const char *wanted)
{
    struct expr_scope scope = scope_of(EXPR_FAILURE);
    CLEANUP(mem) char *out = NULL;
    struct err err = {0};

    if (template_expand(text, &scope, &out, &err) < 0)
        fail_msg("%s", err.msg);
    assert_string_equal(out, wanted);
}

static void test_template(void **state)
{
    (void)state;
    expands("", "");
    expands("no template $x ${y} {{z}} }}", "no template $x ${y} {{z}} }}");
    expands("${{ branch }}", "main");
    expands("${{branch}}", "main");
    expands("a ${{ repo }}@${{ commit }} b", "a acme/app@0123abc b");
    expands("[${{ base }}${{ null }}]", "[]");
    expands("${{ true }} ${{ 1 == 2 }}", "true false");
    expands("${{ 12 }} ${{ 0.5 }} ${{ 1e30 }} ${{ -0x10 }}",
            "12 0.5 1e+30 -16");
    expands("${{ '}}' }}${{ '${{' }}", "}}${{");
    expands("${{ env.X }}", "it's");
    expands("${{ failure() }} ${{ success() }}", "true false");
    expands("${{ inputs.nope || 'default' }}", "default");
    expands("${{ steps.unit.outcome }}", "failure");
    expands("${{\n branch\n}}", "main");
    assert_true(template_is("a ${{ b"));
    assert_false(template_is("a ${ { b"));
}

static void template_fails(const char *text, const char *message)
{
    struct expr_scope scope = scope_of(EXPR_SUCCESS);
    struct err err = {0};
    char *out = NULL;

    assert_int_equal(template_expand(text, &scope, &out, &err), -1);
    assert_null(out);
    assert_int_equal(err.kind, ERR_USER);
    if (!strstr(err.msg, message))
        fail_msg("%s", err.msg);
}

static void test_template_fails(void **state)
{
    (void)state;
    template_fails("${{ }}", "is missing");
    template_fails("${{ branch", "has no }}");
    template_fails("${{", "has no }}");
    template_fails("a ${{ branch } b }}", "'}' is not part");
    template_fails("${{ brnch }}", "at character 5");
}

static const char *huge(void *arg, const char *context, const char *name)
{
    (void)context;
    (void)name;
    return arg;
}

static void test_template_is_bounded(void **state)
{
    CLEANUP(mem) char *value = repeated("x", 50000, "", "");
    CLEANUP(mem) char *many = repeated("!!repo && ", 50, "true", "");
    struct expr_scope scope = {EXPR_SUCCESS, huge, value};
    CLEANUP(mem) char *out = NULL;
    struct err err = {0};
    bool yes;

    (void)state;
    assert_int_equal(
        template_expand("${{ repo }}${{ repo }}", &scope, &out, &err), 0);
    assert_int_equal(strlen(out), 100000);
    mem_freep(&out);
    out = NULL;
    assert_int_equal(template_expand("${{ repo }}${{ repo }}${{ repo }}",
                                     &scope, &out, &err),
                     -1);
    assert_non_null(strstr(err.msg, "longer than 128 KiB"));
    assert_int_equal(condition_eval(many, &scope, &yes, &err), -1);
    assert_non_null(strstr(err.msg, "longer than 1 MiB"));
}

static void test_without_lookup(void **state)
{
    struct expr_scope scope = {EXPR_SUCCESS, NULL, NULL};
    bool yes = false;

    (void)state;
    assert_int_equal(condition_eval("branch == null", &scope, &yes, NULL), 0);
    assert_true(yes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_true),
        cmocka_unit_test(test_false),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_all_wrong_names_are_reported),
        cmocka_unit_test(test_no_earlier_steps),
        cmocka_unit_test(test_contexts_of_a_place),
        cmocka_unit_test(test_skipped),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_eval_fails),
        cmocka_unit_test(test_template),
        cmocka_unit_test(test_template_fails),
        cmocka_unit_test(test_template_is_bounded),
        cmocka_unit_test(test_without_lookup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
