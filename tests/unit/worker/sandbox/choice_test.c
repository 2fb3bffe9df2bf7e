/* tests/unit/worker/sandbox/choice_test.c - which driver, which image. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/unit.h"

#include "worker/sandbox/docker.h"
#include "worker/sandbox/drivers.h"
#include "worker/sandbox/fetched.h"
#include "worker/sandbox/image.h"

#include <stdlib.h>
#include <string.h>

static void set(const char *name, const char *value)
{
    assert_int_equal(value ? setenv(name, value, 1) : unsetenv(name), 0);
}

static void test_driver(void **state UNUSED)
{
    const struct sandbox_driver *driver = NULL;
    struct err err = {0};

    set(DRIVER_VARIABLE, NULL);
    assert_int_equal(driver_chosen(&driver, &err), 0);
    assert_ptr_equal(driver, &sandbox_oci);
    set(DRIVER_VARIABLE, "docker");
    assert_int_equal(driver_chosen(&driver, &err), 0);
    assert_ptr_equal(driver, &sandbox_docker);
    set(DRIVER_VARIABLE, "");
    assert_int_equal(driver_chosen(&driver, &err), 0);
    assert_ptr_equal(driver, &sandbox_oci);
    set(DRIVER_VARIABLE, "dokcer");
    assert_int_equal(driver_chosen(&driver, &err), -1);
    assert_non_null(strstr(err.msg, "'dokcer': set it to oci or docker"));
    set(DRIVER_VARIABLE, NULL);
}

static void test_runtime(void **state UNUSED)
{
    set(RUNTIME_VARIABLE, NULL);
    assert_null(driver_runtime(&sandbox_oci, ""));
    set(RUNTIME_VARIABLE, "/opt/runsc");
    assert_string_equal(driver_runtime(&sandbox_oci, ""), "/opt/runsc");
    assert_string_equal(driver_runtime(&sandbox_oci, "crun"), "crun");
    assert_null(driver_runtime(&sandbox_docker, ""));
    assert_string_equal(driver_runtime(&sandbox_docker, "runc"), "runc");
    set(RUNTIME_VARIABLE, "");
    assert_null(driver_runtime(&sandbox_oci, ""));
    set(RUNTIME_VARIABLE, NULL);
}

static void is_image(const struct sandbox_driver *driver, const char *image,
                     const char *wanted)
{
    CLEANUP(mem) char *got = driver_image(driver, image);

    assert_string_equal(got, wanted);
}

static void test_image_of_host(void **state UNUSED)
{
    set(DOCKER_IMAGE_VARIABLE, NULL);
    is_image(&sandbox_docker, "host", "host");
    set(DOCKER_IMAGE_VARIABLE, "node:20");
    is_image(&sandbox_docker, "host", "docker://node:20");
    is_image(&sandbox_docker, "/x", "/x");
    is_image(&sandbox_oci, "host", "host");
    set(DOCKER_IMAGE_VARIABLE, NULL);
}

static void test_registries(void **state UNUSED)
{
    struct err err = {0};

    set(REGISTRIES_VARIABLE, NULL);
    assert_int_equal(image_check_name("node:20", &err), 0);
    assert_int_equal(image_check_name("ghcr.io/a/b", &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    set(REGISTRIES_VARIABLE, "ghcr.io,127.0.0.1:5000");
    assert_int_equal(image_check_name("ghcr.io/a/b", &err), 0);
    assert_int_equal(image_check_name("127.0.0.1:5000/b", &err), 0);
    assert_int_equal(image_check_name("127.0.0.1:500/b", &err), -1);
    assert_int_equal(image_check_name("node:20", &err), -1);
    assert_non_null(strstr(err.msg, "'docker.io'"));
    assert_int_equal(image_check_name("ghcr.io/../a", &err), -1);
    assert_non_null(strstr(err.msg, "no name"));
    set(REGISTRIES_VARIABLE, NULL);
}

static void test_pins(void **state UNUSED)
{
    static const struct {
        const char *from, *to;
    } cases[] = {
        {"docker://node", "docker://node@sha256:f00"},
        {"docker://node:20", "docker://node@sha256:f00"},
        {"docker://h:5000/a/b", "docker://h:5000/a/b@sha256:f00"},
        {"docker://h:5000/a/b:1", "docker://h:5000/a/b@sha256:f00"},
        {"docker://h/a@sha256:00", "docker://h/a@sha256:f00"},
        {"docker://h/a:1@sha256:00", "docker://h/a@sha256:f00"},
        {"oci:/srv/a:1", "oci:/srv/a:1"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(mem) char *got = fetched_pin(cases[i].from, "f00");

        assert_string_equal(got, cases[i].to);
    }
    assert_true(fetched_is_reference("docker://a"));
    assert_true(fetched_is_reference("oci:/a"));
    assert_false(fetched_is_reference("/oci:/a"));
    assert_false(fetched_is_reference("host"));
}

/* What the engine is asked for is as strong as a bundle of ours. */
static void test_container(void **state UNUSED)
{
    struct strv none = {0};
    const char *tmp = getenv("TEST_TMP");
    CLEANUP(mem) char *path = xasprintf("%s/spec", tmp ? tmp : "/tmp");
    struct docker_spec spec = {.id = "id-1",
                               .state_dir = "/state",
                               .socket = "/sock",
                               .image = "image",
                               .dir = "/state/id-1",
                               .pid_file = "/pid",
                               .record = "/record",
                               .dirs = &none,
                               .files = &none,
                               .cpu_millis = 250,
                               .pids = 7,
                               .memory_bytes = (uint64_t)1 << 30};
    struct err err;
    json_t *doc, *host;

    assert_int_equal(docker_write(&spec, path, &err), 0);
    doc = json_load_file(path, 0, NULL);
    host = json_object_get(json_object_get(doc, "create"), "HostConfig");
    assert_int_equal(json_integer_value(json_object_get(host, "Memory")),
                     1 << 30);
    assert_int_equal(json_integer_value(json_object_get(host, "MemorySwap")),
                     1 << 30);
    assert_int_equal(json_integer_value(json_object_get(host, "NanoCpus")),
                     250000000);
    assert_int_equal(json_integer_value(json_object_get(host, "PidsLimit")), 7);
    assert_int_equal(json_integer_value(json_object_get(host, "ShmSize")),
                     1 << 29);
    assert_true(json_is_true(json_object_get(host, "ReadonlyRootfs")));
    assert_true(json_is_true(json_object_get(host, "AutoRemove")));
    assert_null(json_object_get(host, "UsernsMode"));
    assert_null(json_object_get(host, "Privileged"));
    json_decref(doc);
    spec.image = "\xff";
    assert_int_equal(docker_write(&spec, path, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_driver),        cmocka_unit_test(test_runtime),
        cmocka_unit_test(test_image_of_host), cmocka_unit_test(test_registries),
        cmocka_unit_test(test_pins),          cmocka_unit_test(test_container),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
