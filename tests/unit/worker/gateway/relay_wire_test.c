/* tests/unit/worker/gateway/relay_wire_test.c - requests, and what goes on. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/unit.h"
#include "worker/gateway/relay/dialect.h"
#include "worker/gateway/relay/wire.h"

#include <stdlib.h>
#include <string.h>

/* In one piece, and byte by byte: the same. Returns the status, 0: whole. */
static int read_all(const char *text, struct wire *out)
{
    CLEANUP(wire) struct wire pieces;
    struct err err = {0};
    int status = 0, again = 0, rc, part = 0;

    wire_init(out);
    wire_init(&pieces);
    rc = wire_feed(out, text, strlen(text), &status, &err);
    for (const char *s = text; *s && !part; s++)
        part = wire_feed(&pieces, s, 1, &again, &err);
    assert_int_equal(rc, part);
    assert_int_equal(status, again);
    if (rc == 1) {
        assert_int_equal(out->body.len, pieces.body.len);
        assert_memory_equal(out->body.data, pieces.body.data, out->body.len);
    }
    return rc == 1 ? 0 : rc == 0 ? 1 : status;
}

static void expect(const char *text, int status, const char *body)
{
    CLEANUP(wire) struct wire wire;

    assert_int_equal(read_all(text, &wire), status);
    if (!status)
        assert_string_equal(wire.body.data, body);
}

#define POST "POST /v1/chat/completions HTTP/1.1\r\n"

static void test_requests(void **state)
{
    (void)state;
    expect("GET /v1/models?x HTTP/1.1\r\nHost: h\r\n\r\n", 0, "");
    expect(POST "Content-Length: 3\r\n\r\nabcdef", 0, "abc");
    expect(POST "content-length:3  \r\n\r\nab", 1, NULL);
    expect(POST "Transfer-Encoding: chunked\r\n\r\n"
                "3\r\nabc\r\n00a;x=y\r\n0123456789\r\n0\r\nA: b\r\n\r\n",
           0, "abc0123456789");
    expect(POST "Content-Length: 0\r\n\r\n", 0, "");
    expect("hello\r\n\r\n", 400, NULL);
    expect("GET http://h/ HTTP/1.1\r\n\r\n", 404, NULL);
    expect("GET / HTTP/2.0\r\n\r\n", 400, NULL);
    expect(POST "Content-Length: 99999999\r\n\r\n", 413, NULL);
    expect(POST "Content-Length: +3\r\n\r\n", 400, NULL);
    expect(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: "
                "chunked\r\n\r\n",
           501, NULL);
    expect(POST " folded: x\r\n\r\n", 400, NULL);
    expect(POST "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", 400, NULL);
}

static void test_fields(void **state)
{
    CLEANUP(wire) struct wire wire;

    (void)state;
    assert_int_equal(
        read_all("POST /v1/messages?beta=true HTTP/1.0\r\n"
                 "anthropic-version: 2023-06-01\r\nExpect: 100-Continue\r\n"
                 "Content-Length: 1\r\n\r\n",
                 &wire),
        1);
    assert_string_equal(wire.path, "/v1/messages");
    assert_string_equal(wire.version, "2023-06-01");
    assert_true(wire.is_old && wire.wants_leave);
}

static void test_routes(void **state)
{
    (void)state;
    assert_int_equal(
        dialect_route(DIALECT_OPENAI, "POST", "/v1/chat/completions"),
        ROUTE_CHAT);
    assert_int_equal(dialect_route(DIALECT_OPENAI, "POST", "/v1/responses"),
                     ROUTE_RESPONSES);
    assert_int_equal(dialect_route(DIALECT_OPENAI, "POST", "/v1/messages"),
                     ROUTE_NONE);
    assert_int_equal(dialect_route(DIALECT_ANTHROPIC, "POST", "/v1/messages"),
                     ROUTE_MESSAGES);
    assert_int_equal(dialect_route(DIALECT_ANTHROPIC, "GET", "/v1/models"),
                     ROUTE_MODELS);
    assert_int_equal(dialect_route(DIALECT_OPENAI, "GET", "/v1/models/x"),
                     ROUTE_NONE);
    assert_int_equal(dialect_route(DIALECT_OPENAI, "PUT", "/v1/responses"),
                     ROUTE_NONE);
}

static void test_complaints(void **state)
{
    static const struct {
        const char *body, *wanted;
    } cases[] = {
        {"{\"error\":{\"message\":\"no\\nway\"}}", "no way"},
        {"{\"error\":\"out of it\"}", "out of it"},
        {"{\"type\":\"error\",\"message\":\"m\"}", "m"},
        {"<html>", ""},
        {"{\"error\":{\"message\":\"bad key sk-1 here\"}}", ""},
        {"{\"error\":{\"message\":\"0123456789012345678901234567890123456789\"}"
         "}",
         "012345678901234567890123456789"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(strbuf) struct strbuf out = STRBUF_MAX(31);

        dialect_complaint(cases[i].body, strlen(cases[i].body), "sk-1", &out);
        assert_string_equal(out.data, cases[i].wanted);
    }
}

static void test_write(void **state)
{
    char id[] = "m", other[] = "n";
    const struct relay_model first = {.id = id}, second = {.id = other};
    static const char body[] = "{\"model\":\"m\",\"stream\":true}";
    struct err err;
    json_t *request = dialect_parse(body, strlen(body), &err);
    CLEANUP(mem)
    char *chat = dialect_write(request, ROUTE_CHAT, &first, &first);
    CLEANUP(mem)
    char *same = dialect_write(request, ROUTE_RESPONSES, &first, &first);
    CLEANUP(mem)
    char *moved = dialect_write(request, ROUTE_MESSAGES, &first, &second);

    (void)state;
    assert_string_equal(chat, "{\"model\":\"m\",\"stream\":true,\"stream_"
                              "options\":{\"include_usage\":true}}");
    assert_string_equal(same, body);
    assert_string_equal(moved, "{\"model\":\"n\",\"stream\":true}");
    json_decref(request);
    assert_null(dialect_parse("{\"model\":1}", 11, &err));
    assert_null(dialect_parse("", 0, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),   cmocka_unit_test(test_fields),
        cmocka_unit_test(test_routes),     cmocka_unit_test(test_write),
        cmocka_unit_test(test_complaints),
    };

    return cmocka_run_group_tests_name("worker/gateway/relay_wire", tests, NULL,
                                       NULL);
}
