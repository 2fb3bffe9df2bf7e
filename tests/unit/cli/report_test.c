/* tests/unit/cli/report_test.c - the table at the end. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/report.h"
#include "cli/report_findings.h"
#include "tests/lib/unit.h"

#include <string.h>

static const char result[] =
    "{\"schema\":1,\"state\":\"failed\",\"reason\":\"out_of_memory\","
    "\"message\":\"'unit tests' was killed: out of memory\","
    "\"duration_ms\":15900,\"steps\":["
    "{\"index\":0,\"name\":\"checkout\",\"outcome\":\"passed\","
    "\"exit_code\":0,\"attempts\":1,\"duration_ms\":412,\"cpu_ms\":10,"
    "\"peak_memory_bytes\":1048576},"
    "{\"index\":1,\"name\":\"unit \\u001b[2Jtests\",\"outcome\":\"failed\","
    "\"reason\":\"out_of_memory\",\"message\":\"over the limit\","
    "\"signal\":9,\"attempts\":1,\"duration_ms\":3204,\"cpu_ms\":null,"
    "\"peak_memory_bytes\":null},"
    "{\"index\":2,\"name\":\"publish\",\"outcome\":\"skipped\","
    "\"attempts\":0,\"duration_ms\":0}],"
    "\"usage\":{\"peak_memory_bytes\":1073741824,\"cpu_ms\":9100,"
    "\"oom_kills\":1},\"sandbox\":{\"instance_type\":\"basic\"}}";

static char *report(const char *json, bool verbose)
{
    struct report_options options = {.style = {.ascii = true},
                                     .verbose = verbose};
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;
    json_t *doc = json_loads(json, 0, NULL);

    assert_non_null(doc);
    report_add(doc, &options, &out);
    json_decref(doc);
    return strbuf_take(&out);
}

static void test_report(void **state)
{
    CLEANUP(mem) char *got = report(result, false);

    (void)state;
    assert_string_equal(
        got, "step        outcome         duration\n"
             "checkout    + passed          412 ms\n"
             "unit tests  x failed           3.2 s  out of memory\n"
             "publish     - skipped              -\n"
             "failed in 15.9 s - peak memory 1 GiB - cpu 9.1 s\n"
             "\n"
             "x unit tests: out of memory\n"
             "  over the limit\n"
             "\n"
             "why:  'unit tests' was killed: out of memory\n"
             "next: choose a larger instance_type, or use less memory\n");
}

static void test_verbose(void **state)
{
    CLEANUP(mem) char *got = report(result, true);

    (void)state;
    assert_non_null(strstr(
        got, "step        outcome         duration          cpu    memory\n"
             "checkout    + passed          412 ms        10 ms     1 MiB\n"
             "unit tests  x failed           3.2 s            -         -  "
             "out of memory\n"));
}

static void test_passed(void **state)
{
    CLEANUP(mem)
    char *got = report("{\"state\":\"passed\",\"reason\":null,\"message\":null,"
                       "\"duration_ms\":90,\"steps\":[]}",
                       false);

    (void)state;
    assert_string_equal(got, "passed in 90 ms\n");
}

/* Of a job of a queue the advice is for who is far from its worker. */
static void test_afar(void **state)
{
    const struct report_options options = {.job_id = "j1"};
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;
    json_t *lost =
        json_pack("{s:s, s:s}", "state", "failed", "reason", "worker_lost");

    (void)state;
    report_add(lost, &options, &out);
    json_decref(lost);
    assert_non_null(strstr(out.data, "run it again: berth retry j1\n"));
}

static json_t *finding(const char *path, int line, const char *severity,
                       const char *message)
{
    return json_pack("{s:s, s:s, s:i, s:i, s:s, s:s}", "kind", "issue", "path",
                     path, "line", line, "column", line, "severity", severity,
                     "message", message);
}

