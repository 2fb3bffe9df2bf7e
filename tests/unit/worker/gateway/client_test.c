/* tests/unit/worker/gateway/client_test.c - a gateway's life; and a driver. */
/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client_test drive SETUP PORT UID: a gateway that listens at 127.0.0.1:PORT
 * and is set up by SETUP, JSON; what it tells goes to stdout, one JSON object a
 * line: {"pid"} when it listens, each event, {"lost"}. A line of stdin is a
 * list of fields to inject from then on, answered by {"held"}. It ends with
 * stdin.
 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/proc.h"
#include "tests/lib/unit.h"
#include "worker/gateway/client.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct rig {
    struct loop *loop;
    struct gateway *gateway;
    bool ready, lost, stops;
    struct err err;
    unsigned events, held;
    int64_t hold_ms;
    struct gateway_event last;
    char host[300], verdict[40], message[1100];
};

static int listen_at(int *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)*port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;

    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, len) < 0 ||
        listen(fd, 64) < 0 || getsockname(fd, (struct sockaddr *)&at, &len) < 0)
        abort();
    *port = ntohs(at.sin_port);
    return fd;
}

static void on_ready(void *arg, const struct err *err)
{
    struct rig *rig = arg;

    rig->ready = true;
    if (err)
        rig->err = *err;
    if (rig->stops) {
        gateway_stop(rig->gateway);
        rig->gateway = NULL;
    }
}

static void on_event(void *arg, const struct gateway_event *event)
{
    struct rig *rig = arg;

    rig->events++;
    rig->last = *event;
    (void)snprintf(rig->host, sizeof(rig->host), "%s", event->host);
    (void)snprintf(rig->verdict, sizeof(rig->verdict), "%s", event->verdict);
    (void)snprintf(rig->message, sizeof(rig->message), "%s", event->message);
}

static void on_held(void *arg);

static void on_lost(void *arg, const struct err *err)
{
    struct rig *rig = arg;

    rig->lost = true;
    rig->err = *err;
}

/* The pid of the process whose parent we are and that is called gateway. */
static pid_t child_pid(void)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    char path[80];

    (void)snprintf(path, sizeof(path), "/proc/self/task/%d/children",
                   (int)getpid());
    if (file_read(path, 4096, &text, NULL) < 0)
        return -1;
    return (pid_t)strtol(text.data, NULL, 10);
}

static void start(struct rig *rig, json_t *setup, int *port, unsigned uid)
{
    int listener = listen_at(port);
    struct gateway_spec spec = {
        .listener = listener,
        .uid = uid,
        .setup = setup,
        .on_ready = on_ready,
        .on_event = on_event,
        .hold_ms = rig->hold_ms,
        .on_held = on_held,
        .on_lost = on_lost,
        .arg = rig,
    };
    struct err err;

    if (loop_new(&rig->loop, &err) < 0)
        abort();
    spec.loop = rig->loop;
    if (gateway_start(&spec, &rig->gateway, &err) < 0) {
        (void)fprintf(stderr, "%s\n", err.msg);
        abort();
    }
    fd_close(&listener);
}

static void step_until(struct rig *rig, const bool *flag)
{
    int64_t until = clock_mono_ms() + 60000;
    struct err err;

    while (!*flag && clock_mono_ms() < until)
        if (loop_step(rig->loop, 100, &err) < 0)
            abort();
}

static void stop(struct rig *rig)
{
    gateway_stop(rig->gateway);
    loop_free(rig->loop);
}

/* ---- tests ----------------------------------------------------------------
 */

static void test_life(void **state UNUSED)
{
    struct rig rig = {0};
    int port = 0;
    json_t *setup =
        json_pack("{s:[s], s:s}", "hosts", "a.example", "listed", "npm");

    start(&rig, setup, &port, 0);
    step_until(&rig, &rig.ready);
    assert_int_equal(rig.err.kind, ERR_NONE);
    assert_true(child_pid() > 0);
    stop(&rig);
    assert_int_equal(child_pid(), 0);
    json_decref(setup);
}

