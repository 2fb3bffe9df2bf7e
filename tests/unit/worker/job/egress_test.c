/* tests/unit/worker/job/egress_test.c - what a job's gateway is told. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/unit.h"
#include "worker/job/egress.h"
#include "worker/job/scope.h"
#include "worker/sandbox/drivers.h"

#include <stdlib.h>
#include <string.h>

static struct job_start *start_of(const char *network, const char *more)
{
    CLEANUP(mem)
    char *text = xasprintf(
        "{\"job_id\": \"a\", %s \"pipeline\": {\"sandbox\": {\"network\": "
        "%s}, \"steps\": [{\"run\": \"true\"}]}}",
        more, network);
    struct job_start *start = NULL;
    struct err err = {0};

    if (job_start_parse(text, strlen(text), &start, &err) < 0)
        fail_msg("%s: %s", text, err.msg);
    return start;
}

static void assert_setup(const char *network, const char *more,
                         const char *wanted)
{
    CLEANUP(job_start) struct job_start *start = start_of(network, more);
    struct err err = {0};
    json_t *setup = egress_setup(start, &err);
    json_t *expected = json_loads(wanted, 0, NULL);

    assert_non_null(expected);
    if (!json_equal(setup, expected))
        fail_msg("%s: %s", json_dumps(setup, 0), err.msg);
    json_decref(setup);
    json_decref(expected);
}

static void test_setup(void **state UNUSED)
{
    (void)setenv("npm_config_registry", "https://npm.example:8443/x/", 1);
    assert_setup("[\"npm\", \"*.a.example\"]", "",
                 "{\"hosts\": [\"npm.example:8443\", \"*.a.example\"],"
                 " \"listed\": \"npm, *.a.example\"}");
    (void)setenv("npm_config_registry", "http://npm.example", 1);
    assert_setup("[\"npm\"]",
                 "\"gateway\": {\"allow_addresses\": [\"10.0.0.0/8\"],"
                 " \"fork_hosts\": [\"b.example\"], \"max_bytes\": 5,"
                 " \"hosts\": [\"evil.example\"]}, \"inject\": [1],",
                 "{\"hosts\": [\"npm.example\"], \"listed\": \"npm\","
                 " \"allow_addresses\": [\"10.0.0.0/8\"],"
                 " \"max_bytes\": 5, \"inject\": [1]}");
}

/* The registry may be anywhere on the site: that host, and no other. */
static void test_own(void **state UNUSED)
{
    (void)setenv("npm_config_registry", "https://npm.example:8443/x/", 1);
    assert_setup("[\"npm\"]", "\"gateway\": {\"allow_addresses\": [\"npm\"]},",
                 "{\"hosts\": [\"npm.example:8443\"], \"listed\": \"npm\","
                 " \"own_hosts\": [\"npm.example:8443\"]}");
    assert_setup("[\"npm\"]",
                 "\"gateway\": {\"allow_addresses\": [\"10.0.0.0/8\", "
                 "\"npm\"]},",
                 "{\"hosts\": [\"npm.example:8443\"], \"listed\": \"npm\","
                 " \"allow_addresses\": [\"10.0.0.0/8\"],"
                 " \"own_hosts\": [\"npm.example:8443\"]}");
    /* One that is of no use keeps no other host away. */
    (void)setenv("npm_config_registry", "http://10.0.0.1:4873/", 1);
    assert_setup("[\"a.example\"]",
                 "\"gateway\": {\"allow_addresses\": [\"npm\"]},",
                 "{\"hosts\": [\"a.example\"], \"listed\": \"a.example\"}");
}

static void test_fork(void **state UNUSED)
{
    (void)setenv("npm_config_registry", "https://npm.example/", 1);
    assert_setup("[\"a.example\"]",
                 "\"trust\": \"fork\", \"inject\": [1], \"gateway\":"
                 " {\"fork_hosts\": [\"npm\", \"b.example\"]},",
                 "{\"hosts\": [\"a.example\"], \"listed\": \"a.example\","
                 " \"within\": [\"npm.example\", \"b.example\"]}");
    /* Without a smaller list the same as for others. */
    assert_setup("[\"a.example\"]",
                 "\"trust\": \"fork\", \"gateway\": {\"fork_hosts\": []},",
                 "{\"hosts\": [\"a.example\"], \"listed\": \"a.example\"}");
}

static void test_bad_registry(void **state UNUSED)
{
    CLEANUP(job_start) struct job_start *start = start_of("[\"npm\"]", "");
    struct err err = {0};

    (void)setenv("npm_config_registry", "http://10.0.0.1:4873/", 1);
    assert_null(egress_setup(start, &err));
    assert_int_equal(err.kind, ERR_USER);
    assert_non_null(strstr(err.msg, "preset 'npm'"));
}

static void check(const char *network, const char *more,
                  const struct sandbox_driver *driver, const char *says)
{
    CLEANUP(job_start) struct job_start *start = start_of(network, more);
    struct err err = {0};

    if (egress_check(start, driver, &err) != (says ? -1 : 0))
        fail_msg("%s %s: %s", network, more, err.msg);
    if (says && !strstr(err.msg, says))
        fail_msg("%s", err.msg);
}

#define FORK          "\"trust\": \"fork\","
#define RUNTIME(path) "\"runtime\": \"" path "\","
#define NARROWED      "\"gateway\": {\"fork_hosts\": [\"npm\"]},"

/* Where a list cannot be held to, it is refused, never open. */
static void test_check(void **state UNUSED)
{
    const struct sandbox_driver deaf = {.name = "kata"};

    check("\"full\"", FORK NARROWED, &sandbox_oci, "gateway.fork_hosts");
    check("\"full\"", FORK, &sandbox_oci, NULL);
    check("\"full\"", NARROWED, &sandbox_oci, NULL);
    check("\"none\"", FORK NARROWED, &sandbox_oci, NULL);
    check("[\"npm\"]", FORK NARROWED, &sandbox_oci, NULL);
    check("[\"npm\"]", "", &deaf, "'kata' cannot");
    check("[\"npm\"]", RUNTIME("/usr/bin/runc"), &sandbox_oci, NULL);
    check("[\"npm\"]", RUNTIME("/usr/bin/runsc"), &sandbox_oci,
          "'/usr/bin/runsc' cannot");
    check("\"full\"", RUNTIME("/usr/bin/runsc"), &sandbox_oci, NULL);
    (void)setenv(RUNTIME_VARIABLE, "/usr/bin/runsc", 1);
    check("[\"npm\"]", "", &sandbox_oci, "'/usr/bin/runsc' cannot");
    check("[\"npm\"]", RUNTIME("crun"), &sandbox_oci, NULL);
    check("[\"npm\"]", "", &sandbox_docker, NULL);
    (void)unsetenv(RUNTIME_VARIABLE);
    check("\"full\"", "", &deaf, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_setup), cmocka_unit_test(test_own),
        cmocka_unit_test(test_fork),  cmocka_unit_test(test_bad_registry),
        cmocka_unit_test(test_check),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
