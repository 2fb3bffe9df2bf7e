/* tests/unit/pipelines/findings/read_test.c - reports of linters, reviews. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strbuf.h"
#include "pipelines/findings/findings.h"
#include "tests/lib/unit.h"

#include <string.h>

static const struct findings_source source = {"tool", "/ws", NULL};

static struct findings *read_text(enum findings_format format, const char *text)
{
    struct findings *findings = findings_new();
    struct err err = {0};

    if (findings_read(findings, format, &source, text, strlen(text), &err) < 0)
        fail_msg("%s", err.msg);
    return findings;
}

static void refuse(enum findings_format format, const char *text,
                   const char *why)
{
    CLEANUP(findings) struct findings *findings = findings_new();
    struct err err = {0};

    if (!findings_read(findings, format, &source, text, strlen(text), &err))
        fail_msg("%s was read", text);
    if (!strstr(err.msg, why))
        fail_msg("%.80s: '%s' is not in '%s'", text, why, err.msg);
    assert_int_equal(err.kind, ERR_USER);
}

static void check(const struct finding *finding, const char *place,
                  const char *what)
{
    CLEANUP(strbuf) struct strbuf got = STRBUF_INIT;

    strbuf_addf(&got, "%s:%u:%u-%u:%u", finding->path, finding->line,
                finding->column, finding->end_line, finding->end_column);
    assert_string_equal(got.data, place);
    strbuf_cut(&got, 0);
    strbuf_addf(&got, "%s %s %s: %s", finding_severity_name(finding->severity),
                finding->tool, finding->rule, finding->message);
    assert_string_equal(got.data, what);
}

static void test_eslint(void **state)
{
    CLEANUP(findings)
    struct findings *findings = read_text(
        FINDINGS_ESLINT,
        "[{\"filePath\":\"/ws/src/a b.js\",\"messages\":["
        "{\"ruleId\":\"no-var\",\"severity\":2,\"message\":\"Unexpected var\","
        "\"line\":2,\"column\":1,\"endLine\":2,\"endColumn\":4,"
        "\"fix\":{\"range\":[5,8],\"text\":\"let\"}},"
        "{\"ruleId\":null,\"severity\":1,\"message\":\"Parsing\",\"line\":3},"
        "{\"ruleId\":\"x\",\"severity\":1},"
        "{\"ruleId\":\"y\",\"severity\":1,\"message\":\"m\",\"line\":1,"
        "\"fix\":{\"range\":[5,900],\"text\":\"\"}}],"
        "\"source\":\"\xf0\x9f\x98\x80;;\\nvar x;\\n\"},{\"messages\":7}]");

    (void)state;
    assert_int_equal(findings->count, 3);
    assert_int_equal(findings->refused, 2);
    assert_string_equal(findings->note, "a message without 'message'");
    check(&findings->items[0], "src/a b.js:2:1-2:4",
          "error eslint no-var: Unexpected var");
    assert_string_equal(findings->items[0].fix.text, "let");
    assert_int_equal(findings->items[0].fix.line, 2);
    assert_int_equal(findings->items[0].fix.column, 1);
    assert_int_equal(findings->items[0].fix.end_column, 4);
    check(&findings->items[1], "src/a b.js:3:0-3:0",
          "warning eslint : Parsing");
    assert_null(findings->items[2].fix.text);
    refuse(FINDINGS_ESLINT, "{}", "eslint: it is no list of files");
    refuse(FINDINGS_ESLINT, "[\n{]", "eslint: line 2, column");
}

static void test_rdjson(void **state)
{
    CLEANUP(findings)
    struct findings *findings = read_text(
        FINDINGS_RDJSON,
        "{\"source\":{\"name\":\"vet\"},\"severity\":\"INFO\",\"diagnostics\":["
        "{\"message\":\"m1\",\"location\":{\"path\":\"./x/../a.go\",\"range\":"
        "{\"start\":{\"line\":4,\"column\":2},\"end\":{\"line\":5}}},"
        "\"severity\":\"ERROR\",\"code\":{\"value\":\"R1\",\"url\":"
        "\"https://e.org/R1\"},\"suggestions\":[{\"range\":{\"start\":"
        "{\"line\":4,\"column\":2}},\"text\":\"T\"}]},"
        "{\"message\":\"m2\",\"source\":{\"name\":\"own\"},\"severity\":2},"
        "{\"message\":\"m3\",\"location\":{\"path\":\"/etc/passwd\","
        "\"range\":{\"start\":{\"line\":1}}},\"code\":{\"value\":\"R3\","
        "\"url\":\"javascript:alert(1)\"}},{}]}");
    const struct finding *first = &findings->items[0];

    (void)state;
    assert_int_equal(findings->count, 3);
    assert_int_equal(findings->refused, 1);
    assert_int_equal(findings->strayed, 1);
    check(first, "a.go:4:2-5:0", "error vet R1: m1");
    assert_string_equal(first->url, "https://e.org/R1");
    assert_string_equal(first->fix.text, "T");
    assert_int_equal(first->fix.end_line, 4);
    assert_int_equal(first->fix.end_column, 2);
    assert_int_equal(first->fix.unit, FINDING_BYTES);
    check(&findings->items[1], ":0:0-0:0", "warning own : m2");
    check(&findings->items[2], ":0:0-0:0", "info vet R3: m3");
    assert_string_equal(findings->items[2].url, "");
    refuse(FINDINGS_RDJSON, "{}", "no list 'diagnostics'");
}

static void test_rdjsonl(void **state)
{
    CLEANUP(findings)
    struct findings *findings = read_text(
        FINDINGS_RDJSONL, "{\"message\":\"a\"}\r\n\n"
                          "{\"message\":\"b\",\"severity\":\"ERROR\"}");

    (void)state;
    assert_int_equal(findings->count, 2);
    check(&findings->items[0], ":0:0-0:0", "warning tool : a");
    check(&findings->items[1], ":0:0-0:0", "error tool : b");
    refuse(FINDINGS_RDJSONL, "{\"message\":\"a\"}\n\n{", "rdjsonl: line 3: ");
}

static const char sarif[] =
    "{\"version\":\"2.1.0\",\"runs\":[{\"tool\":{\"driver\":{\"name\":\"Scan\","
    "\"rules\":[{\"id\":\"S1\",\"helpUri\":\"https://e.org/S1\","
    "\"messageStrings\":{\"d\":{\"text\":\"{0} is {{bad}} {1} {9}\"}},"
    "\"defaultConfiguration\":{\"level\":\"error\"}},{\"id\":\"S2\","
    "\"shortDescription\":{\"text\":\"short\"}}]}},"
    "\"originalUriBaseIds\":{\"ROOT\":{\"uri\":\"file:///ws/\"},"
    "\"SRC\":{\"uri\":\"src/\",\"uriBaseId\":\"ROOT\"}},"
    "\"artifacts\":[{\"location\":{\"uri\":\"by%20index.c\"}}],"
    "\"results\":["
    "{\"ruleId\":\"S1\",\"ruleIndex\":0,\"message\":{\"id\":\"d\","
    "\"arguments\":[\"x\",\"y\"]},\"locations\":[{\"physicalLocation\":"
    "{\"artifactLocation\":{\"uri\":\"a.c\",\"uriBaseId\":\"SRC\"},\"region\":"
    "{\"startLine\":3,\"startColumn\":2,\"endColumn\":5,"
    "\"snippet\":{\"text\":\"code\"}}}}],\"fixes\":[{\"artifactChanges\":["
    "{\"artifactLocation\":{\"uri\":\"a.c\"},\"replacements\":["
    "{\"deletedRegion\":{\"startLine\":3,\"startColumn\":2,\"endColumn\":3},"
    "\"insertedContent\":{\"text\":\"new\"}}]}]}]},"
    "{\"rule\":{\"index\":1},\"level\":\"note\",\"message\":{},"
    "\"locations\":[{\"physicalLocation\":{\"artifactLocation\":"
    "{\"index\":0}}}]},"
    "{\"ruleId\":\"S1\",\"message\":{\"text\":\"up\"},\"locations\":["
    "{\"physicalLocation\":{\"artifactLocation\":{\"uri\":\"../../etc/x\"},"
    "\"region\":{\"startLine\":1}}}]},"
    "{\"message\":{\"text\":\"gone\"},\"baselineState\":\"absent\"},"
    "{\"message\":{\"text\":\"fine\"},\"kind\":\"pass\"},"
    "{\"message\":{\"text\":\"hush\"},\"suppressions\":[{\"kind\":"
    "\"inSource\"}]},"
    "{\"message\":{\"text\":\"loud\"},\"suppressions\":[{\"kind\":"
    "\"external\",\"status\":\"rejected\"}]},{}]}]}";

static void test_sarif(void **state)
{
    CLEANUP(findings)
    struct findings *findings = read_text(FINDINGS_SARIF, sarif);
    const struct finding *first = &findings->items[0];

    (void)state;
    assert_int_equal(findings->count, 4);
    assert_int_equal(findings->refused, 1);
    assert_int_equal(findings->strayed, 1);
    check(first, "src/a.c:3:2-3:5", "error Scan S1: x is {bad} y {9}");
    assert_string_equal(first->quote, "code");
    assert_string_equal(first->url, "https://e.org/S1");
    assert_string_equal(first->fix.text, "new");
    assert_int_equal(first->fix.end_line, 3);
    assert_int_equal(first->fix.unit, FINDING_UTF16);
    check(&findings->items[1], "by index.c:0:0-0:0", "info Scan S2: short");
    check(&findings->items[2], ":0:0-0:0", "error Scan S1: up");
    check(&findings->items[3], ":0:0-0:0", "warning Scan : loud");
    refuse(FINDINGS_SARIF, "{\"version\":\"2.0.0\",\"runs\":[]}",
           "no 'version' 2.1");
    refuse(FINDINGS_SARIF, "", "sarif: line 1");
}

static void test_checkstyle(void **state)
{
    CLEANUP(findings)
    struct findings *findings = read_text(
        FINDINGS_CHECKSTYLE,
        "<?xml version='1.0'?>\n<checkstyle version='4.3'>\n"
        "<file name='/ws/A.java'><error line='7' column='3' severity='warning'"
        " message='&lt;b&gt;' source='com.X'/><error line='x' message='m'/>"
        "<error severity='ignore' message='i'/><error line='1'/></file>"
        "</checkstyle>");

    (void)state;
    assert_int_equal(findings->count, 2);
    assert_int_equal(findings->refused, 1);
    check(&findings->items[0], "A.java:7:3-7:0", "warning tool com.X: <b>");
    check(&findings->items[1], "A.java:0:0-0:0", "error tool : m");
    refuse(FINDINGS_CHECKSTYLE, "<html/>", "the top is <html>");
    refuse(FINDINGS_CHECKSTYLE, "<checkstyle>\n<file>", "line 2: no element");
    refuse(FINDINGS_CHECKSTYLE,
           "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>",
           "document type");
}

static void test_review(void **state)
{
    CLEANUP(findings)
    struct findings *findings = read_text(
        FINDINGS_REVIEW,
        "```json\n{\"findings\":[{\"path\":\"a.c\",\"line\":3,\"end_line\":4,"
        "\"side\":\"RIGHT\",\"severity\":\"high\",\"category\":\"bug\","
        "\"message\":\"m\",\"why\":\"w\",\"suggestion\":\"s\","
        "\"confidence\":0.85,\"quote\":\"q\"},"
        "{\"path\":\"b.c\",\"line\":9,\"side\":\"old\",\"message\":\"n\","
        "\"suggestion\":\"no place\",\"confidence\":40,\"end_line\":null},"
        "{\"line\":\"3\",\"message\":\"m\"},{\"message\":7},7,"
        "{\"message\":\"\"},{\"message\":\"m\",\"confidence\":\"x\"},"
        "{\"message\":\"m\",\"suggestion\":[]}]}\n```\n");
    const struct finding *first = &findings->items[0];

    (void)state;
    assert_int_equal(findings->count, 2);
    assert_int_equal(findings->refused, 6);
    assert_string_equal(findings->note, "findings[2]: 'line' or 'end_line' is "
                                        "no number of a line");
    check(first, "a.c:3:0-4:0", "error tool bug: m");
    assert_string_equal(first->why, "w");
    assert_string_equal(first->quote, "q");
    assert_string_equal(first->fix.text, "s");
    assert_int_equal(first->fix.end_line, 4);
    assert_true(first->confidence > 0.849 && first->confidence < 0.851);
    assert_int_equal(findings->items[1].side, DIFF_OLD);
    assert_null(findings->items[1].fix.text);
    assert_true(findings->items[1].confidence < 0.41);
    refuse(FINDINGS_REVIEW, "Sure! Here is", "review: line 1");
    refuse(FINDINGS_REVIEW, "{\"findings\":{}}", "no list 'findings'");
}

static void test_own(void **state)
{
    CLEANUP(findings)
    struct findings *findings = read_text(FINDINGS_SARIF, sarif);
    CLEANUP(mem) char *first = findings_dump(findings);
    CLEANUP(findings) struct findings *again = findings_new();
    CLEANUP(mem) char *second = NULL;

    (void)state;
    assert_int_equal(
        findings_read(again, FINDINGS_OWN, &source, first, strlen(first), NULL),
        0);
    again->note = findings->note; /* what a reader said is not read */
    second = findings_dump(again);
    assert_string_equal(first, second);
    refuse(FINDINGS_OWN, "{\"findings\":[]}", "no object of schema 1");
}