static void test_denied(void **state UNUSED)
{
    static const char ask[] =
        "GET http://b.example:81/ HTTP/1.1\r\nHost: b.example:81\r\n\r\n";
    struct rig rig = {0};
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int port = 0, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    json_t *setup =
        json_pack("{s:[s], s:s}", "hosts", "a.example", "listed", "npm");
    struct err err;
    bool told = false;

    start(&rig, setup, &port, 0);
    step_until(&rig, &rig.ready);
    at.sin_port = htons((uint16_t)port);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(fd_write_all(fd, ask, sizeof(ask) - 1, &err), 0);
    assert_int_equal(fd_read_all(fd, &text, &err), 0);
    fd_close(&fd);
    assert_non_null(strstr(text.data, "HTTP/1.1 403 Forbidden\r\n"));
    assert_non_null(strstr(text.data, "[npm, b.example:81]"));
    while (!rig.events)
        assert_int_equal(loop_step(rig.loop, 1000, &err), 0);
    told = rig.events == 1;
    assert_true(told);
    assert_string_equal(rig.host, "b.example");
    assert_int_equal(rig.last.port, 81);
    assert_string_equal(rig.verdict, "host");
    assert_non_null(strstr(rig.message, "network: [npm, b.example:81]"));
    stop(&rig);
    json_decref(setup);
}

static void test_killed(void **state UNUSED)
{
    struct rig rig = {0};
    int port = 0;
    json_t *setup = json_object();

    start(&rig, setup, &port, 0);
    step_until(&rig, &rig.ready);
    assert_int_equal(kill(child_pid(), SIGKILL), 0);
    step_until(&rig, &rig.lost);
    assert_int_equal(rig.err.kind, ERR_TRANSIENT);
    assert_non_null(strstr(rig.err.msg, "killed by signal 9 (SIGKILL)"));
    stop(&rig);
    json_decref(setup);
}

#define INJECT(rest) "{\"inject\": [{\"host\": \"a.b\", " rest "}]}"

static void test_bad_setup(void **state UNUSED)
{
    static const char *const bad[] = {
        "{\"hosts\": [\"*\"]}",
        "{\"hosts\": \"a.example\"}",
        "{\"within\": [1]}",
        "{\"allow_addresses\": [\"10.0.0.1/8\"]}",
        "{\"max_connections\": 0}",
        "{\"max_bytes\": -1}",
        INJECT("\"header\": \"A\""),
        INJECT("\"header\": \"A b\", \"value\": \"x\""),
        INJECT("\"header\": \"A\", \"value\": \"x\\n\""),
        "[]",
    };

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct rig rig = {0};
        int port = 0;
        json_t *setup = json_loads(bad[i], 0, NULL);

        assert_non_null(setup);
        start(&rig, setup, &port, 0);
        step_until(&rig, &rig.ready);
        if (!strstr(rig.err.msg, "malformed"))
            fail_msg("%s: %s", bad[i], rig.err.msg);
        assert_false(rig.lost);
        stop(&rig);
        json_decref(setup);
    }
}

static void on_held(void *arg)
{
    struct rig *rig = arg;

    rig->held++;
}

/* Each is answered; who asks twice hears once, of the last. */
static void test_hold(void **state UNUSED)
{
    struct rig rig = {0};
    int port = 0;
    json_t *setup = json_object();
    json_t *fields = json_pack("[{s:s, s:s, s:s}]", "host", "a.example",
                               "header", "A", "value", "x");
    json_t *bad = json_pack("[{s:s}]", "host", "a.example");
    struct err err;

    start(&rig, setup, &port, 0);
    step_until(&rig, &rig.ready);
    gateway_hold(rig.gateway, fields);
    gateway_hold(rig.gateway, fields);
    while (!rig.held)
        assert_int_equal(loop_step(rig.loop, 1000, &err), 0);
    assert_int_equal(rig.held, 1);
    gateway_hold(rig.gateway, fields);
    while (rig.held == 1)
        assert_int_equal(loop_step(rig.loop, 1000, &err), 0);
    assert_false(rig.lost);
    gateway_hold(rig.gateway, bad);
    step_until(&rig, &rig.lost);
    assert_non_null(strstr(rig.err.msg, "malformed"));
    assert_int_equal(rig.held, 2);
    stop(&rig);
    json_decref(setup);
    json_decref(fields);
    json_decref(bad);
}

/* One that does not answer may still have them. */
static void test_hold_unanswered(void **state UNUSED)
{
    struct rig rig = {.hold_ms = 300};
    int port = 0;
    json_t *setup = json_object();
    json_t *none = json_array();

    start(&rig, setup, &port, 0);
    step_until(&rig, &rig.ready);
    assert_int_equal(kill(child_pid(), SIGSTOP), 0);
    gateway_hold(rig.gateway, none);
    step_until(&rig, &rig.lost);
    assert_int_equal(rig.held, 0);
    assert_non_null(strstr(rig.err.msg, "killed by signal 9 (SIGKILL)"));
    stop(&rig);
    json_decref(setup);
    json_decref(none);
}

