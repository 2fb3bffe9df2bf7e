/* tests/unit/scheduler/forge/api_test.c - a Git host's API, step by step. */
/* SPDX-License-Identifier: Apache-2.0 */
/* timeout 60 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/header.h"
#include "scheduler/forge/api/api.h"
#include "tests/lib/unit.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define GAP_MS 3000

/* ---- a host: what it says depends on the request -------------------------
 */

/* By how the request begins; "#" in a body is how many it got, in one digit. */
static const struct {
    const char *request, *head, *body;
} answers[] = {
    {"GET /count ", "200 OK", "{\"n\": #}"},
    {"POST /write ", "201 Created", "{\"n\": #}"},
    {"POST /cut ", NULL, NULL},
    {"GET /cut ", NULL, NULL},
    {"POST /gone ", "502 Bad Gateway", ""},
    {"DELETE /empty ", "204 No Content", ""},
    {"GET /text ", "200 OK\r\nX-Kind: text", "plain #"},
    {"GET /user ", "200 OK", "{\"login\": \"ada\", \"username\": \"adb\"}"},
    {"GET /stars ", "404 Not Found", "{\"message\": \"no **** t0ken\"}"},
    {"GET /null ", "200 OK", "null"},
    {"GET /list?", "200 OK", "[1, 2]"},
    {"POST /graphql ", "200 OK", "{\"data\": {\"n\": #}}"},
    {"POST /api/graphql ", "200 OK",
     "{\"data\": null, \"errors\": [{\"message\": \"no such field\"}]}"},
    {"POST /limit/graphql ", "200 OK",
     "{\"errors\": [{\"type\": \"RATE_LIMITED\", \"message\": \"slowly\"}]}"},
};

static void reply(int fd, const char *head, const char *body, int count)
{
    CLEANUP(mem) char *text = xstrdup(body);
    CLEANUP(mem)
    char *answer = xasprintf("HTTP/1.1 %s\r\nContent-Length: %zu\r\n"
                             "Connection: close\r\n\r\n",
                             head, strlen(body));
    char *number = strchr(text, '#');

    if (number)
        *number = (char)('0' + count % 10);
    if (fd_write_all(fd, answer, strlen(answer), NULL) < 0 ||
        fd_write_all(fd, text, strlen(text), NULL) < 0)
        return;
    (void)shutdown(fd, SHUT_WR);
}

/* Requests of these tests come in one piece, with their bodies. */
static void serve(int fd, int count)
{
    char request[8192] = "";
    size_t len = 0;

    while (!strstr(request, "\r\n\r\n")) {
        ssize_t n = read(fd, request + len, sizeof(request) - 1 - len);

        if (n <= 0)
            return;
        len += (size_t)n;
        request[len] = '\0';
    }
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        if (strncmp(request, answers[i].request, strlen(answers[i].request)) !=
            0)
            continue;
        if (answers[i].head)
            reply(fd, answers[i].head, answers[i].body, count);
        return;
    }
    reply(fd, "404 Not Found", "{\"message\": \"Not Found\"}", count);
}

static pid_t host_pid;
static unsigned host_port;

static int start_host(void **state UNUSED)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(at);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;

    assert_int_equal(bind(listener, (struct sockaddr *)&at, size), 0);
    assert_int_equal(listen(listener, 16), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &size), 0);
    host_port = ntohs(at.sin_port);
    host_pid = fork();
    assert_true(host_pid >= 0);
    if (host_pid == 0) {
        (void)signal(SIGPIPE, SIG_IGN);
        for (int count = 1; (fd = accept(listener, NULL, NULL)) >= 0; count++) {
            serve(fd, count);
            (void)close(fd);
        }
        _exit(0);
    }
    (void)close(listener);
    return 0;
}

static int stop_host(void **state UNUSED)
{
    (void)kill(host_pid, SIGKILL);
    (void)waitpid(host_pid, NULL, 0);
    return 0;
}

/* ---- ours ---------------------------------------------------------------- */

