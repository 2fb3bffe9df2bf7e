/* tests/unit/pipelines/findings/tests_test.c - TAP and JUnit. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strbuf.h"
#include "pipelines/findings/findings.h"
#include "tests/lib/unit.h"

#include <string.h>

static const struct findings_source source = {NULL, "/ws", "pkg"};

/* Everything about it in one text: counts, then a line a finding. */
static void check(enum findings_format format, const char *text,
                  const char *wanted)
{
    CLEANUP(findings) struct findings *findings = findings_new();
    CLEANUP(strbuf) struct strbuf got = STRBUF_INIT;
    struct err err = {0};

    if (findings_read(findings, format, &source, text, strlen(text), &err) < 0)
        fail_msg("%s\n%s", err.msg, text);
    strbuf_addf(&got, "%d/%d/%d", (int)findings->passed, (int)findings->failed,
                (int)findings->skipped);
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *finding = &findings->items[i];

        assert_int_equal(finding->kind, FINDING_TEST);
        assert_int_equal(finding->severity, FINDING_ERROR);
        strbuf_addf(&got, "\n%s:%u [%s] %s", finding->path, finding->line,
                    finding->rule, finding->message);
    }
    if (strcmp(got.data, wanted) != 0)
        fail_msg("%s\ngot: %s\nwanted: %s", text, got.data, wanted);
}

static void test_tap(void **state)
{
    (void)state;
    check(FINDINGS_TAP, "TAP version 13\n1..2\nok 1 - a\nnot ok 2 - b # c\n",
          "1/1/0\n:0 [b # c] b # c");
    check(FINDINGS_TAP,
          "ok\nnot ok\nok 3 # SKIP why\nnot ok 4 x # TODO later\n"
          "ok 5 - y # skipped\r\nnot ok 6 \\#6 \\\\ # time=2ms\n1..6\n",
          "1/2/3\n:0 [(a test without a name)] (a test without a name)\n"
          ":0 [#6 \\] #6 \\");
    check(FINDINGS_TAP, "1..0 # SKIP nothing here\n", "0/0/0");
    check(FINDINGS_TAP, "noise\nokay\nnot okay\nok 1\n1..1\n", "1/0/0");
    check(FINDINGS_TAP, "1..1\nok 1\n# Bail out! no\nBail out! no DB\nok 2\n",
          "1/0/0\n:0 [plan] Bail out! no DB");
}

static void test_tap_plan(void **state)
{
    (void)state;
    check(FINDINGS_TAP, "1..3\nok 1\nok 2\n",
          "2/0/0\n:0 [plan] 3 tests were planned, and 2 ran");
    check(FINDINGS_TAP, "ok 1\n",
          "1/0/0\n:0 [plan] there is no plan: the tests may have ended early");
}

static void test_tap_subtests(void **state)
{
    (void)state;
    check(FINDINGS_TAP,
          "TAP version 14\n# Subtest: s\n    ok 1 - a\n    # Subtest: t\n"
          "        not ok 1 - deep\n        1..1\n    not ok 2 - t\n    1..2\n"
          "not ok 1 - s\n# Subtest: u\n    ok 1 - c\n    1..1\n"
          "not ok 2 - u's own fault\nok 3 - d\n1..3\n",
          "3/2/0\n:0 [deep] deep\n:0 [u's own fault] u's own fault");
    check(FINDINGS_TAP,
          "not ok 1 - s {\n    not ok 1 - in\n    1..1\n}\n1..0\n",
          "0/1/0\n:0 [in] in");
}

static void test_tap_blocks(void **state)
{
    (void)state;
    check(FINDINGS_TAP,
          "not ok 1 - a\n  ---\n  message: 'it''s \"bad\"'\n  at:\n"
          "    file: lib/x.js\n    line: 7\n    column: 2\n  ...\n"
          "not ok 2 - b\n  ---\n  error: |-\n    two\n    lines\n  stack: |-\n"
          "    f (node:x:1:2)\n    g (/ws/node_modules/y/z.js:3:4)\n"
          "    h (file:///ws/test/b.js:12:9)\n  ...\n"
          "not ok 3 - c\n  ---\n  at: Test.<anonymous> (/ws/c.js:5:1)\n"
          "  expected: 1\n  actual: |\n    2\n  ...\n1..3\n",
          "0/3/0\npkg/lib/x.js:7 [a] it's \"bad\"\n"
          "test/b.js:12 [b] two\nlines\n"
          "c.js:5 [c] c");
    /* Blocks that do not end, keys that are none. */
    check(FINDINGS_TAP,
          "not ok 1 - a\n  ---\n  message: \"x\\ny\\\"\"\n  ::\n  junk\n"
          "ok 2 - b\n1..2\n",
          "1/1/0\n:0 [a] x\ny\"");
    check(FINDINGS_TAP, "1..1\nnot ok 1 - a\n  ---\n  file: /etc/passwd\n",
          "0/1/0\n:0 [a] a");
}

static void test_junit(void **state)
{
    (void)state;
    check(FINDINGS_JUNIT,
          "<testsuites><testsuite name='s' file='suite.js'>"
          "<testcase name='ok' classname='c'><system-out>x</system-out>"
          "</testcase><testcase name='f' classname='c'>"
          "<failure message='m' type='T'>trace\n at x (/ws/t.js:9:1)</failure>"
          "</testcase><testcase name='e' file='e.js' line='4'>"
          "<error type='Boom'/><failure message='second'/></testcase>"
          "<testcase name='t'><failure>only text</failure></testcase>"
          "<testcase name='z'><skipped/></testcase></testsuite></testsuites>",
          "1/3/1\nt.js:9 [c \xe2\x80\xba f] m\npkg/e.js:4 [e] Boom\n"
          "pkg/suite.js:0 [t] only text");
    check(FINDINGS_JUNIT,
          "<testsuite><testcase name='py' classname='t'><failure message='m'>"
          "  File \"/ws/t/a.py\", line 3, in f\x1b[0m</failure></testcase>"
          "</testsuite>",
          "0/1/0\nt/a.py:3 [t \xe2\x80\xba py] m");
    check(FINDINGS_JUNIT, "<testsuites/>", "0/0/0");
}

/* Of a report that was cut off, what is there counts. */
static void test_partial(void **state)
{
    CLEANUP(findings) struct findings *findings = findings_new();
    const char *text = "<testsuite><testcase name='a'><failure message='m'/>"
                       "</testcase>\n<testcase name='b'";
    struct err err = {0};

    (void)state;
    assert_int_equal(findings_read(findings, FINDINGS_JUNIT, &source, text,
                                   strlen(text), &err),
                     -1);
    assert_string_equal(err.msg, "junit: line 2: unclosed token");
    assert_int_equal(findings->count, 1);
    assert_int_equal(
        findings_read(findings, FINDINGS_TAP, &source, "x", 1, &err), -1);
    assert_string_equal(err.msg, "tap: there is neither a plan nor a test");
    assert_int_equal(
        findings_read(findings, FINDINGS_JUNIT, &source, "<a/>", 4, &err), -1);
    assert_int_equal(
        findings_read(findings, FINDINGS_JUNIT, &source, NULL, 0, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tap),          cmocka_unit_test(test_tap_plan),
        cmocka_unit_test(test_tap_subtests), cmocka_unit_test(test_tap_blocks),
        cmocka_unit_test(test_junit),        cmocka_unit_test(test_partial),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
