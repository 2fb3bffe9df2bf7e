/* tests/unit/base/http_test.c - requests to a server that misbehaves. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/unit.h"

#include "base/fd.h"
#include "base/http.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- a server: what it says depends on the path ------------------------- */

struct server {
    pid_t pid;
    unsigned port;
    char socket[108];
};

static void reply(int fd, const char *text)
{
    (void)!fd_write_all(fd, text, strlen(text), NULL);
}

static void reply_big(int fd, const char *before, const char *line, int lines)
{
    reply(fd, before);
    for (int i = 0; i < lines; i++)
        reply(fd, line);
}

/* The whole request back, as the body. */
static void reply_echo(int fd, const char *request)
{
    char head[128];

    (void)snprintf(head, sizeof(head),
                   "HTTP/1.1 201 Made\r\nContent-Length: %zu\r\n"
                   "X-One:  first \r\nx-one: second\r\n\r\n",
                   strlen(request));
    reply(fd, head);
    reply(fd, request);
}

static const struct {
    const char *path, *answer;
} answers[] = {
    {"/missing", "HTTP/1.1 404 No\r\nContent-Length: 4\r\n\r\nnone"},
    {"/moved", "HTTP/1.1 302 Go\r\nLocation: /echo\r\nContent-Length: 0\r\n"
               "\r\n"},
    {"/chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"},
    {"/continue", "HTTP/1.1 103 Early\r\nX-Early: yes\r\n\r\n"
                  "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"},
    {"/short", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc"},
    {"/garbage", "not at all\r\n\r\n"},
    {"/packed", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
                "Content-Length: 3\r\n\r\nraw"},
    {"/silent", ""},
};

static void serve(int fd)
{
    char request[8192] = "";
    size_t len = 0;
    const char *path;

    /* Requests of these tests come in one piece, with their bodies. */
    while (!strstr(request, "\r\n\r\n")) {
        ssize_t n = read(fd, request + len, sizeof(request) - 1 - len);

        if (n <= 0)
            return;
        len += (size_t)n;
        request[len] = '\0';
    }
    path = strchr(request, ' ') + 1;
    if (strncmp(path, "/echo", 5) == 0)
        reply_echo(fd, request);
    else if (strncmp(path, "/big", 4) == 0)
        reply_big(fd, "HTTP/1.1 200 OK\r\n\r\n", "0123456789abcdef", 4096);
    else if (strncmp(path, "/headers", 8) == 0)
        reply_big(fd, "HTTP/1.1 200 OK\r\n", "X-Much: 0123456789abcdef\r\n",
                  4096);
    for (size_t i = 0; i < ARRAY_LEN(answers); i++)
        if (strncmp(path, answers[i].path, strlen(answers[i].path)) == 0)
            reply(fd, answers[i].answer);
    if (strncmp(path, "/silent", 7) == 0)
        (void)pause();
}

static void serve_all(int listener)
{
    for (;;) {
        int fd = accept(listener, NULL, NULL);

        if (fd < 0)
            _exit(0);
        (void)signal(SIGPIPE, SIG_IGN);
        (void)signal(SIGCHLD, SIG_IGN);
        if (fork() == 0) {
            serve(fd);
            _exit(0);
        }
        (void)close(fd);
    }
}

static pid_t start_server(int listener)
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        (void)setpgid(0, 0);
        serve_all(listener);
    }
    (void)setpgid(pid, pid);
    (void)close(listener);
    return pid;
}

static struct server serve_tcp(void)
{
    struct server server = {0};
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&at, size), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
    server.port = ntohs(at.sin_port);
    server.pid = start_server(fd);
    return server;
}

static struct server serve_unix(void)
{
    struct server server = {0};
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const char *top = getenv("TEST_TMP");

    (void)snprintf(server.socket, sizeof(server.socket), "%s/http.%d",
                   top ? top : "/tmp", (int)getpid());
    (void)strcpy(at.sun_path, server.socket);
    (void)unlink(server.socket);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(fd, 16), 0);
    server.pid = start_server(fd);
    return server;
}

static void stop_server(const struct server *server)
{
    (void)kill(-server->pid, SIGKILL);
    assert_int_equal(waitpid(server->pid, NULL, 0), server->pid);
    if (*server->socket)
        (void)unlink(server->socket);
}

/* ---- the tests ---------------------------------------------------------- */

