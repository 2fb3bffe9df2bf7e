/* tests/unit/scheduler/forge/command_test.c - commands in comments. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/forge/command.h"

#include "tests/lib/unit.h"

#include <stdio.h>
#include <string.h>

/* The commands of a comment as "test review", or "error". */
static void check(const char *text, const char *want)
{
    struct command_list list = {.count = 0};
    struct err err = {0};
    char got[64] = "";

    if (command_parse(text, strlen(text), &list, &err) < 0) {
        assert_int_equal(err.kind, ERR_USER);
        (void)snprintf(got, sizeof(got), "error");
    }
    for (size_t i = 0; i < list.count; i++)
        (void)snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s",
                       i ? " " : "", command_name(list.items[i]));
    if (strcmp(got, want) != 0)
        fail_msg("'%s': '%s', not '%s'", text, got, want);
}

static void test_commands(void **state UNUSED)
{
    check("/berth test", "test");
    check("/berth   cancel \t\r\n", "cancel");
    check("x\n/berth retry\ny\n/berth review\n/berth retry", "retry review");
    check("/berth test\n/berth review\n/berth cancel\n/berth retry\n"
          "/berth test",
          "test review cancel retry");
    check("", "");
    check("/bert", "");
    check("/berths", "");
    check("/berth-test", "");
    check(" /berth test", "");
    check("> /berth test", "");
    check("do /berth test", "");
}

static void test_approvals(void **state UNUSED)
{
    static const char text[] = "/berth approve  0123456789AB \n"
                               "/berth test\n/berth approve 0123456789ab";
    struct command_list list = {.count = 0};

    assert_int_equal(command_parse(text, strlen(text), &list, NULL), 0);
    assert_int_equal(list.count, 2);
    assert_int_equal(list.items[0], COMMAND_APPROVE);
    assert_string_equal(list.approved, "0123456789ab");
    check("/berth approve 0123456789012345678901234567890123456789", "approve");
    check("/berth approve 01234567890123456789012345678901234567890", "error");
    check("/berth approve 0123456789a", "error");
    check("/berth approve 0123456789ag", "error");
    check("/berth approve", "error");
    check("/berth approve 0123456789ab x", "error");
    check("/berth approve 0123456789ab\n/berth approve 1123456789ab", "error");
}

static void test_mistakes(void **state UNUSED)
{
    check("/berth", "error");
    check("/berth ", "error");
    check("/berth Test", "error");
    check("/berth tests", "error");
    check("/berth test review", "error");
    check("/berth test\n/berth x", "error");
}

static void test_examples(void **state UNUSED)
{
    check("```\n/berth test\n```\n/berth review", "review");
    check("~~~ sh\n/berth test\n```\n/berth test\n~~~~\n/berth retry", "retry");
    check("````\n```\n/berth test\n````", "");
    check("``` a`b\n/berth test", "test");
    check("```\n/berth test", "");
    check("    ```\n/berth test", "test");
    check("<!--\n/berth test\n-->\n/berth review", "review");
    check("<!-- x --> y\n/berth test", "test");
    check("<!-- x --><!--\n/berth test", "");
    check("```\n<!--\n```\n/berth test", "test");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_approvals),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_examples),
    };

    return cmocka_run_group_tests_name("scheduler/forge/command", tests, NULL,
                                       NULL);
}
