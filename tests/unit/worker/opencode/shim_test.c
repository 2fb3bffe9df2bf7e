/* tests/unit/worker/opencode/shim_test.c - arguments, events, names. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/unit.h"

#include "base/proc.h"
#include "worker/opencode/events.h"
#include "worker/opencode/shim.h"
#include "worker/opencode/tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct shim_call call;
static struct err err;

#define PARSE(...)                                                             \
    parse((const char *const[]){__VA_ARGS__, NULL},                            \
          sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static int parse(const char *const *argv, size_t argc)
{
    shim_call_clear(&call);
    return shim_parse((int)argc, argv, &call, &err);
}

static void test_the_older(void **state)
{
    (void)state;
    assert_int_equal(PARSE("-p", "Review \"this\""), 0);
    assert_int_equal(call.kind, SHIM_ASK);
    assert_string_equal(call.prompt.data, "Review \"this\"");
    assert_false(call.wrap);
    assert_int_equal(
        PARSE("-q", "-f", "json", "-c", "/src", "--prompt=x", "-m", "a/b"), 0);
    assert_true(call.wrap);
    assert_true(call.has_model);
    assert_string_equal(call.cwd, "/src");
    assert_string_equal(call.prompt.data, "x");
    assert_int_equal(PARSE("-p", "x", "-f", "xml"), -1);
    assert_int_equal(PARSE("-p", "x", "--strange"), -1);
    assert_non_null(strstr(err.msg, "--strange"));
    assert_int_equal(PARSE("-p"), 0);
    assert_int_equal(call.prompt.len, 0);
}

static void test_the_newer(void **state)
{
    (void)state;
    assert_int_equal(PARSE("run", "a", "b", "--format", "json", "--title", "t",
                           "-f", "file", "--share", "--", "-c"),
                     0);
    assert_string_equal(call.prompt.data, "a b -c");
    assert_true(call.events);
    assert_true(call.has_title);
    assert_false(call.has_model);
    assert_int_equal(call.rest.count, 5);
    assert_string_equal(call.rest.items[3], "file");
    assert_int_equal(PARSE("run", "--format=json", "--model=x", "go"), 0);
    assert_true(call.events);
    assert_true(call.has_model);
    assert_int_equal(PARSE("run", "--format", "xml"), -1);
}

static void test_all_else(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--version"), 0);
    assert_int_equal(call.kind, SHIM_PASS);
    assert_int_equal(PARSE("models"), 0);
    assert_int_equal(call.kind, SHIM_PASS);
    assert_int_equal(PARSE("serve"), 0);
    assert_int_equal(call.kind, SHIM_INTERACTIVE);
    assert_int_equal(PARSE("."), 0);
    assert_int_equal(call.kind, SHIM_INTERACTIVE);
    assert_int_equal(parse((const char *const[]){NULL}, 0), 0);
    assert_int_equal(call.kind, SHIM_ASK);
}

/* ---- events -------------------------------------------------------------- */

static int feed(struct events *events, const char *text)
{
    return events_feed(events, text, strlen(text), &err);
}

static void test_events(void **state)
{
    struct events e;

    (void)state;
    events_init(&e);
    assert_int_equal(
        feed(&e, "{\"type\":\"step_start\"}\n{\"type\":\"text\",\"part\":{"
                 "\"text\":\"Let me look\"}}\n{\"type\":\"tool_use\"}\nno "
                 "JSON\n{\"type\":\"step_finish\",\"part\":{\"reason\":"
                 "\"tool-calls\",\"tokens\":{\"input\":10,\"output\":2}}}\n"
                 "{\"type\":\"step_start\"}\n{\"type\":\"te"),
        0);
    assert_int_equal(events_check(&e, 0, &err), -1);
    assert_int_equal(
        feed(&e, "xt\",\"part\":{\"text\":\"Done\"}}\n{\"type\":\"new\"}\n"
                 "{\"type\":\"step_finish\",\"part\":{\"reason\":\"stop\","
                 "\"tokens\":{\"input\":5,\"output\":1,\"cache\":{\"read\":4}},"
                 "\"cost\":0.5}}\n"),
        0);
    assert_int_equal(events_check(&e, 0, &err), 0);
    assert_string_equal(e.text.data, "Done");
    assert_int_equal(events_check(&e, 1, &err), -1);
    events_clear(&e);
}