struct ask {
    struct loop *loop;
    struct http *http;
    struct server server;
    struct strbuf body;
    int status;
    struct err err;
};

static int setup(void **state)
{
    struct ask *ask = xcalloc(1, sizeof(*ask));

    (void)unsetenv("http_proxy");
    ask->server = serve_tcp();
    ask->body = (struct strbuf)STRBUF_INIT;
    assert_int_equal(loop_new(&ask->loop, &ask->err), 0);
    assert_int_equal(http_new(ask->loop, &ask->http, &ask->err), 0);
    *state = ask;
    return 0;
}

static int teardown(void **state)
{
    struct ask *ask = *state;

    http_free(ask->http);
    loop_free(ask->loop);
    strbuf_clear(&ask->body);
    stop_server(&ask->server);
    free(ask);
    return 0;
}

static struct http_request request_to(const char *url)
{
    return (struct http_request){
        .method = "GET", .url = url, .timeout_ms = 10000, .max_bytes = 65536};
}

static char *url_of(const struct ask *ask, const char *path)
{
    return xasprintf("http://127.0.0.1:%u%s", ask->server.port, path);
}

static int get(struct ask *ask, const char *path)
{
    CLEANUP(mem) char *url = url_of(ask, path);
    struct http_request request = request_to(url);

    strbuf_cut(&ask->body, 0);
    return http_run(ask->http, &request, &ask->status, &ask->body, &ask->err);
}

static void test_answers(void **state)
{
    struct ask *ask = *state;

    assert_int_equal(get(ask, "/missing"), 0);
    assert_int_equal(ask->status, 404);
    assert_string_equal(ask->body.data, "none");
    assert_int_equal(get(ask, "/chunked"), 0);
    assert_string_equal(ask->body.data, "abcde");
    assert_int_equal(get(ask, "/continue"), 0);
    assert_string_equal(ask->body.data, "ok");
    assert_int_equal(get(ask, "/moved"), 0);
    assert_int_equal(ask->status, 302);
    assert_string_equal(ask->body.data, "");
    assert_int_equal(get(ask, "/packed"), 0);
    assert_string_equal(ask->body.data, "raw");
}

static void test_request(void **state)
{
    struct ask *ask = *state;
    CLEANUP(mem) char *url = url_of(ask, "/echo?q=1");
    const char *const headers[] = {"X-Name: value", "Content-Type: text/x",
                                   NULL};
    struct http_request request = request_to(url);

    request.method = "PUT";
    request.headers = headers;
    request.body = "body\0more";
    request.body_len = 4;
    assert_int_equal(
        http_run(ask->http, &request, &ask->status, &ask->body, &ask->err), 0);
    assert_int_equal(ask->status, 201);
    assert_int_equal(strncmp(ask->body.data, "PUT /echo?q=1 HTTP/1.1\r\n", 24),
                     0);
    assert_non_null(strstr(ask->body.data, "\r\nX-Name: value\r\n"));
    assert_non_null(strstr(ask->body.data, "\r\nContent-Type: text/x\r\n"));
    assert_non_null(strstr(ask->body.data, "\r\nContent-Length: 4\r\n"));
    assert_null(strstr(ask->body.data, "Expect"));
    request.method = "DELETE";
    request.body = NULL;
    strbuf_cut(&ask->body, 0);
    assert_int_equal(
        http_run(ask->http, &request, &ask->status, &ask->body, &ask->err), 0);
    assert_int_equal(strncmp(ask->body.data, "DELETE ", 7), 0);
}

static void test_upload(void **state)
{
    struct ask *ask = *state;
    CLEANUP(mem) char *url = url_of(ask, "/echo");
    CLEANUP(mem) char *silent = url_of(ask, "/silent?upload");
    CLEANUP(fd) int fd = memfd_create("upload", MFD_CLOEXEC);
    struct http_upload upload = {fd, 5};
    const struct http_sign sign = {"aws:amz:eu-1:s3", "KEY", "SECRET"};
    struct http_request request = request_to(url);

    assert_int_equal(fd_write_all(fd, "12345678", 8, NULL), 0);
    request.method = "PUT";
    request.upload = &upload;
    request.sign = &sign;
    assert_int_equal(
        http_run(ask->http, &request, &ask->status, &ask->body, &ask->err), 0);
    assert_int_equal(ask->status, 201);
    assert_non_null(strstr(ask->body.data, "\r\nContent-Length: 5\r\n"));
    assert_non_null(strstr(ask->body.data, "Credential=KEY/"));
    assert_non_null(strstr(ask->body.data, "/eu-1/s3/aws4_request"));
    assert_null(strstr(ask->body.data, "SECRET"));
    /* There are no more than eight; and no answer comes before them. */
    upload.len = 9;
    request.url = silent;
    assert_int_equal(
        http_run(ask->http, &request, &ask->status, &ask->body, &ask->err), -1);
    assert_non_null(strstr(ask->err.msg, "cannot be read"));
}

