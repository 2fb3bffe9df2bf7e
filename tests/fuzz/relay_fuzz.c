/* tests/fuzz/relay_fuzz.c - what sandboxes ask, and models answer. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"
#include "worker/gateway/relay/answer.h"
#include "worker/gateway/relay/dialect.h"
#include "worker/gateway/relay/wire.h"

/* In two pieces it is what it is in one. */
static void try_request(const char *text, size_t len)
{
    CLEANUP(wire) struct wire one;
    CLEANUP(wire) struct wire two;
    int status = 0, again = 0;
    int rc, part;

    wire_init(&one);
    wire_init(&two);
    rc = wire_feed(&one, text, len, &status, NULL);
    part = wire_feed(&two, text, len / 2, &again, NULL);
    if (part == 0)
        part = wire_feed(&two, text + len / 2, len - len / 2, &again, NULL);
    require(rc != -1 || status >= 400);
    require(rc != 1 || (part == 1 && one.body.len == two.body.len &&
                        !memcmp(one.body.data, two.body.data, one.body.len)));
    require(one.body.len <= WIRE_BODY_MAX && one.head.len <= WIRE_HEAD_MAX);
}

static void try_body(const char *text, size_t len)
{
    char id[] = "small", key[] = "k";
    const struct relay_model model = {.id = id, .key = key};
    struct err err = {0};
    json_t *request = dialect_parse(text, len, &err);
    CLEANUP(mem) char *written = NULL;
    json_t *again;

    if (!request) {
        require(err.kind == ERR_USER);
        return;
    }
    (void)dialect_wants_stream(request);
    require(dialect_most_output(request, &model) > 0 &&
            dialect_most_output(request, &model) < TOKENS_MAX);
    written = dialect_write(request, ROUTE_CHAT, &model, &model);
    again = json_loads(written, JSON_ALLOW_NUL, NULL);
    require(json_equal(json_object_get(request, "model"),
                       json_object_get(again, "model")) == 1);
    json_decref(again);
    json_decref(request);
}

static void try_answer(const char *text, size_t len)
{
    CLEANUP(answer) struct answer one;
    CLEANUP(answer) struct answer two;
    struct token_count tokens;

    answer_init(&one, 4096);
    answer_init(&two, 4096);
    answer_feed(&one, text, len);
    for (size_t i = 0; i < len; i++)
        answer_feed(&two, text + i, 1);
    answer_finish(&one);
    answer_finish(&two);
    require(one.content_bytes == two.content_bytes &&
            one.events == two.events && one.hollow == two.hollow);
    tokens = answer_tokens(&one, len);
    require(tokens.input <= TOKENS_MAX && tokens.output <= TOKENS_MAX);
}

static void try_complaint(const char *text, size_t len)
{
    CLEANUP(strbuf) struct strbuf out = STRBUF_MAX(100);

    dialect_complaint(text, len, "sk-1", &out);
    require(!strstr(out.data, "sk-1") && !strchr(out.data, '\n'));
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
    case 'c':
        try_complaint(text + 1, size - 1);
        break;
    default:
        try_answer(text + 1, size - 1);
    }
    return 0;
}
