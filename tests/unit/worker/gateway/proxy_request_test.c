/* tests/unit/worker/gateway/proxy_request_test.c - requests and bodies. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/unit.h"
#include "worker/gateway/proxy_request.h"

#include <stdlib.h>
#include <string.h>

#define GET  "GET http://h.example/a HTTP/1.1\r\n"
#define HOST "Host: h.example\r\n"

static int64_t parse(const char *text, struct proxy_request *r, int *status,
                     struct err *err)
{
    *r = (struct proxy_request){0};
    *err = (struct err){0};
    *status = 0;
    return proxy_request_parse(text, strlen(text), r, status, err);
}

static void test_connect(void **state UNUSED)
{
    static const char *const good[] = {
        "CONNECT h.example:443 HTTP/1.1\r\nHost: h.example:443\r\n\r\n",
        "CONNECT h.example:443 HTTP/1.1\r\nHost: h.example\r\n\r\n",
        ("CONNECT H.Example.:443 HTTP/1.1\r\nhost:  h.example:443 \r\n"
         "Proxy-Connection: Keep-Alive\r\nUser-Agent: x\r\n\r\n"),
        "CONNECT h.example:443 HTTP/1.0\r\n\r\n",
    };

    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        CLEANUP(proxy_request) struct proxy_request r;
        struct err err;
        int status;
        int64_t n = parse(good[i], &r, &status, &err);

        if (n != (int64_t)strlen(good[i]))
            fail_msg("%s: %s", good[i], err.msg);
        assert_true(r.connect);
        assert_string_equal(r.host, "h.example");
        assert_int_equal(r.port, 443);
    }
}

static void assert_written(const char *text, const struct proxy_field *field,
                           const char *wanted)
{
    CLEANUP(proxy_request) struct proxy_request r;
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;
    struct err err;
    int status;

    if (parse(text, &r, &status, &err) <= 0)
        fail_msg("%s: %s", text, err.msg);
    assert_false(r.connect);
    proxy_request_write(&r, field, &out);
    assert_string_equal(out.data, wanted);
}

static void test_forward(void **state UNUSED)
{
    static const struct proxy_field key = {"Authorization", "Bearer s"};

    assert_written(GET HOST "\r\n", NULL,
                   "GET /a HTTP/1.1\r\nHost: h.example\r\n"
                   "Connection: close\r\n\r\n");
    assert_written("POST HTTP://H.example:8080?x HTTP/1.1\r\n"
                   "Host: h.example:8080\r\nContent-Length: 05\r\n"
                   "X: a\tb \r\n\r\n",
                   NULL,
                   "POST /?x HTTP/1.1\r\nHost: h.example:8080\r\nX: a\tb\r\n"
                   "Content-Length: 5\r\nConnection: close\r\n\r\n");
    /* Fields of this hop, those that Connection names among them, go. */
    assert_written(GET HOST "Connection: close, x-own ,,\r\nX-Own: 1\r\n"
                            "Keep-Alive: 5\r\nTE: trailers\r\nUpgrade: h2c\r\n"
                            "Proxy-Authorization: secret\r\n"
                            "Proxy-Connection: x\r\nAccept: */*\r\n\r\n",
                   NULL,
                   "GET /a HTTP/1.1\r\nHost: h.example\r\nAccept: */*\r\n"
                   "Connection: close\r\n\r\n");
    assert_written("PUT http://h.example HTTP/1.1\r\n" HOST
                   "transfer-encoding: Chunked\r\n\r\n",
                   NULL,
                   "PUT / HTTP/1.1\r\nHost: h.example\r\n"
                   "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
    assert_written(GET HOST "authorization: mine\r\nAUTHORIZATION: two\r\n\r\n",
                   &key,
                   "GET /a HTTP/1.1\r\nHost: h.example\r\n"
                   "Authorization: Bearer s\r\nConnection: close\r\n\r\n");
}