static void test_stop_inside(void **state UNUSED)
{
    struct rig rig = {.stops = true};
    int port = 0;
    json_t *setup = json_object();

    start(&rig, setup, &port, 0);
    step_until(&rig, &rig.ready);
    assert_null(rig.gateway);
    assert_int_equal(child_pid(), 0);
    stop(&rig);
    json_decref(setup);
}

/* ---- the driver -----------------------------------------------------------
 */

static void print_event(void *arg, const struct gateway_event *e)
{
    json_t *doc = json_pack("{s:s, s:i, s:s, s:I, s:I, s:I, s:s, s:s}", "host",
                            e->host, "port", (int)e->port, "address",
                            e->address, "up", (json_int_t)e->up_bytes, "down",
                            (json_int_t)e->down_bytes, "ms", (json_int_t)e->ms,
                            "verdict", e->verdict, "message", e->message);

    (void)arg;
    (void)json_dumpf(doc, stdout, JSON_COMPACT);
    (void)puts("");
    json_decref(doc);
}

static void print_ready(void *arg, const struct err *err)
{
    (void)arg;
    if (err)
        (void)printf("{\"failed\": \"%s\"}\n", err->msg);
    else
        (void)printf("{\"pid\": %d}\n", (int)child_pid());
}

static void print_lost(void *arg, const struct err *err)
{
    (void)arg;
    (void)printf("{\"lost\": \"%s\"}\n", err->msg);
}

static void print_held(void *arg)
{
    (void)arg;
    (void)puts("{\"held\": true}");
}

struct driver {
    struct loop *loop;
    struct gateway *gateway;
};

static void on_stdin(void *arg, uint32_t events UNUSED)
{
    static char line[65536];
    static size_t len;
    struct driver *driver = arg;
    json_t *fields;
    ssize_t n = read(0, line + len, sizeof(line) - len);

    if (n <= 0) {
        loop_stop(driver->loop);
        return;
    }
    len += (size_t)n;
    if (line[len - 1] != '\n')
        return;
    fields = json_loadb(line, len, 0, NULL);
    len = 0;
    gateway_hold(driver->gateway, fields);
    json_decref(fields);
}

static int drive(char **argv)
{
    json_t *setup = json_loads(argv[0], 0, NULL);
    int port = (int)strtol(argv[1], NULL, 10);
    struct gateway_spec spec = {
        .listener = listen_at(&port),
        .uid = (unsigned)strtoul(argv[2], NULL, 10),
        .setup = setup,
        .on_ready = print_ready,
        .on_event = print_event,
        .on_held = print_held,
        .on_lost = print_lost,
    };
    struct driver driver = {0};
    struct loop_source *source;
    struct err err;

    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    if (!setup || loop_new(&spec.loop, &err) < 0 ||
        gateway_start(&spec, &driver.gateway, &err) < 0)
        return 1;
    driver.loop = spec.loop;
    if (loop_add_fd(spec.loop, 0, EPOLLIN, on_stdin, &driver, &source, &err) <
            0 ||
        loop_run(spec.loop, &err) < 0)
        return 1;
    gateway_stop(driver.gateway);
    loop_free(spec.loop);
    (void)close(spec.listener);
    json_decref(setup);
    return 0;
}

static int set_libexec(void **state UNUSED)
{
    char self[PATH_MAX] = "";
    CLEANUP(mem) char *libexec = NULL;

    if (getenv("BERTH_LIBEXEC"))
        return 0;
    if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0 ||
        !strstr(self, "/tests/unit/"))
        return -1;
    *strstr(self, "/tests/unit/") = '\0';
    libexec = xasprintf("%s/libexec/berth", self);
    return setenv("BERTH_LIBEXEC", libexec, 1);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_denied),
        cmocka_unit_test(test_killed),
        cmocka_unit_test(test_bad_setup),
        cmocka_unit_test(test_stop_inside),
        cmocka_unit_test(test_hold),
        cmocka_unit_test(test_hold_unanswered),
    };

    if (argc == 5 && strcmp(argv[1], "drive") == 0)
        return set_libexec(NULL) < 0 ? 1 : drive(argv + 2);
    return cmocka_run_group_tests(tests, set_libexec, NULL);
}
