/* tests/unit/worker/checkout/modules_test.c - reading .gitmodules. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/checkout/modules.h"

#include "base/strbuf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int parse(const char *text, struct modules *modules, struct err *err)
{
    return modules_parse(text, strlen(text), modules, err);
}

static void test_good(void **state)
{
    static const char text[] = "\xef\xbb\xbf# a comment\n"
                               "[submodule \"one\"]\n"
                               "\tpath = lib/one\n"
                               "\turl = ../one.git ; why\n"
                               "[include]\n\tpath = /etc/passwd\n"
                               "[submodule \"odd \\\"name\\\\\"] \r\n"
                               "  PATH=\"with space\"/x\r\n"
                               "  url = \"https://h/a;b#c\"\n"
                               "  branch = x\n"
                               "  shallow\n"
                               "[Submodule \"one\"] ignore = all\n"
                               "[submodule \"three\"]\n url = a\\\nb\n";
    CLEANUP(modules) struct modules m = {0};
    struct err err = {0};

    (void)state;
    if (parse(text, &m, &err) < 0)
        fail_msg("%s", err.msg);
    assert_int_equal(m.count, 3);
    assert_string_equal(modules_at(&m, "lib/one")->url, "../one.git");
    assert_string_equal(modules_at(&m, "with space/x")->name, "odd \"name\\");
    assert_string_equal(modules_at(&m, "with space/x")->url, "https://h/a;b#c");
    assert_null(modules_at(&m, "/etc/passwd"));
    assert_string_equal(m.items[2].url, "ab");
    assert_null(m.items[2].path);
}

static void test_bad(void **state)
{
    static const struct {
        const char *text;
        const char *says;
    } cases[] = {
        {"[submodule \"x\"]\n\tpath = a\n\turl = -u./x\n", "line 4"},
        {"[submodule \"x\"]\n path = -x\n", "begins with '-'"},
        {"[submodule \"x\"]\n path = ../x\n", "path is refused"},
        {"[submodule \"x\"]\n path = /x\n", "path is refused"},
        {"[submodule \"x\"]\n path = a/.git/b\n", "path is refused"},
        {"[submodule \"x\"]\n path =\n", "path is refused"},
        {"[submodule \"../x\"]\n", "name is refused"},
        {"[submodule \"a/../../x\"]\n", "name is refused"},
        {"[submodule \"a\\\\..\\\\x\"]\n", "name is refused"},
        {"[submodule \"/x\"]\n", "name is refused"},
        {"[submodule]\n", "name is refused"},
        {"[submodule \"x\n\"]\n", "malformed"},
        {"[submodule \"x\"\n", "must be [submodule"},
        {"[submodule \"x\"]\n url = \"x\n", "not closed"},
        {"[submodule \"x\"]\n url = a\\qb\n", "escape"},
        {"[submodule \"x\"]\n url = a\x01\n", "control character"},
        {"=x\n", "neither"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct modules m = {0};
        struct err err = {0};

        if (parse(cases[i].text, &m, &err) == 0)
            fail_msg("taken: %s", cases[i].text);
        assert_int_equal(err.kind, ERR_USER);
        if (!strstr(err.msg, cases[i].says))
            fail_msg("%s: %s", cases[i].text, err.msg);
    }
}

static void test_bounds(void **state)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    struct modules m = {0};
    struct err err = {0};

    (void)state;
    for (int i = 0; i < MODULES_MAX; i++)
        strbuf_addf(&text, "[submodule \"%d\"]\n", i);
    assert_int_equal(parse(text.data, &m, &err), 0);
    modules_clear(&m);
    strbuf_adds(&text, "[submodule \"more\"]\n");
    assert_int_equal(parse(text.data, &m, &err), -1);
    while (text.len <= MODULES_MAX_BYTES)
        strbuf_adds(&text, "\n");
    assert_int_equal(parse(text.data, &m, &err), -1);
    assert_non_null(strstr(err.msg, "too large"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
