/* tests/unit/pipelines/findings/markdown_test.c - strangers' texts, tamed. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/findings/mark.h"
#include "pipelines/findings/markdown.h"
#include "tests/lib/unit.h"

#include <string.h>

#define Z "\xe2\x80\x8b" /* what has no width */

static void prose(const char *text, unsigned flags, const char *wanted)
{
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;

    markdown_text(&out, text, flags);
    assert_string_equal(out.data, wanted);
}

static void test_references(void **state)
{
    (void)state;
    prose("ask @octocat", 0, "ask @" Z "octocat");
    prose("@org/team a@b.c", 0, "@" Z "org/team a@" Z "b.c");
    prose("see #12, o/r#3, GH-4, !5, &6, ~bug, %v1, $7", 0,
          "see \\#" Z "12, o/r\\#" Z "3, GH-" Z "4, \\!" Z "5, &amp;" Z
          "6, \\~" Z "bug, %" Z "v1, &#36;" Z "7");
    prose("at http://x.y/z, www.x.y, ftp://a", 0,
          "at http:" Z "//x.y/z, www" Z ".x.y, ftp:" Z "//a");
    prose("in 1883706ab and 12345", 0, "in 1883" Z "706ab and 12345");
    prose("100% @ # !", 0, "100% @ \\# \\!");
}

static void test_syntax(void **state)
{
    (void)state;
    prose("[a](http://b) ![c](d) *e* _f_ ~~g~~ \\h", 0,
          "\\[a\\](http:" Z "//b) \\!\\[c\\](d) \\*e\\* \\_f\\_ \\~\\~" Z
          "g\\~\\~ \\\\h");
    prose("<!-- x --><details><img src=x>", 0,
          "&lt;\\!-- x --&gt;&lt;details&gt;&lt;img src=x&gt;");
    prose("# t\n- a\n+ b\n1. c\n===\n/close\n> q\n    code\n|a|b|", 0,
          "\\# t\\\n\\- a\\\n\\+ b\\\n1\\. c\\\n\\===\\\n\\/close\\\n&gt; q\\\n"
          "code\\\n\\|a\\|b\\|");
    prose("one\n\n\n two\n", 0, "one\n\ntwo");
    prose("1.5 a-b c/d", 0, "1.5 a-b c/d");
    prose("a\n\n/merge|x\tb", MARKDOWN_TABLE, "a \\/merge\\|x b");
}

static void test_code_in_prose(void **state)
{
    (void)state;
    prose("use `@x|<b>` now", 0, "use `@x|<b>` now");
    prose("use `a|b`", MARKDOWN_TABLE, "use `a\\|b`");
    prose("``a`b`` c", 0, "``a`b`` c");
    prose("open `never\nclosed` @x", 0, "open \\`never\\\nclosed\\` @" Z "x");
    prose("```\n@x\n```", 0, "\\`\\`\\`\\\n@" Z "x\\\n\\`\\`\\`");
    prose("``", 0, "\\`\\`");
}

static void test_unseen(void **state)
{
    (void)state;
    prose("a\xe2\x80\xae"
          "b\x07\xef\xbb\xbf\xff",
          0, "ab\xef\xbf\xbd");
    prose("caf\xc3\xa9 \xf0\x9f\x98\x80", 0, "caf\xc3\xa9 \xf0\x9f\x98\x80");
    prose("x\n\xef\xbb\xbf /close\n\x07    - y", 0, "x\\\n\\/close\\\n\\- y");
    prose("", 0, "");
    prose("\n \n", 0, "");
}

/* What is left out between two makes neighbours of them. */
static void test_unseen_between(void **state)
{
    (void)state;
    prose("http:" Z "//a, ftp:\x01//b, ww" Z "w" Z ".c", 0,
          "http:" Z "//a, ftp:" Z "//b, www" Z ".c");
    prose("g\r" Z "h" Z "-" Z "1 @" Z "x #\x02"
          "1 @" Z " y",
          0, "gh-" Z "1 @" Z "x \\#" Z "1 @ y");
    prose("188" Z "3706ab, " Z "deadbeef, g" Z "deadbeef", 0,
          "1883" Z "706ab, dead" Z "beef, gdeadbeef");
    prose("1" Z "2." Z " c\n3)\r\n", 0, "12\\. c\\\n3\\)");
    prose("`a`" Z "``b`<i>@x``", 0, "`a`" Z "``b`<i>@x``");
    prose("``" Z "`<i>`", 0, "\\`\\`" Z "`<i>`");
    prose("`a" Z "b`", 0,
          "`a\xef\xbf\xbd"
          "b`");
}

static void test_code(void **state)
{
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;

    (void)state;
    markdown_code(&out, "a`b``\n|", MARKDOWN_TABLE);
    assert_string_equal(out.data, "```a`b`` \\|```");
    strbuf_cut(&out, 0);
    markdown_code(&out, "`x\xe2\x80\xae", 0);
    assert_string_equal(out.data, "`` `x\xef\xbf\xbd ``");
    strbuf_cut(&out, 0);
    markdown_code(&out, "", 0);
    assert_string_equal(out.data, "");
}