static void test_events_that_are_no_answer(void **state)
{
    struct events e;
    char big[4096];

    (void)state;
    events_init(&e);
    assert_int_equal(
        feed(&e, "{\"type\":\"step_start\"}\n{\"type\":\"text\",\"part\":{"
                 "\"text\":\"half\"}}\n{\"type\":\"step_finish\",\"part\":{"
                 "\"reason\":\"length\"}}\n"),
        0);
    assert_int_equal(events_check(&e, 0, &err), -1);
    assert_non_null(strstr(err.msg, "limit of output"));
    assert_int_equal(
        feed(&e, "{\"type\":\"error\",\"error\":{\"name\":\"APIError\","
                 "\"data\":{\"message\":\"no key\"}}}\n"),
        0);
    assert_int_equal(events_check(&e, 1, &err), -1);
    assert_string_equal(err.msg, "APIError: no key");
    events_clear(&e);

    events_init(&e);
    (void)snprintf(big, sizeof(big),
                   "{\"type\":\"text\",\"part\":{\"text\":\"%04000d\"}}\n", 7);
    while (feed(&e, big) == 0)
        assert_true(e.bytes < EVENTS_MAX_BYTES);
    assert_true(e.text.len <= EVENTS_MAX_TEXT);
    events_clear(&e);
}

static void test_names(void **state)
{
    (void)state;
    assert_true(tree_is_left_out(".git"));
    assert_true(tree_is_left_out(".OpenCode"));
    assert_true(tree_is_left_out("opencode.jsonc"));
    assert_true(tree_is_left_out("agents.md"));
    assert_true(tree_is_left_out("CLAUDE.md"));
    assert_true(tree_is_left_out("CONTEXT.md"));
    assert_true(tree_is_left_out(".env.production"));
    assert_false(tree_is_left_out("environment.js"));
    assert_false(tree_is_left_out(".github"));
    assert_false(tree_is_left_out("README.md"));
}

/* ---- the older program --------------------------------------------------- */

/* What a stand-in for it answers, or what is said in its place. */
static char *ask_legacy(const char *tools)
{
    CLEANUP(mem) char *shim = proc_libexec("opencode");
    const char *const argv[] = {
        "sh",
        "-c",
        "dir=$(mktemp -d); printf '#!/bin/sh\\necho ran\\n' >$dir/old\n"
        "chmod +x $dir/old; export HOME=$dir BERTH_OPENCODE=$dir/old\n"
        "export BERTH_OPENCODE_DIALECT=legacy\n"
        "[ \"$2\" = - ] || export BERTH_OPENCODE_TOOLS=\"$2\"\n"
        "\"$1\" run hello </dev/null 2>&1; rm -r \"$dir\"",
        "sh",
        shim,
        tools,
        NULL};
    struct strbuf out = STRBUF_INIT;

    if (proc_run(argv, 30000, &out, &err) < 0)
        fail_msg("%s", err.msg);
    return strbuf_take(&out);
}

/* It would use them all. */
static void test_legacy_tools(void **state)
{
    static const char *const kept[] = {
        "read grep glob", "read", "read grep glob list edit write",
        "read grep glob list bashful edit write"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        CLEANUP(mem) char *said = ask_legacy(kept[i]);

        assert_null(strstr(said, "ran"));
        assert_non_null(strstr(said, "cannot be kept from using "));
    }
    for (size_t i = 0; i < 2; i++) {
        CLEANUP(mem)
        char *said =
            ask_legacy(i ? "read grep glob list bash edit write" : "-");

        assert_string_equal(said, "ran\n");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_older),
        cmocka_unit_test(test_the_newer),
        cmocka_unit_test(test_all_else),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_events_that_are_no_answer),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_legacy_tools),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    shim_call_clear(&call);
    return failed;
}