static void test_precision(void **state)
{
    CLEANUP(findings)
    struct findings *findings =
        read_text(FINDINGS_REVIEW, "[{\"message\":\"m\",\"confidence\":0.1}]");
    CLEANUP(mem) char *text = findings_dump(findings);

    (void)state;
    assert_non_null(strstr(text, "\"confidence\":0.1}"));
}

static void test_bounds(void **state)
{
    CLEANUP(strbuf) struct strbuf deep = STRBUF_INIT;
    CLEANUP(strbuf) struct strbuf many = STRBUF_INIT;
    CLEANUP(strbuf) struct strbuf commas = STRBUF_INIT;
    CLEANUP(findings) struct findings *findings = NULL;

    (void)state;
    for (int i = 0; i < 100; i++)
        strbuf_adds(&deep, "\n[");
    refuse(FINDINGS_ESLINT, deep.data, "line 66: it is nested too deeply");
    strbuf_adds(&commas, "[0");
    for (int i = 0; i < 500001; i++)
        strbuf_adds(&commas, ",0");
    refuse(FINDINGS_ESLINT, commas.data, "more than 500000 values");
    strbuf_adds(&many, "[{\"message\":\"m\"}");
    for (unsigned i = 0; i < FINDINGS_MAX + 6; i++)
        strbuf_adds(&many, ",{\"message\":\"m\"}");
    strbuf_adds(&many, "]");
    findings = read_text(FINDINGS_REVIEW, many.data);
    assert_int_equal(findings->count, FINDINGS_MAX);
    assert_int_equal(findings->overflow, 7);
}