static void test_refused(void **state UNUSED)
{
    static const struct {
        const char *text;
        int status;
        const char *says;
    } cases[] = {
        {"\r\n\r\n", 400, "first line"},
        {"GET\r\n\r\n", 400, "first line"},
        {"GET  HTTP/1.1\r\n\r\n", 400, "proxy"},
        {"GET /a HTTP/1.1\r\n" HOST "\r\n", 400, "proxy"},
        {"OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 400, "proxy"},
        {"GET https://h.example/ HTTP/1.1\r\n" HOST "\r\n", 400, "CONNECT"},
        {"GET ftp://h.example/ HTTP/1.1\r\n" HOST "\r\n", 400, "proxy"},
        {"GET http:///a HTTP/1.1\r\n" HOST "\r\n", 400, "1 to 253"},
        {"GET http://u@h.example/ HTTP/1.1\r\n" HOST "\r\n", 400, "user name"},
        {"GET http://h.example/#x HTTP/1.1\r\n" HOST "\r\n", 400, "target"},
        {"GET http://h.example/ x HTTP/1.1\r\n" HOST "\r\n", 400, "target"},
        {"GET http://h.example/\tx HTTP/1.1\r\n" HOST "\r\n", 400, "target"},
        {"GET http://127.0.0.1/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 400,
         "by name"},
        {"GET http://[::1]/ HTTP/1.1\r\nHost: [::1]\r\n\r\n", 400, "by name"},
        {"GET http://h.example/ HTTP/2.0\r\n" HOST "\r\n", 505, "1.1"},
        {"GET http://h.example/ http/1.1\r\n" HOST "\r\n", 505, "1.1"},
        {"G@T http://h.example/ HTTP/1.1\r\n" HOST "\r\n", 400, "first line"},
        {GET "\r\n", 400, "one Host"},
        {GET HOST HOST "\r\n", 400, "one Host"},
        {GET "Host: other.example\r\n\r\n", 400, "not that of the target"},
        {GET "Host: h.example:81\r\n\r\n", 400, "not that of the target"},
        {GET "Host: h.example, x\r\n\r\n", 400, "target"},
        {GET "Host:\r\n\r\n", 400, "target"},
        {GET HOST "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", 400,
         "more than once"},
        {GET HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
         400, "more than once"},
        {GET HOST "Transfer-Encoding: chunked\r\n"
                  "Transfer-Encoding: chunked\r\n\r\n",
         400, "more than once"},
        {GET HOST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501, "chunked"},
        {GET HOST "Transfer-Encoding: xchunked\r\n\r\n", 501, "chunked"},
        {GET HOST "Transfer-Encoding:\r\n\r\n", 501, "chunked"},
        {GET HOST "Content-Length: +1\r\n\r\n", 400, "Content-Length"},
        {GET HOST "Content-Length: 1, 1\r\n\r\n", 400, "Content-Length"},
        {GET HOST "Content-Length:\r\n\r\n", 400, "Content-Length"},
        {GET HOST "Content-Length: 9999999999999999999\r\n\r\n", 400,
         "Content-Length"},
        {GET HOST "A: b\r\n c\r\n\r\n", 400, "folded"},
        {GET " A: b\r\n" HOST "\r\n", 400, "folded"},
        {GET HOST "A : b\r\n\r\n", 400, "malformed"},
        {GET HOST "A\r\n\r\n", 400, "malformed"},
        {GET HOST ": b\r\n\r\n", 400, "malformed"},
        {GET HOST "A: b\x01\r\n\r\n", 400, "control"},
        {GET HOST "A: b\nB: c\r\n\r\n", 400, "CR LF"},
        {GET HOST "A: b\rB: c\r\n\r\n", 400, "CR LF"},
        {"GET http://h.example/a HTTP/1.1\n", 400, "CR LF"},
        {GET HOST "Connection: content-length\r\nContent-Length: 3\r\n\r\n",
         400, "Connection"},
        {GET HOST "Connection: host\r\n\r\n", 400, "Connection"},
        {GET HOST "Connection: a b\r\n\r\n", 400, "Connection"},
        {"POST http://h.example/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n"
         "\r\n",
         400, "1.0"},
        {"CONNECT h.example HTTP/1.1\r\nHost: h.example\r\n\r\n", 400,
         "host:port"},
        {"CONNECT http://h.example/ HTTP/1.1\r\nHost: h.example\r\n\r\n", 400,
         NULL},
        {"CONNECT h.example:443 HTTP/1.1\r\nHost: o.example:443\r\n\r\n", 400,
         "target"},
        {"CONNECT h.example:443 HTTP/1.1\r\nHost: h.example:444\r\n\r\n", 400,
         "target"},
        {"CONNECT h.example:443 HTTP/1.1\r\nHost: h.example\r\n"
         "Content-Length: 5\r\n\r\n",
         400, "no body"},
        {"CONNECT 10.0.0.1:443 HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n", 400,
         "by name"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct proxy_request r;
        struct err err;
        int status;

        if (parse(cases[i].text, &r, &status, &err) != -1)
            fail_msg("was taken: %s", cases[i].text);
        if (cases[i].says && !strstr(err.msg, cases[i].says))
            fail_msg("%s: %s", cases[i].text, err.msg);
        assert_int_equal(status, cases[i].status);
        assert_null(r.method);
    }
}

static void test_bounds(void **state UNUSED)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    struct proxy_request r;
    struct err err;
    int status;

    for (int i = 0; i <= PROXY_MAX_FIELDS; i++)
        strbuf_addf(&text, "%s", i ? "A: b\r\n" : GET HOST);
    strbuf_adds(&text, "\r\n");
    assert_int_equal(parse(text.data, &r, &status, &err), -1);
    assert_int_equal(status, 431);

    strbuf_cut(&text, 0);
    strbuf_adds(&text, GET "A: ");
    while (text.len < PROXY_HEAD_MAX_BYTES - 1)
        strbuf_addc(&text, 'x');
    assert_int_equal(parse(text.data, &r, &status, &err), 0);
    strbuf_addc(&text, 'x');
    assert_int_equal(parse(text.data, &r, &status, &err), -1);
    assert_int_equal(status, 431);
}

/* Whole at the last byte only, and a NUL is no end. */
static void test_pieces(void **state UNUSED)
{
    static const char text[] = GET HOST "A: b\r\n\r\nGET";
    size_t whole = sizeof(text) - 4;
    CLEANUP(proxy_request) struct proxy_request r = {0};
    struct err err;
    int status;

    for (size_t i = 0; i < whole; i++)
        assert_int_equal(proxy_request_parse(text, i, &r, &status, &err), 0);
    assert_int_equal(
        proxy_request_parse(text, sizeof(text) - 1, &r, &status, &err), whole);
    assert_int_equal(
        proxy_request_parse("GET \0 HTTP/1.1\r\n\r\n", 18, &r, &status, &err),
        -1);
}

static void assert_body(const char *text, int64_t bytes, bool over)
{
    size_t len = strlen(text);

    /* At once, and byte by byte. */
    for (size_t step = 1; step <= len; step += len > 1 ? len - 1 : 1) {
        struct proxy_body body = {.kind = BODY_CHUNKED};
        int64_t taken = 0;

        for (size_t at = 0; at < len && taken >= 0 && !body.over; at += step) {
            int64_t n = proxy_body_take(&body, text + at,
                                        at + step > len ? len - at : step);

            taken = n < 0 ? -1 : taken + n;
        }
        if (taken != bytes || (bytes >= 0 && body.over != over))
            fail_msg("'%s': %lld, %d", text, (long long)taken, body.over);
    }
}

static void test_bodies(void **state UNUSED)
{
    struct proxy_request sized = {.body = BODY_LENGTH, .length = 5};
    struct proxy_request none = {.body = BODY_NONE};
    struct proxy_body body;

    assert_body("3\r\nabc\r\n0\r\n\r\n", 13, true);
    assert_body("3\r\nabc\r\n0\r\n\r\nGET ", 13, true);
    assert_body("A\r\n0123456789\r\n0001\r\nx\r\n00\r\n\r\n", 30, true);
    assert_body("3\r\nab", 5, false);
    assert_body("\r\n", -1, false);
    assert_body("3;x=y\r\nabc\r\n", -1, false);
    assert_body("3\nabc\r\n", -1, false);
    assert_body("3 \r\nabc\r\n", -1, false);
    assert_body("-3\r\n", -1, false);
    assert_body("0x3\r\n", -1, false);
    assert_body("3\r\nabcd\r\n", -1, false);
    assert_body("3\r\nabc\n", -1, false);
    assert_body("0\r\nTrailer: x\r\n\r\n", -1, false);
    assert_body("1000000000000000\r\n", -1, false);
    assert_body("0000000000000000\r\n", -1, false);
    assert_body("fffffffffffffff\r\nab", 19, false);

    proxy_body_init(&body, &sized);
    assert_int_equal(proxy_body_take(&body, "abc", 3), 3);
    assert_false(body.over);
    assert_int_equal(proxy_body_take(&body, "deGET", 5), 2);
    assert_true(body.over);
    proxy_body_init(&body, &none);
    assert_true(body.over);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connect), cmocka_unit_test(test_forward),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_pieces),  cmocka_unit_test(test_bodies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