static struct api *new_api_of(const char *token, const char *kind,
                              const char *below, int gap_ms)
{
    CLEANUP(mem)
    char *url = xasprintf("http://127.0.0.1:%u%s", host_port, below);
    json_t *setup =
        json_pack("{s:s,s:s,s:s,s:s,s:i,s:i}", "forge", kind, "api_url", url,
                  "base_url", "https://h.example.org", "token", token, "gap_ms",
                  gap_ms, "timeout_ms", 5000);
    struct api *api = NULL;
    struct err err = {0};

    assert_int_equal(api_new(setup, &api, &err), 0);
    json_decref(setup);
    return api;
}

static struct api *new_api(const char *kind, const char *below, int gap_ms)
{
    return new_api_of("t0ken", kind, below, gap_ms);
}

static int send_one(struct api *api, const char *method, const char *path,
                    bool is_write, int *out_n, struct err *err)
{
    json_t *body = json_pack("{s:s}", "some", "text");
    const struct api_request request = {
        .method = method, .path = path, .body = body, .is_write = is_write};
    struct api_answer answer = {0};
    int rc = api_send(api, &request, &answer, err);

    json_decref(body);
    if (rc < 0)
        return -1;
    if (out_n)
        *out_n = (int)json_integer_value(json_object_get(answer.json, "n"));
    api_answer_clear(&answer);
    return 0;
}

static void keeps_the_gap(void **state UNUSED)
{
    static const struct {
        const char *kind;
        bool waits;
    } kinds[] = {{"github", true}, {"gitlab", false}, {"gitea", false}};

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        CLEANUP(api) struct api *api = new_api(kinds[i].kind, "", GAP_MS);
        int64_t began = clock_mono_ms();
        json_t *json = NULL;

        assert_int_equal(send_one(api, "POST", "/write", true, NULL, NULL), 0);
        assert_int_equal(api_get(api, "/count", &json, NULL), 0);
        json_decref(json);
        /* Neither the first, nor what is no write. */
        assert_in_range(clock_mono_ms() - began, 0, GAP_MS - 200);
        assert_int_equal(send_one(api, "POST", "/write", true, NULL, NULL), 0);
        if (kinds[i].waits)
            assert_in_range(clock_mono_ms() - began, GAP_MS - 100, 60000);
        else
            assert_in_range(clock_mono_ms() - began, 0, GAP_MS - 200);
        assert_int_equal(api_requests(api), 3);
    }
}

