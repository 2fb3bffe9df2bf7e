/* tests/unit/pipelines/findings/comment_test.c - placed, suggested, written. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/findings/comment.h"
#include "pipelines/findings/mark.h"
#include "pipelines/findings/markdown.h"
#include "tests/lib/unit.h"

#include <stdio.h>
#include <string.h>

static const char text[] =
    "--- a/a.js\n+++ b/a.js\n@@ -1,3 +1,5 @@\n one();\n-var x;\n"
    "+var \xf0\x9f\x98\x80 = x;\n+three(3);\n+four();\n five();\n"
    "--- a/crlf.js\n+++ b/crlf.js\n@@ -1 +1 @@\n-a\r\n+b\r\n"
    "--- a/cut.js\n+++ b/cut.js\n@@ -1,4 +1,4 @@\n a\n-b\n+c\n";

static const struct comment_style github = {SUGGESTION_GITHUB, 65536, NULL,
                                            NULL};

struct world {
    struct arena *arena;
    struct diff *diff;
    struct findings *findings;
};

static struct world *world_new(const char *json)
{
    struct world *world = xcalloc(1, sizeof(*world));
    const struct findings_source source = {"review", NULL, NULL};
    CLEANUP(mem)
    char *whole = xasprintf("{\"schema\":1,\"findings\":[%s]}", json);
    struct err err = {0};

    world->arena = arena_new();
    world->diff = diff_parse(text, strlen(text), false);
    world->findings = findings_new();
    if (findings_read(world->findings, FINDINGS_OWN, &source, whole,
                      strlen(whole), &err) < 0)
        fail_msg("%s", err.msg);
    return world;
}

static void world_free(struct world *world)
{
    findings_free(world->findings);
    diff_free(world->diff);
    arena_free(world->arena);
    free(world);
}
OWNER(world)

static struct remark remark_of(const struct world *world, size_t i)
{
    return remark_make(world->arena, world->diff, &world->findings->items[i]);
}

/* A fix `fix` of a finding at line 2 of a file suggests `wanted` at lines. */
static void suggests(const char *path, const char *fix, const char *wanted,
                     uint32_t first, uint32_t last)
{
    CLEANUP(mem)
    char *json = xasprintf("{\"message\":\"m\",\"path\":\"%s\",\"line\":2,"
                           "\"fix\":{%s}}",
                           path, fix);
    CLEANUP(world) struct world *world = world_new(json);
    struct remark remark = remark_of(world, 0);

    if (!wanted) {
        if (remark.suggestion)
            fail_msg("%s suggests '%s'", fix, remark.suggestion);
        return;
    }
    if (!remark.suggestion || strcmp(remark.suggestion, wanted) != 0)
        fail_msg("%s suggests '%s', not '%s'", fix,
                 remark.suggestion ? remark.suggestion : "(nothing)", wanted);
    assert_int_equal(remark.place.start->new_line, first);
    assert_int_equal(remark.place.end->new_line, last);
}

static void test_fixes(void **state)
{
    (void)state;
    suggests("a.js", "\"text\":\"let y;\",\"line\":2", "let y;", 2, 2);
    suggests("a.js", "\"text\":\"a\\nb\\n\",\"line\":3,\"end_line\":4", "a\nb",
             3, 4);
    suggests("a.js", "\"text\":\"\",\"line\":3", "", 3, 3);
    suggests("a.js",
             "\"text\":\"let\",\"line\":2,\"column\":1,\"end_column\":4",
             "let \xf0\x9f\x98\x80 = x;", 2, 2);
    suggests("a.js",
             "\"text\":\"y\",\"line\":2,\"column\":5,\"end_column\":7,"
             "\"unit\":\"utf16\"",
             "var y = x;", 2, 2);
    suggests("a.js",
             "\"text\":\"y\",\"line\":2,\"column\":5,\"end_column\":6,"
             "\"unit\":\"characters\"",
             "var y = x;", 2, 2);
    suggests("a.js", "\"text\":\"y\",\"line\":2,\"column\":5,\"end_column\":9",
             "var y = x;", 2, 2);
    suggests("a.js",
             "\"text\":\";\",\"line\":3,\"column\":10,\"end_column\":10",
             "three(3);;", 3, 3);
    /* Up to the begin of the next line. */
    suggests("a.js",
             "\"text\":\"z\\n\",\"line\":3,\"column\":1,\"end_line\":4,"
             "\"end_column\":1",
             "z", 3, 3);
    suggests("a.js",
             "\"text\":\"\",\"line\":3,\"column\":1,\"end_line\":4,"
             "\"end_column\":1",
             "", 3, 3);
    suggests("a.js",
             "\"text\":\" \",\"line\":3,\"column\":10,\"end_line\":4,"
             "\"end_column\":1",
             "three(3); four();", 3, 4);
}

