/* tests/unit/cli/report_test.c - the table at the end. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/report.h"
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

/* Nothing of a document may be taken for granted. */
static void test_strange(void **state)
{
    static const char *const documents[] = {
        "{}",
        "[]",
        "{\"steps\":[1,null,{},[]],\"reason\":7,\"state\":[]}",
        "{\"steps\":{\"a\":1},\"reason\":\"no such reason\"}",
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
        cmocka_unit_test(test_report),  cmocka_unit_test(test_verbose),
        cmocka_unit_test(test_passed),  cmocka_unit_test(test_afar),
        cmocka_unit_test(test_strange), cmocka_unit_test(test_exit_status),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