static void writes_once(void **state UNUSED)
{
    CLEANUP(api) struct api *api = new_api("github", "", 0);
    struct err err = {0};
    json_t *json = NULL;
    int before, after;

    assert_int_equal(send_one(api, "POST", "/write", true, &before, NULL), 0);
    assert_int_equal(send_one(api, "POST", "/cut", true, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    assert_int_equal(api_failed(api).kind, API_AWAY);
    assert_int_equal(api_failed(api).status, 0);
    assert_int_equal(send_one(api, "POST", "/gone", false, NULL, &err), -1);
    assert_int_equal(api_failed(api).kind, API_AWAY);
    assert_int_equal(api_failed(api).status, 502);
    assert_non_null(strstr(err.msg, "POST /gone: 502"));
    assert_int_equal(send_one(api, "POST", "/write", true, &after, NULL), 0);
    assert_int_equal((after - before + 10) % 10, 3);
    assert_int_equal(api_failed(api).kind, API_OK);
    /* What only reads may be sent again. */
    assert_int_equal(api_get(api, "/cut", &json, &err), -1);
    assert_int_equal(send_one(api, "POST", "/write", true, &before, NULL), 0);
    assert_int_equal((before - after + 10) % 10, 3);
}

static void takes_what_comes(void **state UNUSED)
{
    CLEANUP(api) struct api *api = new_api("gitea", "", 0);
    const struct api_request text = {
        .method = "GET", .path = "/text", .accept = "text/plain"};
    const struct api_request empty = {.method = "DELETE", .path = "/empty"};
    struct api_answer answer = {0};
    struct err err = {0};
    json_t *json = NULL;
    bool all = false;

    assert_int_equal(api_send(api, &text, &answer, &err), 0);
    assert_null(answer.json);
    assert_memory_equal(answer.text.data, "plain ", 6);
    assert_string_equal(header_find(&answer.headers, "x-kind"), "text");
    api_answer_clear(&answer);
    assert_int_equal(api_send(api, &empty, &answer, &err), 0);
    assert_int_equal(answer.status, 204);
    assert_null(answer.json);
    api_answer_clear(&answer);
    assert_int_equal(api_get(api, "/null", &json, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    assert_int_equal(api_list(api, "/list", &json, &all, &err), 0);
    assert_int_equal(json_array_size(json), 2);
    assert_true(all);
    json_decref(json);
    assert_int_equal(api_get(api, "/nothing", &json, &err), -1);
    assert_string_equal(err.msg, "GET /nothing: 404: Not Found");
    assert_int_equal(api_failed(api).status, 404);
}

static void speaks_graphql(void **state UNUSED)
{
    struct api *api = new_api("github", "", 0);
    json_t *variables = json_pack("{s:i}", "a", 1), *data = NULL;
    struct err err = {0};

    assert_int_equal(api_graphql(api, "query { n }", variables, &data, &err),
                     0);
    assert_true(json_is_integer(json_object_get(data, "n")));
    json_decref(data);
    assert_int_equal(api_graphql(api, "query { n }", NULL, &data, &err), 0);
    json_decref(data);
    json_decref(variables);
    api_free(api);
    /* As GitHub Enterprise has it. */
    api = new_api("github", "/api/v3", 0);
    assert_int_equal(api_graphql(api, "query { n }", NULL, &data, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    assert_non_null(strstr(err.msg, "no such field"));
    api_free(api);
    api = new_api("github", "/limit", 0);
    assert_int_equal(api_graphql(api, "query { n }", NULL, &data, &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    assert_int_equal(api_failed(api).kind, API_PAUSED);
    assert_int_equal(api_failed(api).after_ms, 60000);
    api_free(api);
}

static void knows_itself(void **state UNUSED)
{
    static const char *const kinds[][2] = {
        {"github", "ada"}, {"gitlab", "adb"}, {"gitea", "ada"}};
    const char *login = NULL;

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        CLEANUP(api) struct api *api = new_api(kinds[i][0], "", 0);

        for (int again = 0; again < 2; again++) {
            assert_int_equal(api_self(api, &login, NULL), 0);
            assert_string_equal(login, kinds[i][1]);
        }
        assert_int_equal(api_requests(api), 1);
        assert_false(api_is_app(api));
        assert_string_equal(forge_name(api_kind(api)), kinds[i][0]);
    }
}

static void stays_where_it_is(void **state UNUSED)
{
    static const char *const paths[] = {
        "",       "count",     "/a/../count", "/../count",  "/a/..",
        "/./a",   "/a/..?x",   "/a b",        "/a\r\nX: y", "/a#b",
        "//../x", "/\xc3\xa4", "@evil.org/",  ".evil.org/",
    };
    CLEANUP(api) struct api *api = new_api("gitea", "", 0);
    json_t *json = NULL;

    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        assert_int_equal(api_get(api, paths[i], &json, NULL), -1);
        assert_int_equal(api_list(api, paths[i], &json, NULL, NULL), -1);
    }
    assert_int_equal(api_requests(api), 0);
}

static void quotes_no_token(void **state UNUSED)
{
    static const char *const tokens[][2] = {{"t0ken", "no **** *****"},
                                            {"****", "no **** t0ken"}};

    for (size_t i = 0; i < ARRAY_LEN(tokens); i++) {
        CLEANUP(api) struct api *api = new_api_of(tokens[i][0], "gitea", "", 0);
        json_t *json = NULL;
        struct err err = {0};

        assert_int_equal(api_get(api, "/stars", &json, &err), -1);
        assert_non_null(strstr(err.msg, tokens[i][1]));
    }
}

static void encodes(void **state UNUSED)
{
    CLEANUP(mem) char *name = api_encode("a/b.c-d_e~f");
    CLEANUP(mem) char *odd = api_encode("../\xc3\xa4 ?#%&");

    assert_string_equal(name, "a%2Fb.c-d_e~f");
    assert_string_equal(odd, "..%2F%C3%A4%20%3F%23%25%26");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_the_gap),    cmocka_unit_test(writes_once),
        cmocka_unit_test(takes_what_comes), cmocka_unit_test(speaks_graphql),
        cmocka_unit_test(knows_itself),     cmocka_unit_test(stays_where_it_is),
        cmocka_unit_test(quotes_no_token),  cmocka_unit_test(encodes),
    };

    return cmocka_run_group_tests_name("scheduler/forge/api", tests, start_host,
                                       stop_host);
}