static void test_no_suggestion(void **state)
{
    (void)state;
    suggests("a.js", "\"text\":\"x\",\"line\":9", NULL, 0, 0);
    suggests("a.js", "\"text\":\"x\",\"line\":4,\"end_line\":6", NULL, 0, 0);
    suggests("a.js", "\"text\":\"three(3);\",\"line\":3", NULL, 0, 0);
    suggests("a.js", "\"text\":\"x\",\"line\":3,\"column\":99", NULL, 0, 0);
    suggests("a.js", "\"text\":\"x\",\"line\":3,\"column\":4,\"end_column\":2",
             NULL, 0, 0);
    suggests("a.js", "\"text\":\"x\\u202e\",\"line\":3", NULL, 0, 0);
    suggests("a.js", "\"text\":\"x\\u0007\",\"line\":3", NULL, 0, 0);
    suggests("crlf.js", "\"text\":\"x\",\"line\":1", NULL, 0, 0);
    suggests("cut.js", "\"text\":\"x\",\"line\":2", NULL, 0, 0);
    suggests("none.js", "\"text\":\"x\",\"line\":2", NULL, 0, 0);
}

static void test_quotes(void **state)
{
    CLEANUP(world)
    struct world *world = world_new(
        "{\"message\":\"m\",\"path\":\"a.js\",\"line\":1,"
        "\"quote\":\"three(3);\\nfour();\",\"fix\":{\"text\":\"x\",\"line\":1}}"
        ","
        "{\"message\":\"m\",\"path\":\"a.js\",\"line\":3,\"quote\":\"gone();\","
        "\"fix\":{\"text\":\"x\",\"line\":3}},"
        "{\"message\":\"m\",\"path\":\"a.js\",\"line\":4,\"quote\":\"four();\"}"
        ","
        "{\"message\":\"m\",\"path\":\"a.js\",\"line\":1,"
        "\"quote\":\"three(3);\",\"fix\":{\"text\":\"x\",\"line\":2}}");
    struct remark remark = remark_of(world, 0);

    (void)state;
    assert_true(remark.moved && !remark.unquoted);
    assert_int_equal(remark.place.start->new_line, 3);
    assert_int_equal(remark.place.end->new_line, 4);
    assert_string_equal(remark.suggestion, "x");
    remark = remark_of(world, 1);
    assert_true(!remark.moved && remark.unquoted);
    assert_null(remark.suggestion);
    remark = remark_of(world, 2);
    assert_true(!remark.moved && !remark.unquoted);
    remark = remark_of(world, 3); /* a fix of other lines cannot follow */
    assert_true(remark.moved);
    assert_int_equal(remark.place.start->new_line, 3);
    assert_null(remark.suggestion);
}

static void test_comment(void **state)
{
    CLEANUP(world)
    struct world *world = world_new(
        "{\"message\":\"**bold** @you\\n</details>\",\"why\":\"because\","
        "\"path\":\"a.js\",\"line\":3,\"end_line\":4,\"severity\":\"error\","
        "\"tool\":\"<lint>\",\"rule\":\"no`x\",\"fix\":{\"text\":\"```\\nnew\","
        "\"line\":3,\"end_line\":4},"
        "\"fingerprint\":\"0123456789abcdef0123456789abcdef\"}");
    const struct comment_style gitlab = {SUGGESTION_GITLAB, 65536, NULL, NULL};
    const struct comment_style plain = {SUGGESTION_NONE, 65536, NULL, NULL};
    struct remark remark = remark_of(world, 0);
    CLEANUP(mem) char *body = comment_write(&remark, &github);
    CLEANUP(mem) char *other = comment_write(&remark, &gitlab);
    CLEANUP(mem) char *third = comment_write(&remark, &plain);
    CLEANUP(strbuf) struct strbuf mark = STRBUF_INIT;

    (void)state;
    assert_string_equal(
        body,
        "<!-- berth:finding 0123456789abcdef0123456789abcdef -->\n"
        "**Error** \xc2\xb7 &lt;lint&gt; \xc2\xb7 ``no`x``\n\n"
        "\\*\\*bold\\*\\* @\xe2\x80\x8byou\\\n&lt;/details&gt;\n\nbecause\n\n"
        "````suggestion\n```\nnew\n````\n");
    assert_non_null(strstr(other, "\n````suggestion:-1+0\n```\nnew\n````\n"));
    assert_non_null(
        strstr(third, "\nSuggested instead:\n\n````\n```\nnew\n````\n"));
    assert_true(mark_read(body, "finding", &mark));
    assert_string_equal(mark.data, "0123456789abcdef0123456789abcdef");
}