/* Silent for a while, long before the call has to be over. */
static void test_stall(void **state)
{
    struct ask *ask = *state;
    CLEANUP(mem) char *silent = url_of(ask, "/silent?secret");
    struct http_request request = request_to(silent);

    request.stall_ms = 100;
    request.timeout_ms = 60000;
    assert_int_equal(
        http_run(ask->http, &request, &ask->status, NULL, &ask->err), -1);
    assert_int_equal(ask->err.kind, ERR_TIMEOUT);
    assert_non_null(strstr(ask->err.msg, "/silent: silent for 100 ms"));
    assert_null(strstr(ask->err.msg, "secret"));
}

static void fail_with(struct ask *ask, const char *path, enum err_kind kind,
                      const char *words)
{
    assert_int_equal(get(ask, path), -1);
    assert_int_equal(ask->err.kind, kind);
    if (!strstr(ask->err.msg, words))
        fail_msg("'%s' has no '%s'", ask->err.msg, words);
    assert_non_null(strstr(ask->err.msg, "GET http://127.0.0.1:"));
    assert_null(strstr(ask->err.msg, "secret"));
}

static void test_broken(void **state)
{
    struct ask *ask = *state;

    fail_with(ask, "/short?secret", ERR_TRANSIENT, "/short: ");
    fail_with(ask, "/garbage", ERR_TRANSIENT, "/garbage: ");
    fail_with(ask, "/headers", ERR_TRANSIENT, "headers are larger");
    fail_with(ask, "/nothing", ERR_TRANSIENT, "Empty reply");
}

static void test_bounds(void **state)
{
    struct ask *ask = *state;
    CLEANUP(mem) char *big = url_of(ask, "/big");
    CLEANUP(mem) char *silent = url_of(ask, "/silent");
    struct http_request request = request_to(big);

    /* It is 65,536 bytes. */
    assert_int_equal(get(ask, "/big"), 0);
    assert_int_equal(ask->body.len, 65536);
    request.max_bytes = 65535;
    strbuf_cut(&ask->body, 0);
    assert_int_equal(
        http_run(ask->http, &request, &ask->status, &ask->body, &ask->err), -1);
    assert_non_null(strstr(ask->err.msg, "larger than 65535 bytes"));
    assert_int_equal(ask->body.len, 0);
    request.url = silent;
    request.timeout_ms = 200;
    assert_int_equal(
        http_run(ask->http, &request, &ask->status, NULL, &ask->err), -1);
    assert_int_equal(ask->err.kind, ERR_TIMEOUT);
    assert_non_null(strstr(ask->err.msg, "within 200 ms"));
}

static void test_what_is_no_request(void **state)
{
    struct ask *ask = *state;
    const char *const split[] = {"X: a\r\nY: b", NULL};
    struct http_request request = request_to("http://127.0.0.1:1/");

    request.headers = split;
    assert_int_equal(http_send(ask->http, &request, NULL, &ask->err), -1);
    assert_int_equal(ask->err.kind, ERR_BUG);
    request.headers = NULL;
    request.timeout_ms = 0;
    assert_int_equal(http_send(ask->http, &request, NULL, &ask->err), -1);
    /* Refused by libcurl, like all but http and https. */
    request = request_to("file:///etc/passwd");
    assert_int_equal(
        http_run(ask->http, &request, &ask->status, &ask->body, &ask->err), -1);
    assert_int_equal(ask->body.len, 0);
}

