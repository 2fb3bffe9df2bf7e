/* tests/unit/base/xml_test.c - elements of XML, within bounds. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/xml.h"

#include "base/strbuf.h"
#include "tests/lib/unit.h"

#include <stdlib.h>
#include <string.h>

static int add(void *arg, const char *path, const char *text, size_t len,
               struct err *err)
{
    if (strcmp(text, "stop") == 0)
        return err_set(err, ERR_LOST, "stopped");
    assert_int_equal(strlen(text), len);
    strbuf_addf(arg, "%s=%s;", path, text);
    return 0;
}

static void reads(const char *text, const char *wanted)
{
    CLEANUP(strbuf) struct strbuf got = STRBUF_INIT;
    struct err err = {0};

    if (xml_read(text, strlen(text), add, &got, &err) < 0)
        fail_msg("%s: %s", text, err.msg);
    assert_string_equal(got.data, wanted);
}

static void refuses(const char *text, const char *why)
{
    CLEANUP(strbuf) struct strbuf got = STRBUF_INIT;
    struct err err = {0};

    assert_int_equal(xml_read(text, strlen(text), add, &got, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    if (!strstr(err.msg, why))
        fail_msg("'%s' has no '%s'", err.msg, why);
}

static void test_elements(void **state UNUSED)
{
    reads("<a/>", "a=;");
    reads("<?xml version=\"1.0\"?>\n<a x='1'>b<c>d</c>e</a>", "a/c=d;a=be;");
    reads("<p:a xmlns:p='u'><p:b>1</p:b></p:a>", "a/b=1;a=;");
    reads("<a>&lt;&amp;&#65;<![CDATA[<b>]]></a>", "a=<&A<b>;");
    reads("<a><b>1</b><b>2</b></a>", "a/b=1;a/b=2;a=;");
}

static void test_refused(void **state UNUSED)
{
    refuses("", "no element");
    refuses("text", "line 1");
    refuses("<a>", "no element");
    refuses("<a></b>", "mismatched");
    refuses("<a/><b/>", "junk");
    refuses("<a>&b;</a>", "undefined entity");
    refuses("<!DOCTYPE a><a/>", "document type");
    refuses("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "document type");
    refuses("<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>", "document type");
    refuses("<a>\x01</a>", "line 1");
    refuses("<a>\xff</a>", "line 1");
}

static void test_bounds(void **state UNUSED)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;

    for (int i = 0; i < XML_MAX_DEPTH + 1; i++)
        strbuf_adds(&text, "<a>");
    refuses(text.data, "deeply");
    strbuf_cut(&text, 0);
    strbuf_addc(&text, '<');
    for (int i = 0; i < XML_MAX_PATH; i++)
        strbuf_addc(&text, 'a');
    strbuf_adds(&text, "/>");
    refuses(text.data, "names are too long");
    strbuf_cut(&text, 0);
    strbuf_adds(&text, "<a>");
    for (size_t i = 0; i <= XML_MAX_TEXT; i++)
        strbuf_addc(&text, 'a');
    strbuf_adds(&text, "</a>");
    refuses(text.data, "text in it is too long");
}

/* Who is told may end it, with his own reason. */
static void test_stopped(void **state UNUSED)
{
    CLEANUP(strbuf) struct strbuf got = STRBUF_INIT;
    const char *text = "<a><b>1</b><b>stop</b><b>2</b></a>";
    struct err err = {0};

    assert_int_equal(xml_read(text, strlen(text), add, &got, &err), -1);
    assert_int_equal(err.kind, ERR_LOST);
    assert_string_equal(err.msg, "stopped");
    assert_string_equal(got.data, "a/b=1;");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elements),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_stopped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