static void test_fence(void **state)
{
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;

    (void)state;
    strbuf_adds(&out, "x");
    markdown_fence(&out, "text", "a\n```\n````js\x1b\n");
    assert_string_equal(out.data,
                        "x\n`````text\na\n```\n````js\xef\xbf\xbd\n`````\n");
    strbuf_cut(&out, 0);
    markdown_fence(&out, "suggestion", "a\n");
    assert_string_equal(out.data, "```suggestion\na\n\n```\n");
    strbuf_cut(&out, 0);
    markdown_fence(&out, "suggestion", "");
    assert_string_equal(out.data, "```suggestion\n```\n");
}

static void cut(const char *text, size_t max, const char *wanted)
{
    CLEANUP(strbuf) struct strbuf body = STRBUF_INIT;

    strbuf_adds(&body, text);
    markdown_cut(&body, max, "cut");
    assert_string_equal(body.data, wanted);
}

static void test_cut(void **state)
{
    (void)state;
    cut("one\ntwo\n", 8, "one\ntwo\n");
    cut("one\ntwo\nthree\nfour\nfive\n", 18, "one\ntwo\n\ncut");
    cut("one\n```text\nabcdefghijklmn\nopq\n```\n", 30,
        "one\n```text\nabcdefgh\n```\n\ncut");
    cut("one\n````text\nab\n```\ncdefghijklmnopqrst\n````\nend\n", 35,
        "one\n````text\nab\n```\ncdef\n````\n\ncut");
    cut("an endless line of prose", 20, "\ncut");
    cut("xxxxxxxx", 3, "");
    /* Characters are not bytes; those beyond 16 bits count twice. */
    assert_int_equal(markdown_count("a\xc3\xa4\xf0\x9f\x98\x80", 7), 4);
    cut("\xc3\xa4\xc3\xa4\n", 3, "\xc3\xa4\xc3\xa4\n");
    cut("```\n\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
        "\n```\n\n\n\n\n",
        18, "```\n\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\n```\n\ncut");
}

/* Whatever the limit: no longer than it, and no block left open. */
static void test_cut_everywhere(void **state)
{
    CLEANUP(strbuf) struct strbuf whole = STRBUF_INIT;

    (void)state;
    mark_write(&whole, "finding", "ab");
    markdown_text(&whole, "prose with `code` @x", 0);
    markdown_fence(&whole, "text", "one \xc3\xa4\n``\n```\n\nthree\n");
    strbuf_adds(&whole, "\nmore\n");
    for (size_t max = 0; max <= markdown_count(whole.data, whole.len); max++) {
        CLEANUP(strbuf) struct strbuf body = STRBUF_INIT;
        size_t fences = 0;

        strbuf_add(&body, whole.data, whole.len);
        markdown_cut(&body, max, "cut");
        assert_true(markdown_count(body.data, body.len) <= max);
        for (const char *p = body.data; (p = strstr(p, "````")); p += 4)
            fences++;
        assert_true(fences == 0 || fences == 2);
    }
}

static void test_mark(void **state)
{
    CLEANUP(strbuf) struct strbuf body = STRBUF_INIT;
    CLEANUP(strbuf) struct strbuf value = STRBUF_INIT;
    static const char *const wrong[] = {
        "",
        "x<!-- berth:finding a -->",
        "\n<!-- berth:finding a -->",
        "<!-- berth:finding a",
        "<!-- berth:finding a --> x",
        "<!-- berth:finding a-->",
        "<!-- berth:finding a%2 -->",
        "<!-- berth:finding %61 -->",
        "<!-- berth:finding %00 -->",
        "<!-- berth:summary a -->",
        "> <!-- berth:finding a -->",
    };

    (void)state;
    mark_write(&body, "finding", "o/r -->@x\n#1");
    assert_string_equal(body.data, "<!-- berth:finding "
                                   "o/r%20%2d%2d%3e%40x%0a%231 -->\n");
    strbuf_adds(&body, "text");
    assert_true(mark_read(body.data, "finding", &value));
    assert_string_equal(value.data, "o/r -->@x\n#1");
    assert_true(mark_read("<!-- berth:a b -->\r\nx", "a", &value));
    assert_string_equal(value.data, "b");
    assert_false(mark_read(body.data, "summary", &value));
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        if (mark_read(wrong[i], "finding", &value))
            fail_msg("%s was read", wrong[i]);
    assert_string_equal(value.data, "b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_references),     cmocka_unit_test(test_syntax),
        cmocka_unit_test(test_code_in_prose),  cmocka_unit_test(test_unseen),
        cmocka_unit_test(test_unseen_between), cmocka_unit_test(test_code),
        cmocka_unit_test(test_fence),          cmocka_unit_test(test_cut),
        cmocka_unit_test(test_cut_everywhere), cmocka_unit_test(test_mark),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
