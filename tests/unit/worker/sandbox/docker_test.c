/* tests/unit/worker/sandbox/docker_test.c - what only Docker's driver has. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "box.h"

#include "base/http.h"
#include "worker/sandbox/docker.h"

#include <sys/wait.h>

#include <jansson.h>

/* tests/integration/sandbox_conformance.sh starts the engine. BOX_PLAIN is the
 * socket of another, without user namespaces. */
#define NEED_DOCKER() ONLY(box_is_docker(), "needs a Docker Engine")

/* A call of the engine's API; the body of its answer, owned by the caller. */
static char *api(const char *method, const char *path, const char *body,
                 int wanted)
{
    CLEANUP(mem) char *url = xasprintf("http://docker/v1.41%s", path);
    static const char *const headers[] = {"Content-Type: application/json",
                                          NULL};
    struct http_request request = {.method = method,
                                   .url = url,
                                   .unix_socket = getenv("BOX_SOCKET"),
                                   .headers = headers,
                                   .body = body ? body : "",
                                   .body_len = body ? strlen(body) : 0,
                                   .timeout_ms = 60000,
                                   .max_bytes = 1 * MIB};
    struct strbuf answer = STRBUF_MAX(1 * MIB);
    struct loop *loop;
    struct http *http;
    struct err err;
    int status;

    assert_int_equal(loop_new(&loop, &err), 0);
    assert_int_equal(http_new(loop, &http, &err), 0);
    if (http_run(http, &request, &status, &answer, &err) < 0)
        fail_msg("%s", err.msg);
    if (status != wanted)
        fail_msg("%s %s: %d %s", method, path, status, answer.data);
    http_free(http);
    loop_free(loop);
    return strbuf_take(&answer);
}

static void call(const char *method, const char *path, const char *body,
                 int wanted)
{
    free(api(method, path, body, wanted));
}

static void refuse(struct sandbox_spec *spec, enum err_kind kind,
                   const char *words)
{
    struct sandbox *sandbox = NULL;
    struct err err = {0};
    struct loop *loop;

    assert_int_equal(loop_new(&loop, &err), 0);
    assert_int_equal(box_driver->create(spec, loop, &sandbox, &err), -1);
    loop_free(loop);
    if (err.kind != kind || !strstr(err.msg, words))
        fail_msg("%s: %s", err_kind_name(err.kind), err.msg);
}

static void test_refusals(void **state UNUSED)
{
    static const char *const names[] = {"docker://",       "docker://-x",
                                        "docker://a b",    "docker:///etc",
                                        "docker://a/../b", "docker://a?x=y"};
    struct sandbox_spec spec = box_spec("refused");

    NEED_DOCKER();
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        spec.image = names[i];
        refuse(&spec, ERR_USER, "no name of an image");
    }
    spec.image = "docker://169.254.169.254/latest/meta-data";
    refuse(&spec, ERR_USER, "images of '169.254.169.254' are not taken");
    spec.image = "host";
    refuse(&spec, ERR_USER, "write docker://NAME");
    spec.image = "/usr";
    refuse(&spec, ERR_USER, "write docker://NAME");
    spec.image = box_image();
    spec.runtime = "runsc";
    refuse(&spec, ERR_TRANSIENT, "'runsc' cannot be used");
    spec.runtime = NULL;
    spec.docker_socket = "/nowhere/docker.sock";
    refuse(&spec, ERR_TRANSIENT, "/nowhere/docker.sock");
    ONLY(getenv("BOX_PLAIN"), "needs an engine without user namespaces");
    spec.docker_socket = getenv("BOX_PLAIN");
    refuse(&spec, ERR_TRANSIENT, "the root of this host: set userns-remap");
}

/* Start it, and expect that it does not. */
static void fail_to_start(const struct sandbox_spec *spec, enum err_kind kind,
                          const char *words)
{
    struct err err = {0};
    struct box b;

    box_create(&b, spec);
    assert_int_equal(
        box_driver->start(b.sandbox, box_started, box_lost, &b, &err), 0);
    assert_true(box_wait(&b, &b.started, BOX_LIMIT_MS));
    if (b.err.kind != kind || !strstr(b.err.msg, words))
        fail_msg("%s: %s", err_kind_name(b.err.kind), b.err.msg);
    assert_false(b.lost);
    box_close(&b);
}

