/* tests/unit/cli/env_file_test.c - KEY=VALUE files. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/env_file.h"
#include "tests/lib/unit.h"

#include "base/strbuf.h"

#include <string.h>

static const struct {
    const char *text;
    const char *wanted; /* entries joined by '|' */
} good[] = {
    {"", ""},
    {"\n\n  \n", ""},
    {"# comment\n  # another\n", ""},
    {"A=1\nB=2", "A=1|B=2"},
    {"A=1\r\nB=2\r\n", "A=1|B=2"},
    {"\xEF\xBB\xBF"
     "A=1\n",
     "A=1"},
    {"  A = 1 \n", "A=1"},
    {"export A=1\nexport\tB=2\n", "A=1|B=2"},
    {"export=1\n", "export=1"},
    {"exported=1\n", "exported=1"},
    {"A=\nB=\"\"\nC=''\n", "A=|B=|C="},
    {"A=a b  c # rest\nB=a#b\nC=#c\n", "A=a b  c|B=a#b|C="},
    {"A=x=y=z\n", "A=x=y=z"},
    {"A=\"x # y\" # rest\n", "A=x # y"},
    {"A=\"a\\nb\\t\\\"c\\\" \\$d \\\\ \\q\"\n", "A=a\nb\t\"c\" $d \\ \\q"},
    {"A='a\\nb $c \"d\"'\n", "A=a\\nb $c \"d\""},
    {"A=\"one\ntwo\"\nB=3\n", "A=one\ntwo|B=3"},
    {"A=$HOME ${X} `id`\n", "A=$HOME ${X} `id`"},
    {"A=1\nA=2\n", "A=2"},
    {"A=\"x\"\r\n", "A=x"},
    {"_a9=1\n", "_a9=1"},
};

static const struct {
    const char *text;
    const char *wanted; /* the message */
} bad[] = {
    {"A\n", "f:1:2: expected '=' behind the name"},
    {"A=1\n  B 2\n", "f:2:5: expected '=' behind the name"},
    {"=1\n", "f:1:1: expected NAME=value"},
    {"9A=1\n", "f:1:1: expected NAME=value"},
    {"A-B=1\n", "f:1:2: expected '=' behind the name"},
    {"export\n", "f:1:7: expected '=' behind the name"},
    {"A=1\nB=\"open\nC=3\n", "f:2:3: the quote is never closed"},
    {"A='\n", "f:1:3: the quote is never closed"},
    {"A=\"x\" y\n", "f:1:7: unexpected text behind the quote"},
    {"A=\"x\ny\" z\n", "f:2:4: unexpected text behind the quote"},
    {"caf\xC3\xA9=1\n", "f:1:4: expected '=' behind the name"},
};

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        CLEANUP(strv) struct strv env = {0};
        CLEANUP(strbuf) struct strbuf got = STRBUF_INIT;
        struct err err = {0};

        if (env_file_parse("f", good[i].text, strlen(good[i].text), &env,
                           &err) < 0)
            fail_msg("'%s': %s", good[i].text, err.msg);
        for (size_t j = 0; j < env.count; j++)
            strbuf_addf(&got, "%s%s", j ? "|" : "", env.items[j]);
        assert_string_equal(got.data, good[i].wanted);
    }
}

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CLEANUP(strv) struct strv env = {0};
        struct err err = {0};

        assert_int_equal(
            env_file_parse("f", bad[i].text, strlen(bad[i].text), &env, &err),
            -1);
        assert_int_equal(err.kind, ERR_USER);
        assert_string_equal(err.msg, bad[i].wanted);
    }
}

static void check_fails(const char *text, size_t len, const char *part)
{
    CLEANUP(strv) struct strv env = {0};
    struct err err = {0};

    assert_int_equal(env_file_parse("f", text, len, &env, &err), -1);
    if (!strstr(err.msg, part))
        fail_msg("'%s' does not hold '%s'", err.msg, part);
}

static void test_bounds(void **state)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;

    (void)state;
    check_fails("A=x\0y\n", 6, "f:1:3: the value holds a NUL");
    for (size_t i = 0; i < 257; i++)
        strbuf_addc(&text, 'N');
    strbuf_adds(&text, "=1\n");
    check_fails(text.data, text.len, "f:1:1: the name is longer");
    strbuf_cut(&text, 0);
    strbuf_adds(&text, "A=");
    while (text.len < ENV_VALUE_MAX + 3)
        strbuf_addc(&text, 's');
    check_fails(text.data, text.len, "f:1:3: the value is longer");
    strbuf_cut(&text, 0);
    for (unsigned i = 0; i <= ENV_FILE_MAX_ENTRIES; i++)
        strbuf_addf(&text, "V%u=1\n", i);
    check_fails(text.data, text.len, "f:513:1: more than 512 variables");
}

/* A message must not hold what may be a secret. */
static void test_no_value_in_messages(void **state)
{
    CLEANUP(strv) struct strv env = {0};
    struct err err = {0};
    static const char text[] = "TOKEN=\"hunter2\" oops\n";

    (void)state;
    assert_int_equal(env_file_parse("f", text, sizeof(text) - 1, &env, &err),
                     -1);
    assert_null(strstr(err.msg, "hunter2"));
    assert_int_equal(env_add_argument("--input", "hunter2", &env, &err), -1);
    assert_null(strstr(err.msg, "hunter2"));
}

static void test_argument(void **state)
{
    static const char *const wrong[] = {"",    "=",     "=v",    "a",
                                        "9=x", "a b=x", "a.b=x", "-a=x"};
    CLEANUP(strv) struct strv entries = {0};
    struct err err = {0};

    (void)state;
    assert_int_equal(env_add_argument("--input", "a=", &entries, &err), 0);
    assert_int_equal(env_add_argument("--input", "b-c=x=y", &entries, &err), 0);
    assert_string_equal(strv_getenv(&entries, "b-c"), "x=y");
    assert_int_equal(env_add_argument("--input", "a=2", &entries, &err), -1);
    assert_string_equal(err.msg, "--input a is given twice");
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_int_equal(env_add_argument("--input", wrong[i], &entries, &err),
                         -1);
    assert_int_equal(entries.count, 2);
}

static void test_missing_file(void **state)
{
    CLEANUP(strv) struct strv env = {0};
    struct err err = {0};

    (void)state;
    assert_int_equal(env_file_load("/nonexistent/env", &env, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    assert_non_null(strstr(err.msg, "/nonexistent/env"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_no_value_in_messages),
        cmocka_unit_test(test_argument),
        cmocka_unit_test(test_missing_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