static void test_too_long(void **state)
{
    CLEANUP(findings) struct findings *findings = findings_new();
    CLEANUP(mem) char *text = xcalloc(1, FINDINGS_MAX_BYTES + 1);
    struct err err = {0};

    (void)state;
    assert_int_equal(findings_read(findings, FINDINGS_TAP, &source, text,
                                   FINDINGS_MAX_BYTES + 1, &err),
                     -1);
    assert_string_equal(err.msg, "tap: it is over 16 MiB");
}

static void test_texts(void **state)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    CLEANUP(findings) struct findings *findings = NULL;
    const char *message;

    (void)state;
    strbuf_adds(&text, "[{\"message\":\"\\u001b[31mred\\u001b[0m\\u0007\\r\\n"
                       "two\\t \\n\"},{\"message\":\"");
    for (size_t i = 0; i < FINDING_MAX_TEXT; i++)
        strbuf_adds(&text, "\xc3\xa4");
    strbuf_adds(&text, "\",\"category\":\"a\\u0000b\"}]");
    findings = read_text(FINDINGS_REVIEW, text.data);
    assert_string_equal(findings->items[0].message, "red\ntwo");
    message = findings->items[1].message;
    assert_in_range(strlen(message), FINDING_MAX_TEXT - 4, FINDING_MAX_TEXT);
    assert_string_equal(message + strlen(message) - 5, "\xc3\xa4\xe2\x80\xa6");
    assert_string_equal(findings->items[1].rule, "a");
}

static void test_names(void **state)
{
    (void)state;
    for (int i = 0; i < FINDINGS_FORMAT_COUNT; i++)
        assert_int_equal(
            findings_format_find(findings_format_name((enum findings_format)i)),
            i);
    assert_int_equal(findings_format_find("xunit"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_eslint),     cmocka_unit_test(test_rdjson),
        cmocka_unit_test(test_rdjsonl),    cmocka_unit_test(test_sarif),
        cmocka_unit_test(test_checkstyle), cmocka_unit_test(test_review),
        cmocka_unit_test(test_own),        cmocka_unit_test(test_precision),
        cmocka_unit_test(test_bounds),     cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_texts),      cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