static void test_images_that_are_not_there(void **state UNUSED)
{
    struct sandbox_spec spec = box_spec("absent");

    NEED_DOCKER();
    /* A registry that nobody is: the engine says so. */
    spec.image = "docker://127.0.0.1:1/no/such:image";
    fail_to_start(&spec, ERR_USER, "cannot fetch image '127.0.0.1:1/no/such");
    spec.image = "docker://UPPER/case";
    fail_to_start(&spec, ERR_USER, "UPPER/case");
}

static void test_memory_below_the_least(void **state UNUSED)
{
    struct sandbox_spec spec = box_spec("small");

    NEED_DOCKER();
    spec.memory_bytes = 1 * MIB;
    fail_to_start(&spec, ERR_USER, "emory");
}

/* Commit `changes` on top of the image, as `name`. */
static void make_image(const char *changes, const char *name)
{
    CLEANUP(mem)
    char *body = xasprintf("{\"Image\": \"%s\", \"Cmd\": [\"true\"]}",
                           box_image() + strlen("docker://"));
    CLEANUP(mem)
    char *commit =
        xasprintf("/commit?container=berth-test-base&repo=%s&tag=latest", name);

    call("POST", "/containers/create?name=berth-test-base", body, 201);
    call("POST", commit, changes, 201);
    call("DELETE", "/containers/berth-test-base", NULL, 204);
}

static void test_hostile_image(void **state UNUSED)
{
    struct sandbox_spec spec = box_spec("hostile");
    struct box b;

    NEED_DOCKER();
    make_image("{\"User\": \"root\", \"Env\": [\"LD_PRELOAD=/x\"],"
               " \"Entrypoint\": [\"/bin/false\"], \"Cmd\": [\"/bin/false\"],"
               " \"WorkingDir\": \"/root\","
               " \"Healthcheck\": {\"Test\": [\"CMD-SHELL\", \"touch /tmp/h; "
               "sleep 1000\"], \"Interval\": 1000000000},"
               " \"Labels\": {\"berth.sandbox\": \"other\"},"
               " \"Volumes\": {\"/data\": {}, \"/usr/share\": {}}}",
               "berth-test-hostile");
    spec.image = "docker://berth-test-hostile";
    box_open(&b, &spec);
    /* Volumes of an image would be the host's disk. */
    assert_int_not_equal(box_run(&b, "echo > /data/x"), 0);
    assert_string_equal(box_says(&b, "ls /data /usr/share"),
                        "/data:\n\n/usr/share:");
    assert_string_equal(box_says(&b, "sleep 2; ls -A /tmp; env | grep -c LD_; "
                                     "true"),
                        "0");
    box_close(&b);
    call("DELETE", "/images/berth-test-hostile", NULL, 200);
}

static void test_etc(void **state UNUSED)
{
    struct sandbox_spec spec = box_spec("etc");
    struct box b;

    NEED_DOCKER();
    box_open(&b, &spec);
    /* The image's users, and ours. */
    assert_string_equal(box_says(&b, "getent passwd 1000 | cut -d: -f1; "
                                     "getent passwd daemon | cut -d: -f3; "
                                     "getent group berth | cut -d: -f3"),
                        "berth\n1\n1000");
    assert_string_equal(box_says(&b, "cat /etc/hostname; "
                                     "grep -c localhost /etc/hosts"),
                        "berth\n2");
    /* Nothing of the kernel that an OCI bundle of ours would not show. */
    assert_string_equal(box_says(&b, "ls -A /sys /dev/mqueue"),
                        "/dev/mqueue:\n\n/sys:");
    box_close(&b);
}

/* ---- what is left ------------------------------------------------------- */