static char *report_of(json_t *list, int overflow)
{
    json_t *found =
        json_pack("{s:o, s:i, s:{s:i, s:i, s:i}}", "findings", list, "overflow",
                  overflow, "tests", "passed", 2, "failed", 0, "skipped", 1);
    json_t *steps = json_pack("[{}, {s:o}]", "findings", found);
    const struct style style = {.ascii = true};
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;

    assert_non_null(steps);
    report_findings_add(steps, &style, &out);
    json_decref(steps);
    return strbuf_take(&out);
}

static void test_findings(void **state)
{
    CLEANUP(mem)
    char *got = report_of(
        json_pack("[o, o, {s:s, s:s, s:s}]",
                  finding("a\nb.c", 0, "warning", "x\x1b[2Jy\nz"),
                  finding("a/b.c", 7, "error", "wrong"), "rule", "no place",
                  "severity", "info", "message", "somewhere"),
        0);
    CLEANUP(mem) char *none = report_of(json_array(), 0);

    (void)state;
    assert_string_equal(got, "\nfound: 1 error, 1 warning, 1 info; "
                             "tests: 2 passed, 1 skipped\n"
                             "  a/b.c:7:7: error: wrong\n"
                             "  a b.c: warning: xy z\n"
                             "  no place: info: somewhere\n");
    assert_string_equal(none, "\nfound: nothing; tests: 2 passed, 1 skipped\n");
}

static void test_many_findings(void **state)
{
    json_t *list = json_array();
    CLEANUP(mem) char *got = NULL;
    unsigned lines = 0;

    (void)state;
    for (int i = 1; i < 50; i++)
        json_array_append_new(list, finding("a.c", i, "warning", "w"));
    json_array_append_new(list, finding("last.c", 1, "error", "e"));
    got = report_of(list, 5);
    for (const char *s = got; (s = strchr(s, '\n')); s++)
        lines++;
    assert_int_equal(lines, 2 + REPORT_MAX_FINDINGS + 1);
    assert_non_null(strstr(got, "found: 1 error, 49 warnings, 5 left out;"));
    assert_non_null(strstr(got, "1 skipped\n  last.c:1:1: error: e\n"));
    assert_non_null(strstr(got, "\n  +35 more\n"));
}

/* Nothing of a document may be taken for granted. */
static void test_strange(void **state)
{
    static const char *const documents[] = {
        "{}",
        "[]",
        "{\"steps\":[1,null,{},[]],\"reason\":7,\"state\":[]}",
        "{\"steps\":{\"a\":1},\"reason\":\"no such reason\"}",
        "{\"steps\":[{\"findings\":[1]}]}",
        "{\"steps\":[{\"findings\":{\"findings\":[1,{},{\"line\":-1}]}}]}",
        "{\"steps\":[{\"index\":-1,\"outcome\":\"failed\",\"name\":\"\"}]}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(documents); i++) {
        CLEANUP(mem) char *got = report(documents[i], true);

        assert_true(strlen(got) > 0);
    }
}

static void test_exit_status(void **state)
{
    (void)state;
    assert_int_equal(report_exit_status("passed", NULL), 0);
    assert_int_equal(report_exit_status("failed", "step_failed"), 1);
    assert_int_equal(report_exit_status("failed", "timed_out"), 1);
    assert_int_equal(report_exit_status("failed", "out_of_memory"), 1);
    assert_int_equal(report_exit_status("failed", "sandbox_failed"), 3);
    assert_int_equal(report_exit_status("failed", "worker_lost"), 3);
    assert_int_equal(report_exit_status("failed", "a new word"), 3);
    assert_int_equal(report_exit_status("failed", NULL), 1);
    assert_int_equal(report_exit_status("cancelled", "cancelled"), 130);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_report),   cmocka_unit_test(test_verbose),
        cmocka_unit_test(test_passed),   cmocka_unit_test(test_afar),
        cmocka_unit_test(test_findings), cmocka_unit_test(test_many_findings),
        cmocka_unit_test(test_strange),  cmocka_unit_test(test_exit_status),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
