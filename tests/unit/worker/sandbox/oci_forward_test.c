/* tests/unit/worker/sandbox/oci_forward_test.c - ports from outside. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "box.h"

#include "worker/sandbox/forward.h"

#include <sys/wait.h>

static const char server[] =
    "exec python3 -c '\n"
    "from http.server import *\n"
    "class H(BaseHTTPRequestHandler):\n"
    "    def do_GET(self):\n"
    "        self.send_response(200); self.end_headers()\n"
    "        self.wfile.write(b\"x\" * 3000000 + b\"end\")\n"
    "    def do_POST(self):\n"
    "        n = int(self.headers[\"Content-Length\"])\n"
    "        got = len(self.rfile.read(n))\n"
    "        self.send_response(200); self.end_headers()\n"
    "        self.wfile.write(b\"%d\" % got)\n"
    "    def log_message(self, *a): pass\n"
    "s = ThreadingHTTPServer((\"127.0.0.1\", 8080), H)\n"
    "print(\"up\", flush=True)\n"
    "s.serve_forever()'";

/* What a client on the host gets, while our loop turns. */
static int client(struct box *b, const char *script, const char *url,
                  struct strbuf *out)
{
    CLEANUP(mem) char *path = xasprintf("%s-out", box_state);
    CLEANUP(mem) char *whole = xasprintf("{ %s ; } > %s 2>&1", script, path);
    const char *argv[] = {"sh", "-c", whole, "sh", url, NULL};
    pid_t pid = fork();
    int status = 0;
    bool never = false;
    struct err err;

    if (pid == 0) {
        execvp("sh", (char **)(uintptr_t)argv);
        _exit(127);
    }
    while (waitpid(pid, &status, WNOHANG) == 0)
        (void)box_wait(b, &never, 10);
    strbuf_clear(out);
    assert_int_equal(file_read(path, 10 * MIB, out, &err), 0);
    assert_int_equal(unlink(path), 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static struct box shared, service;
static struct forward *forward;
static uint32_t command;
static struct strbuf out = STRBUF_INIT;

static int open_shared(void **state)
{
    struct sandbox_spec spec = box_spec("forward");
    struct forward_spec forwarded = {.driver = box_driver, .port = 8080};
    const char *argv[4];
    struct sandbox_exec exec;
    struct err err = {0};

    (void)box_setup(state);
    if (!box_can())
        return 0;
    box_open(&shared, &spec);
    service = shared;
    service.out = service.both = (struct strbuf)STRBUF_INIT;
    exec = box_sh(&service, argv, server);
    assert_int_equal(box_driver->exec(shared.sandbox, &exec, &command, &err),
                     0);
    while (!strstr(service.out.data, "up"))
        assert_false(box_wait(&shared, &service.over, 20));
    forwarded.loop = shared.loop;
    forwarded.sandbox = shared.sandbox;
    assert_int_equal(forward_start(&forwarded, &forward, &err), 0);
    return 0;
}

static int close_shared(void **state)
{
    forward_free(forward);
    if (shared.sandbox)
        box_close(&shared);
    strbuf_clear(&service.out);
    strbuf_clear(&service.both);
    strbuf_clear(&out);
    return box_teardown(state);
}

/* What the script prints, with the address as $1, at least up to a NUL. */
static const char *client_says(const char *script)
{
    assert_int_equal(client(&shared, script, forward_url(forward), &out), 0);
    return out.data;
}

static void test_down(void **state UNUSED)
{
    NEED_ROOT();
    (void)client_says("curl -sS --noproxy '*' \"$1\"");
    assert_int_equal(out.len, 3000003);
    assert_string_equal(out.data + 3000000, "end");
}

static void test_up(void **state UNUSED)
{
    NEED_ROOT();
    assert_string_equal(
        client_says("head -c 5000000 /dev/zero | curl -sS --noproxy '*' "
                    "--data-binary @- \"$1\""),
        "5000000");
}

/* More than are let in at once. */
static void test_many(void **state UNUSED)
{
    NEED_ROOT();
    (void)client_says("for i in $(seq 20); do curl -sS --noproxy '*' \"$1\" | "
                      "tail -c 3 & done; wait");
    assert_int_equal(out.len, 60);
}

static void test_token(void **state UNUSED)
{
    NEED_ROOT();
    assert_string_equal(
        client_says("u=${1#http://}; t=${u%%.*}; p=${u##*:}; curl -sS "
                    "--noproxy '*' -H \"Authorization: Bearer $t\" "
                    "127.0.0.1:$p | tail -c 3"),
        "end");
    /* None, and two that are wrong. */
    assert_string_equal(
        client_says("p=${1##*:}; p=${p%/}; for h in 127.0.0.1 x.localhost "
                    "0123456789abcdef0123456789abcdef.localhost; do "
                    "curl -s --noproxy '*' -o /dev/null -w '%{http_code} ' "
                    "$h:$p; done"),
        "403 403 403 ");
    /* A head without an end. */
    assert_string_equal(
        client_says("p=${1##*:}; p=${p%/}; curl -s --noproxy '*' -o /dev/null "
                    "-w '%{http_code}' -H \"X: $(head -c 20000 /dev/zero | "
                    "tr '\\0' x)\" 127.0.0.1:$p"),
        "431");
}

static void test_nobody_listens(void **state UNUSED)
{
    struct forward_spec spec = {.loop = shared.loop,
                                .driver = box_driver,
                                .sandbox = shared.sandbox,
                                .port = 9};
    CLEANUP(forward) struct forward *nothing = NULL;
    struct err err = {0};

    NEED_ROOT();
    assert_int_equal(forward_start(&spec, &nothing, &err), 0);
    assert_int_equal(client(&shared, "curl -sS --noproxy '*' \"$1\"",
                            forward_url(nothing), &out),
                     0);
    assert_non_null(strstr(out.data, "cannot connect to port 9 inside: "
                                     "Connection refused"));
}

/* The last: who listened is gone. */
static void test_gone(void **state UNUSED)
{
    NEED_ROOT();
    box_driver->kill(shared.sandbox, command, SIGKILL);
    assert_true(box_wait(&shared, &service.over, BOX_LIMIT_MS));
    assert_non_null(
        strstr(client_says("curl -sS --noproxy '*' \"$1\""), "refused"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_down),           cmocka_unit_test(test_up),
        cmocka_unit_test(test_many),           cmocka_unit_test(test_token),
        cmocka_unit_test(test_nobody_listens), cmocka_unit_test(test_gone),
    };

    return cmocka_run_group_tests(tests, open_shared, close_shared);
}
