/* tests/unit/cli/options_test.c - the option parser and its help. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/options.h"
#include "tests/lib/unit.h"

#include <stdio.h>
#include <string.h>

struct values {
    const char *repo;
    struct strv inputs;
    bool json;
    bool quiet;
};

static const struct option_def table[] = {
    {"repo", 'r', "PATH", "the repository", OPTION_STRING,
     offsetof(struct values, repo)},
    {"input", 'i', "NAME=VALUE", "an input;\nmay be repeated", OPTION_LIST,
     offsetof(struct values, inputs)},
    {"json", 0, NULL, "print JSON", OPTION_FLAG, offsetof(struct values, json)},
    {"quiet", 'q', NULL, "print less", OPTION_FLAG,
     offsetof(struct values, quiet)},
};

static const struct command command = {
    .name = "demo",
    .operands = "FILE",
    .summary = "Do something.",
    .details = "More words.",
    .options = table,
    .option_count = ARRAY_LEN(table),
    .min_operands = 1,
    .max_operands = 2,
};

struct parsed {
    struct values values;
    struct strv operands;
    struct err err;
    int rc;
};

static void parsed_freep(struct parsed *parsed)
{
    strv_clear(&parsed->values.inputs);
    strv_clear(&parsed->operands);
}

/* Parse words parted by blanks. */
static struct parsed parse(const char *line)
{
    static char copy[4096];
    char *argv[1024] = {NULL};
    struct parsed parsed = {0};
    int argc = 0;
    char *save = NULL;

    argv[argc++] = (char *)(uintptr_t) "demo";
    (void)snprintf(copy, sizeof(copy), "%s", line);
    for (char *word = strtok_r(copy, " ", &save); word;
         word = strtok_r(NULL, " ", &save))
        argv[argc++] = word;
    parsed.rc = options_parse(&command, argc, argv, &parsed.values,
                              &parsed.operands, &parsed.err);
    return parsed;
}

static void test_good(void **state)
{
    static const struct {
        const char *line;
        const char *repo;
        unsigned inputs;
        bool json, quiet;
        unsigned operands;
    } cases[] = {
        {"f", NULL, 0, false, false, 1},
        {"f --repo x", "x", 0, false, false, 1},
        {"--repo=x f", "x", 0, false, false, 1},
        {"--repo= f", "", 0, false, false, 1},
        {"-r x f", "x", 0, false, false, 1},
        {"-rx f", "x", 0, false, false, 1},
        {"-qrx f", "x", 0, false, true, 1},
        {"-qr x f g", "x", 0, false, true, 2},
        {"-q --json -- -r --repo", NULL, 0, true, true, 2},
        {"--repo --json f", "--json", 0, false, false, 1},
        {"-i a=1 f --input b=2 -ic=3", NULL, 3, false, false, 1},
        {"-", NULL, 0, false, false, 1},
        {"-q -q f", NULL, 0, false, true, 1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(parsed) struct parsed p = parse(cases[i].line);

        if (p.rc != 0)
            fail_msg("'%s': %s", cases[i].line, p.err.msg);
        if (cases[i].repo)
            assert_string_equal(p.values.repo, cases[i].repo);
        else
            assert_null(p.values.repo);
        assert_int_equal(p.values.inputs.count, cases[i].inputs);
        assert_int_equal(p.values.json, cases[i].json);
        assert_int_equal(p.values.quiet, cases[i].quiet);
        assert_int_equal(p.operands.count, cases[i].operands);
    }
}

static void test_bad(void **state)
{
    static const struct {
        const char *line;
        const char *wanted;
    } cases[] = {
        {"", "'berth demo' needs FILE"},
        {"a b c", "unexpected argument 'c'"},
        {"f --rep x", "unknown option '--rep'; did you mean '--repo'?"},
        {"f --rpeo=x", "unknown option '--rpeo'; did you mean '--repo'?"},
        {"f --JSON", "unknown option '--JSON'; did you mean '--json'?"},
        {"f --hlep", "unknown option '--hlep'; did you mean '--help'?"},
        {"f --zzzzz", "unknown option '--zzzzz'"},
        {"f -json", "unknown option '-json'; did you mean '--json'?"},
        {"f -z", "unknown option '-z'"},
        {"f -qz", "unknown option '-z'"},
        {"f --repo", "option '--repo' needs PATH behind it"},
        {"f -r", "option '-r' needs PATH behind it"},
        {"f --json=1", "option '--json' takes no value"},
        {"f --repo a --repo b", "option '--repo' is given twice"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(parsed) struct parsed p = parse(cases[i].line);

        assert_int_equal(p.rc, -1);
        assert_int_equal(p.err.kind, ERR_USER);
        assert_string_equal(p.err.msg, cases[i].wanted);
    }
}

static void test_help(void **state)
{
    static const char *const lines[] = {"--help", "-h", "f -qh",
                                        "--json --help --zzz"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        CLEANUP(parsed) struct parsed p = parse(lines[i]);

        assert_int_equal(p.rc, OPTIONS_HELP);
    }
}

static void test_help_text(void **state)
{
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;

    (void)state;
    options_help(&command, &out);
    assert_string_equal(out.data,
                        "usage: berth demo FILE [options]\n"
                        "\n"
                        "Do something.\n"
                        "\n"
                        "options:\n"
                        "  -r, --repo PATH         the repository\n"
                        "  -i, --input NAME=VALUE  an input;\n"
                        "                          may be repeated\n"
                        "      --json              print JSON\n"
                        "  -q, --quiet             print less\n"
                        "  -h, --help              show this help and exit\n"
                        "\n"
                        "More words.\n");
}

static void test_list_bound(void **state)
{
    CLEANUP(strbuf) struct strbuf line = STRBUF_INIT;

    (void)state;
    for (unsigned i = 0; i <= OPTION_LIST_MAX; i++)
        strbuf_adds(&line, "-ia=1 ");
    {
        CLEANUP(parsed) struct parsed p = parse(line.data);

        assert_int_equal(p.rc, -1);
        assert_string_equal(p.err.msg, "option '-i' is given over 256 times");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),       cmocka_unit_test(test_bad),
        cmocka_unit_test(test_help),       cmocka_unit_test(test_help_text),
        cmocka_unit_test(test_list_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
