/* tests/fuzz/gateway_fuzz.c - what a sandbox sends to its gateway. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"
#include "worker/gateway/address.h"
#include "worker/gateway/client_hello.h"
#include "worker/gateway/proxy_request.h"

static void check_name(const char *name)
{
    char again[HOST_NAME_SIZE];

    require(*name && host_name_parse(name, strlen(name), again, NULL) == 0);
    require(strcmp(name, again) == 0);
}

/* What we write means the same when a proxy of our own kind reads it. */
static void check_written(const struct proxy_request *r)
{
    CLEANUP(proxy_request) struct proxy_request again = {0};
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    size_t method = strlen(r->method) + 1;
    int status;

    proxy_request_write(r, NULL, &out);
    require(!strchr(r->path, '\r') && !strchr(r->path, ' '));
    strbuf_addf(&text, "%s http://%s:%u%s", r->method, r->host,
                (unsigned)r->port, out.data + method);
    if (text.len >= PROXY_HEAD_MAX_BYTES ||
        r->names.count + 3 > PROXY_MAX_FIELDS)
        return;
    require(proxy_request_parse(text.data, text.len, &again, &status, NULL) ==
            (int64_t)text.len);
    require(strcmp(again.path, r->path) == 0 && again.body == r->body &&
            again.length == r->length && again.names.count == r->names.count);
}

static void try_request(const char *text, size_t len)
{
    CLEANUP(proxy_request) struct proxy_request r = {0};
    struct proxy_body body;
    int status = 0;
    int64_t n = proxy_request_parse(text, len, &r, &status, NULL);

    if (n <= 0) {
        require(n == 0 ? len < PROXY_HEAD_MAX_BYTES : status >= 400);
        return;
    }
    require((size_t)n <= len && r.port);
    check_name(r.host);
    if (r.connect)
        return;
    check_written(&r);
    proxy_body_init(&body, &r);
    n = proxy_body_take(&body, text + n, len - (size_t)n);
    require(n < 0 || (size_t)n <= len);
}

/* In two pieces it ends where it ends in one. */
static void try_body(const char *text, size_t len)
{
    struct proxy_body one = {.kind = BODY_CHUNKED}, two = one;
    int64_t n = proxy_body_take(&one, text, len);
    int64_t first = proxy_body_take(&two, text, len / 2);
    int64_t rest =
        first < 0 ? -1
                  : proxy_body_take(&two, text + first, len - (size_t)first);

    require(rest < 0 ? n < 0 : n == first + rest && one.over == two.over);
}

static void try_hello(const char *text, size_t len)
{
    char name[HOST_NAME_SIZE];
    struct err err = {0};
    int rc = client_hello_name(text, len, name, &err);

    if (rc == 1)
        check_name(name);
    require(rc != 0 || len < CLIENT_HELLO_MAX_BYTES);
    require(rc != -1 || err.kind == ERR_USER);
}

static void try_rule(const char *text)
{
    struct host_rule rule;
    struct address_range range;

    if (host_rule_parse(text, &rule, NULL) == 0) {
        check_name(rule.name);
        require(host_rule_allows(&rule, rule.name, 443) ==
                (!rule.below && (!rule.port || rule.port == 443)));
    }
    if (address_range_parse(text, &range, NULL) == 0)
        require(range.bits <= 128);
}

/* The first byte says what it is. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(mem) char *text = fuzz_text(data, size);

    if (!size)
        return 0;
    switch (*text) {
    case 'r':
        try_request(text + 1, size - 1);
        break;
    case 'b':
        try_body(text + 1, size - 1);
        break;
    case 'h':
        try_hello(text + 1, size - 1);
        break;
    default:
        try_rule(text + 1);
    }
    return 0;
}