static size_t count_containers(const char *label)
{
    CLEANUP(mem)
    char *path = xasprintf("/containers/json?all=1&filters="
                           "%%7B%%22label%%22%%3A%%5B%%22%s%%22%%5D%%7D",
                           label);
    CLEANUP(mem) char *answer = api("GET", path, NULL, 200);
    json_t *list = json_loads(answer, 0, NULL);
    size_t count = json_array_size(list);

    assert_true(json_is_array(list));
    json_decref(list);
    return count;
}

static void make_container(const char *name, const char *id, const char *dir)
{
    CLEANUP(mem)
    char *body = xasprintf("{\"Image\": \"%s\", \"Cmd\": [\"true\"], \"Labels\""
                           ": {\"%s\": \"%s\", \"%s\": \"%s\"}}",
                           box_image() + strlen("docker://"), DOCKER_LABEL_ID,
                           id, DOCKER_LABEL_STATE, dir);
    CLEANUP(mem) char *path = xasprintf("/containers/create?name=%s", name);

    call("POST", path, body, 201);
}

/* Killed while the engine was making it: there is no directory any more. */
static void test_sweep_by_label(void **state UNUSED)
{
    CLEANUP(mem) char *elsewhere = NULL;
    struct sandbox_spec spec = box_spec("live");
    struct err err = {0};
    unsigned swept = 9;
    struct box b;

    NEED_DOCKER();
    elsewhere = xasprintf("%s/elsewhere", box_state);
    box_open(&b, &spec);
    make_container("berth-test-lost", "lost-1", box_state);
    make_container("berth-test-other", "lost-1", elsewhere);
    assert_int_equal(count_containers(DOCKER_LABEL_ID), 3);
    assert_int_equal(box_driver->sweep(box_state, &swept, &err), 0);
    assert_int_equal(swept, 0);
    /* Another worker's, and one that lives, are not ours to remove. */
    assert_int_equal(count_containers(DOCKER_LABEL_ID), 2);
    call("DELETE", "/containers/berth-test-other", NULL, 204);
    assert_int_equal(box_run(&b, "true"), 0);
    box_close(&b);
    assert_int_equal(count_containers(DOCKER_LABEL_ID), 0);
}

/* Whoever is killed: the container ends by itself. */
static void test_killed_client(void **state UNUSED)
{
    struct sandbox_spec spec = box_spec("client");
    const char *argv[] = {"pkill", "-KILL", "-f", NULL, NULL};
    CLEANUP(mem) char *pattern = NULL;
    struct err err;
    struct box b;
    bool never = false;

    NEED_DOCKER();
    pattern = xasprintf("docker-client run %s/", box_state);
    box_open(&b, &spec);
    argv[3] = pattern;
    assert_int_equal(proc_run(argv, 5000, NULL, &err), 0);
    (void)box_wait(&b, &never, 10000);
    assert_true(b.lost);
    assert_int_equal(b.err.kind, ERR_TRANSIENT);
    for (int i = 0; i < 100 && count_containers(DOCKER_LABEL_ID); i++)
        (void)usleep(100000);
    assert_int_equal(count_containers(DOCKER_LABEL_ID), 0);
    box_close(&b);
}

/* A client that was stopped in the middle of things. */
static void test_early_end(void **state UNUSED)
{
    struct sandbox_spec spec = box_spec("early");
    struct err err = {0};
    struct box b;
    bool never = false;

    NEED_DOCKER();
    for (int ms = 0; ms <= 400; ms += 50) {
        box_create(&b, &spec);
        assert_int_equal(
            box_driver->start(b.sandbox, box_started, box_lost, &b, &err), 0);
        (void)box_wait(&b, &never, ms);
        box_close(&b);
        assert_int_equal(count_containers(DOCKER_LABEL_ID), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_images_that_are_not_there),
        cmocka_unit_test(test_memory_below_the_least),
        cmocka_unit_test(test_hostile_image),
        cmocka_unit_test(test_etc),
        cmocka_unit_test(test_sweep_by_label),
        cmocka_unit_test(test_killed_client),
        cmocka_unit_test(test_early_end),
    };

    return cmocka_run_group_tests(tests, box_setup, box_teardown);
}
