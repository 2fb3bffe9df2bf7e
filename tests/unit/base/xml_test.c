/* tests/unit/base/xml_test.c - elements, attributes, and what is refused. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strbuf.h"
#include "base/xml.h"
#include "tests/lib/unit.h"

#include <string.h>

static int note_start(void *arg, const char *path,
                      const char *const *attributes, struct err *err)
{
    struct strbuf *seen = arg;
    const char *stop = xml_attribute(attributes, "stop");

    strbuf_addf(seen, "<%s", path);
    for (size_t i = 0; attributes[i]; i += 2)
        strbuf_addf(seen, " %s=%s", attributes[i], attributes[i + 1]);
    strbuf_adds(seen, ">");
    return stop ? err_set(err, ERR_LOST, "stopped: %s", stop) : 0;
}

static int note_end(void *arg, const char *path, const char *text, size_t len,
                    struct err *err)
{
    (void)err;
    assert_int_equal(strlen(text), len);
    strbuf_addf(arg, "[%s|%s]", path, text);
    return 0;
}

static const struct xml_handler both = {note_start, note_end, false};
static const struct xml_handler leaves = {note_start, note_end, true};

static void parse(const char *text, const struct xml_handler *handler,
                  const char *wanted)
{
    CLEANUP(strbuf) struct strbuf seen = STRBUF_INIT;
    struct err err = {0};

    if (xml_parse(text, strlen(text), handler, &seen, &err) < 0)
        fail_msg("%s: %s", text, err.msg);
    assert_string_equal(seen.data, wanted);
}

static void test_elements(void **state)
{
    CLEANUP(strbuf) struct strbuf seen = STRBUF_INIT;
    const char *text = "<r><k>a&lt;&#xe9;</k>x<s3:e/>y</r>";

    (void)state;
    assert_int_equal(xml_read(text, strlen(text), note_end, &seen, NULL), 0);
    assert_string_equal(seen.data, "[r/k|a<\xc3\xa9][r/e|][r|xy]");
}

static void test_attributes(void **state)
{
    (void)state;
    parse("<a x='1' y=\"&amp;2\">t<b/></a>", &both,
          "<a x=1 y=&2><a/b>[a/b|][a|t]");
    parse("<a>t<b>u<![CDATA[<v>]]></b>w</a>", &leaves,
          "<a><a/b>[a/b|u<v>][a|w]");
}

static void refuse(const char *text, const struct xml_handler *handler,
                   const char *why)
{
    CLEANUP(strbuf) struct strbuf seen = STRBUF_INIT;
    struct err err = {0};

    assert_int_equal(xml_parse(text, strlen(text), handler, &seen, &err), -1);
    if (!strstr(err.msg, why))
        fail_msg("%.80s: '%s' is not in '%s'", text, why, err.msg);
}

static void test_refused(void **state)
{
    CLEANUP(strbuf) struct strbuf deep = STRBUF_INIT;
    CLEANUP(strbuf) struct strbuf wide = STRBUF_INIT;

    (void)state;
    refuse("", &both, "line 1: no element found");
    refuse("<a>\n<b></a>", &both, "line 2: mismatched tag");
    refuse("<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>", &both,
           "line 1: it has a document type");
    refuse("<a>&e;</a>", &both, "undefined entity");
    refuse("<a>\n<b stop='now'/></a>", &both, "stopped: now");
    for (int i = 0; i <= XML_MAX_DEPTH; i++)
        strbuf_adds(&deep, "<d>");
    refuse(deep.data, &both, "nested too deeply");
    strbuf_adds(&wide, "<w");
    for (unsigned i = 0; i <= XML_MAX_ATTRIBUTES; i++)
        strbuf_addf(&wide, " a%u=''", i);
    strbuf_adds(&wide, "/>");
    refuse(wide.data, &both, "too many attributes");
}

static void test_long_text(void **state)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    CLEANUP(strbuf) struct strbuf seen = STRBUF_INIT;

    (void)state;
    strbuf_adds(&text, "<a><b>");
    for (size_t i = 0; i < XML_MAX_TEXT + 9; i++)
        strbuf_addc(&text, 'x');
    strbuf_adds(&text, "</b><c>y</c></a>");
    refuse(text.data, &both, "too long");
    assert_int_equal(xml_parse(text.data, text.len, &leaves, &seen, NULL), 0);
    assert_non_null(strstr(seen.data, "x]<a/c>"));
    assert_non_null(strstr(seen.data, "[a/c|y][a|]"));
    assert_true(seen.len < XML_MAX_TEXT + 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elements),
        cmocka_unit_test(test_attributes),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_long_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