static void test_comment_too_long(void **state)
{
    CLEANUP(world)
    struct world *world = world_new(
        "{\"message\":\"short\",\"path\":\"a.js\",\"line\":3,"
        "\"fix\":{\"text\":\"a fix that takes more than there is room for, and "
        "that would be wrong if half of it were offered\",\"line\":3}},"
        "{\"message\":\"m\",\"kind\":\"test\",\"rule\":\"t\",\"why\":"
        "\"a\\nb\\nc\\nd\\ne\\nf\\ng\\nh\\ni\\nj\\nk\\nl\\nm\\nn\\no\\np\\nq\\n"
        "r"
        "\\nr\\ns\\nt\\nu\\nv\\nw\\nx\\ny\\nz\\na\\nb\\nc\\nd\\ne\\nf\"}");
    const struct comment_style small = {SUGGESTION_GITHUB, 130, NULL, NULL};
    struct remark first = remark_of(world, 0), second = remark_of(world, 1);
    CLEANUP(mem) char *body = comment_write(&first, &small);
    CLEANUP(mem) char *test = comment_write(&second, &small);

    (void)state;
    assert_non_null(first.suggestion);
    assert_null(strstr(body, "suggestion"));
    assert_null(strstr(body, "too long"));
    assert_non_null(
        strstr(test, "**Failed test** \xc2\xb7 review \xc2\xb7 `t`"));
    assert_non_null(strstr(test, "```text\na\nb\n"));
    assert_non_null(strstr(test, "\n```\n\nThis was too long; all of it is in "
                                 "the log."));
    assert_true(markdown_count(test, strlen(test)) <= 130);
}

static bool no_infos(void *arg, const struct finding *finding)
{
    (void)arg;
    return finding->severity != FINDING_INFO;
}

static void test_summary(void **state)
{
    CLEANUP(world)
    struct world *world = world_new(
        "{\"message\":\"w|1\\nmore\",\"path\":\"a|b.js\",\"line\":3,"
        "\"end_line\":5,\"rule\":\"r\"},"
        "{\"message\":\"e1\",\"path\":\"c.js\",\"severity\":\"error\"},"
        "{\"message\":\"i1\",\"severity\":\"info\"},"
        "{\"message\":\"e2 @x\",\"severity\":\"error\",\"path\":\"d\","
        "\"line\":1},"
        "{\"message\":\"t\",\"rule\":\"t\",\"kind\":\"test\","
        "\"severity\":\"error\"}");
    const struct summary_spec spec = {
        "o/r test", "Tests of `main` @x", 4, 65536, no_infos, NULL};
    const struct summary_spec few = {"k", "T", 2, 65536, NULL, NULL};
    CLEANUP(mem) char *body = NULL;
    CLEANUP(mem) char *second = NULL;

    (void)state;
    world->findings->passed = 1;
    world->findings->failed = 1;
    body = summary_write(world->findings, &spec);
    assert_string_equal(
        body, "<!-- berth:summary o/r%20test -->\n"
              "### Tests of `main` @\xe2\x80\x8bx\n\n"
              "2 errors, 1 warning, 1 note; 1 test passed, 1 failed.\n\n"
              "| | Where | What |\n|---|---|---|\n"
              "| Error | `c.js` | e1 |\n"
              "| Error | `d:1` | e2 @\xe2\x80\x8bx |\n"
              "| Failed test |  | `t`  |\n"
              "| Warning | `a\\|b.js:3-5` | `r` w\\|1 |\n");
    world->findings->overflow = 7;
    second = summary_write(world->findings, &few);
    assert_non_null(strstr(second, "\n+10 more in the log.\n"));
    assert_non_null(strstr(second, "1 note, 7 more that were not kept; "));
}

static void test_summary_too_long(void **state)
{
    CLEANUP(strbuf) struct strbuf json = STRBUF_INIT;
    CLEANUP(world) struct world *world = NULL;
    CLEANUP(mem) char *body = NULL;
    const struct summary_spec spec = {"k", "T", 1000, 2000, NULL, NULL};
    unsigned more = 0;
    size_t rows = 0;

    (void)state;
    for (int i = 0; i < 500; i++)
        strbuf_addf(&json, "%s{\"message\":\"number %d\"}", i ? "," : "", i);
    world = world_new(json.data);
    body = summary_write(world->findings, &spec);
    assert_true(markdown_count(body, strlen(body)) <= 2000);
    for (const char *p = body; (p = strstr(p, "| Warning |")); p++)
        rows++;
    assert_int_equal(sscanf(strrchr(body, '+'), "+%u more", &more), 1);
    assert_int_equal(rows + more, 500);
    assert_in_range(rows, 20, 70);
}

static void test_summary_of_nothing(void **state)
{
    CLEANUP(world) struct world *world = world_new("");
    const struct summary_spec spec = {"k", "T", 9, 999, NULL, NULL};
    CLEANUP(mem) char *body = summary_write(world->findings, &spec);

    (void)state;
    assert_string_equal(body, "<!-- berth:summary k -->\n### T\n\n"
                              "no findings.\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fixes),
        cmocka_unit_test(test_no_suggestion),
        cmocka_unit_test(test_quotes),
        cmocka_unit_test(test_comment),
        cmocka_unit_test(test_comment_too_long),
        cmocka_unit_test(test_summary),
        cmocka_unit_test(test_summary_too_long),
        cmocka_unit_test(test_summary_of_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