static void test_unix_socket(void **state)
{
    struct ask *ask = *state;
    struct server server = serve_unix();
    struct http_request request = request_to("http://engine/echo");

    request.unix_socket = server.socket;
    /* No proxy is asked for what is on this host. */
    assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
    assert_int_equal(
        http_run(ask->http, &request, &ask->status, &ask->body, &ask->err), 0);
    assert_int_equal(unsetenv("http_proxy"), 0);
    assert_non_null(strstr(ask->body.data, "\r\nHost: engine\r\n"));
    stop_server(&server);
    assert_int_equal(
        http_run(ask->http, &request, &ask->status, &ask->body, &ask->err), -1);
    assert_non_null(strstr(ask->err.msg, server.socket));
}

/* ---- several at a time -------------------------------------------------- */

struct many {
    unsigned done, failed;
    size_t bytes;
    struct http_call *other;
    struct http *http;
    char first[32];
};

static int on_data(void *arg, const void *data UNUSED, size_t len)
{
    struct many *many = arg;

    many->bytes += len;
    return many->bytes > 100000 ? -1 : 0;
}

static void on_done(void *arg, const struct http_response *response,
                    const struct err *err)
{
    struct many *many = arg;
    const char *header = response ? http_header(response, "X-ONE") : NULL;

    many->done++;
    many->failed += err != NULL;
    if (header)
        (void)snprintf(many->first, sizeof(many->first), "%s", header);
    if (response)
        assert_null(http_header(response, "X-On"));
    http_cancel(STEAL(many->other));
}

static void turn_until(struct ask *ask, const unsigned *count, unsigned wanted)
{
    while (*count < wanted)
        assert_int_equal(loop_step(ask->loop, 5000, &ask->err), 0);
}

static void test_many(void **state)
{
    struct ask *ask = *state;
    CLEANUP(mem) char *big = url_of(ask, "/big");
    CLEANUP(mem) char *echo = url_of(ask, "/echo");
    CLEANUP(mem) char *silent = url_of(ask, "/silent");
    struct many many = {0};
    struct http_request request = request_to(big);

    request.done = on_done;
    request.arg = &many;
    request.on_data = on_data;
    assert_int_equal(http_send(ask->http, &request, NULL, &ask->err), 0);
    assert_int_equal(many.done, 0); /* never from inside the call */
    turn_until(ask, &many.done, 1);
    assert_int_equal(many.failed, 0);
    assert_int_equal(many.bytes, 65536);
    assert_int_equal(http_send(ask->http, &request, NULL, &ask->err), 0);
    turn_until(ask, &many.done, 2);
    assert_int_equal(many.failed, 1); /* 131,072 bytes were not wanted */
    request.on_data = NULL;
    request.url = silent;
    assert_int_equal(http_send(ask->http, &request, &many.other, &ask->err), 0);
    request.url = echo;
    assert_int_equal(http_send(ask->http, &request, NULL, &ask->err), 0);
    turn_until(ask, &many.done, 3);
    assert_null(many.other); /* the answer of one ended the other */
    assert_string_equal(many.first, "first");
    /* What is under way is dropped with the http, without a word. */
    request.url = silent;
    assert_int_equal(http_send(ask->http, &request, NULL, &ask->err), 0);
    assert_int_equal(loop_step(ask->loop, 100, &ask->err), 0);
    http_free(STEAL(ask->http));
    assert_int_equal(many.done, 3);
}

static void test_date(void **state UNUSED)
{
    const int64_t at = 784111777000;

    assert_int_equal(http_date_ms("Sun, 06 Nov 1994 08:49:37 GMT"), at);
    assert_int_equal(http_date_ms("Sunday, 06-Nov-94 08:49:37 GMT"), at);
    assert_int_equal(http_date_ms("Sun Nov  6 08:49:37 1994"), at);
    assert_int_equal(http_date_ms("Thu, 26 Nov 2099 00:00:00 GMT"),
                     4099334400000);
    assert_int_equal(http_date_ms(""), -1);
    assert_int_equal(http_date_ms("soon"), -1);
    assert_int_equal(http_date_ms("Sun, 06 Nov"), -1);
    assert_int_equal(http_date_ms("Sun, 66 Nov 1994 08:49:37 GMT"), -1);
    assert_int_equal(http_date_ms("19941106"), -1);
    assert_int_equal(http_date_ms("-1"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_date),
        cmocka_unit_test_setup_teardown(test_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_request, setup, teardown),
        cmocka_unit_test_setup_teardown(test_broken, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bounds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_upload, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stall, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_no_request, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_unix_socket, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
