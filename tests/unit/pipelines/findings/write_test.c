/* tests/unit/pipelines/findings/write_test.c - RDJSON and SARIF, and back. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/findings/write.h"
#include "tests/lib/unit.h"

#include <stdlib.h>
#include <string.h>

static const char own[] =
    "{\"schema\":1,\"findings\":["
    "{\"kind\":\"issue\",\"severity\":\"error\",\"tool\":\"review\","
    "\"rule\":\"bug\",\"path\":\"src/a b:\\u00fc%.c\",\"line\":3,"
    "\"end_line\":4,\"column\":2,\"end_column\":5,"
    "\"message\":\"{0} and {{x}} }\",\"quote\":\"int x;\","
    "\"url\":\"https://example.org/bug\",\"confidence\":0.9,"
    "\"fix\":{\"text\":\"int y;\\n\",\"line\":3,\"end_line\":4,"
    "\"unit\":\"bytes\"},"
    "\"fingerprint\":\"0123456789abcdef0123456789abcdef\"},"
    "{\"kind\":\"issue\",\"severity\":\"warning\",\"tool\":\"lint\","
    "\"path\":\"b.c\",\"message\":\"whole file\"},"
    "{\"kind\":\"issue\",\"severity\":\"info\",\"tool\":\"review\","
    "\"rule\":\"bug\",\"path\":\"old.c\",\"side\":\"old\",\"line\":7,"
    "\"message\":\"gone\"},"
    "{\"kind\":\"issue\",\"severity\":\"info\",\"message\":\"nowhere\"}],"
    "\"tests\":{\"passed\":0,\"failed\":0,\"skipped\":0}}";

static struct findings *read_as(enum findings_format format, const char *text)
{
    const struct findings_source source = {0};
    struct findings *findings = findings_new();
    struct err err = {0};

    if (findings_read(findings, format, &source, text, strlen(text), &err) < 0)
        fail_msg("%s", err.msg);
    return findings;
}

static struct findings *again(const struct findings *from,
                              enum findings_format format)
{
    json_t *document = format == FINDINGS_SARIF
                           ? findings_to_sarif(from, "1.2.3")
                           : findings_to_rdjson(from);
    CLEANUP(mem) char *text = json_dumps(document, JSON_COMPACT);

    assert_non_null(text);
    json_decref(document);
    return read_as(format, text);
}

static void same_place(const struct finding *a, const struct finding *b)
{
    assert_string_equal(a->path, b->path);
    assert_int_equal(a->line, b->line);
    assert_int_equal(a->end_line, b->end_line);
    assert_int_equal(a->column, b->column);
    assert_int_equal(a->end_column, b->end_column);
}

static void same(const struct finding *a, const struct finding *b)
{
    same_place(a, b);
    assert_int_equal(a->severity, b->severity);
    assert_string_equal(a->tool, b->tool);
    assert_string_equal(a->rule, b->rule);
    assert_string_equal(a->message, b->message);
    assert_string_equal(a->url, b->url);
    assert_int_equal(!a->fix.text, !b->fix.text);
    if (!a->fix.text)
        return;
    assert_string_equal(a->fix.text, b->fix.text);
    assert_int_equal(a->fix.line, b->fix.line);
    assert_int_equal(a->fix.end_line, b->fix.end_line);
}

static void test_rdjson(void **state)
{
    CLEANUP(findings) struct findings *from = read_as(FINDINGS_OWN, own);
    CLEANUP(findings) struct findings *to = again(from, FINDINGS_RDJSON);

    (void)state;
    assert_int_equal(to->count, 4);
    assert_int_equal(to->refused, 0);
    same(&from->items[0], &to->items[0]);
    same(&from->items[1], &to->items[1]);
    assert_string_equal(to->items[2].path, "old.c");
    assert_int_equal(to->items[2].line, 0);
    assert_string_equal(to->items[3].message, "nowhere");
    assert_string_equal(to->items[3].path, "");
}

/* Its runs are one a tool, so the order is another. */
static void test_sarif(void **state)
{
    CLEANUP(findings) struct findings *from = read_as(FINDINGS_OWN, own);
    CLEANUP(findings) struct findings *to = again(from, FINDINGS_SARIF);

    (void)state;
    assert_int_equal(to->count, 4);
    assert_int_equal(to->refused, 0);
    same(&from->items[0], &to->items[0]);
    assert_string_equal(to->items[0].quote, "int x;");
    assert_string_equal(to->items[1].path, "old.c");
    assert_int_equal(to->items[1].line, 0);
    same(&from->items[1], &to->items[2]);
    assert_string_equal(to->items[3].tool, "berth");
}

static void test_why(void **state)
{
    CLEANUP(findings)
    struct findings *from =
        read_as(FINDINGS_OWN, "{\"schema\":1,\"findings\":[{\"severity\":"
                              "\"error\",\"path\":\"a\",\"message\":\"m\","
                              "\"why\":\"w\"}]}");
    CLEANUP(findings) struct findings *rdjson = again(from, FINDINGS_RDJSON);
    CLEANUP(findings) struct findings *sarif = again(from, FINDINGS_SARIF);

    (void)state;
    assert_string_equal(rdjson->items[0].message, "m\n\nw");
    assert_string_equal(sarif->items[0].message, "m\n\nw");
}

/* What counts other columns has no fix there. */
static void test_columns(void **state)
{
    CLEANUP(findings)
    struct findings *from = read_as(
        FINDINGS_OWN,
        "{\"schema\":1,\"findings\":[{\"severity\":\"error\",\"path\":\"a\","
        "\"line\":1,\"message\":\"m\",\"fix\":{\"text\":\"x\",\"line\":1,"
        "\"end_line\":1,\"column\":2,\"end_column\":3,\"unit\":\"utf16\"}}]}");
    CLEANUP(findings) struct findings *rdjson = again(from, FINDINGS_RDJSON);
    CLEANUP(findings) struct findings *sarif = again(from, FINDINGS_SARIF);

    (void)state;
    assert_null(rdjson->items[0].fix.text);
    assert_string_equal(sarif->items[0].fix.text, "x");
    assert_int_equal(sarif->items[0].fix.column, 2);
    assert_int_equal(sarif->items[0].fix.end_column, 3);
}

/* A run without results says that what was there is gone. */
static void test_nothing(void **state)
{
    CLEANUP(findings) struct findings *none = findings_new();
    CLEANUP(findings) struct findings *to = again(none, FINDINGS_SARIF);
    json_t *document = findings_to_sarif(none, "1.2.3");

    (void)state;
    assert_int_equal(to->count, 0);
    assert_int_equal(json_array_size(json_object_get(document, "runs")), 1);
    json_decref(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rdjson),  cmocka_unit_test(test_sarif),
        cmocka_unit_test(test_why),     cmocka_unit_test(test_columns),
        cmocka_unit_test(test_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
