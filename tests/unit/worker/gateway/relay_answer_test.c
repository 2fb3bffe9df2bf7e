/* tests/unit/worker/gateway/relay_answer_test.c - tokens and content. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/unit.h"
#include "worker/gateway/relay/answer.h"

#include <string.h>

/* In one piece, and byte by byte: the same. */
static void read_all(const char *text, struct answer *out)
{
    struct answer pieces;

    answer_init(out, 4096);
    answer_init(&pieces, 4096);
    answer_feed(out, text, strlen(text));
    for (const char *s = text; *s; s++)
        answer_feed(&pieces, s, 1);
    answer_finish(out);
    answer_finish(&pieces);
    assert_int_equal(out->tokens.input, pieces.tokens.input);
    assert_int_equal(out->tokens.output, pieces.tokens.output);
    assert_int_equal(out->content_bytes, pieces.content_bytes);
    assert_int_equal(out->events, pieces.events);
    answer_clear(&pieces);
}

struct example {
    const char *text;
    bool has_tokens;
    uint64_t input, output, cached, content;
};

static void check(const struct example *examples, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct example *e = &examples[i];
        CLEANUP(answer) struct answer answer;

        read_all(e->text, &answer);
        assert_int_equal(answer.has_tokens, e->has_tokens);
        assert_int_equal(answer.tokens.input, e->input);
        assert_int_equal(answer.tokens.output, e->output);
        assert_int_equal(answer.tokens.cached, e->cached);
        assert_int_equal(answer.content_bytes, e->content);
    }
}

static void test_objects(void **state)
{
    static const struct example examples[] = {
        {"{\"choices\":[{\"message\":{\"content\":\"abc\"}}],\"usage\":{"
         "\"prompt_tokens\":9,\"completion_tokens\":3,\"prompt_tokens_"
         "details\":{\"cached_tokens\":4}}}",
         true, 9, 3, 4, 3},
        {"\n {\"choices\":[{\"message\":{\"content\":null,\"tool_calls\":[{"
         "\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}}]}",
         false, 0, 0, 0, 3},
        {"{\"output\":[{\"type\":\"message\",\"content\":[{\"type\":"
         "\"output_text\",\"text\":\"ab\"}]}],\"usage\":{\"input_tokens\":5,"
         "\"output_tokens\":2,\"input_tokens_details\":{\"cached_tokens\":1}}}",
         true, 5, 2, 1, 2},
        {"{\"type\":\"message\",\"content\":[{\"type\":\"text\",\"text\":"
         "\"abcd\"}],\"usage\":{\"input_tokens\":5,\"cache_read_input_"
         "tokens\":100,\"cache_creation_input_tokens\":10,\"output_tokens\":7}"
         "}",
         true, 115, 7, 100, 4},
        {"\xef\xbb\xbf{\"choices\":[{\"message\":{\"content\":\"abc\"}}]}",
         false, 0, 0, 0, 3},
        {"{\"choices\":[],\"usage\":null}", false, 0, 0, 0, 0},
        {"{\"choices\":[{\"message\":{\"content\":\"\"}}],\"usage\":{"
         "\"prompt_tokens\":-5,\"completion_tokens\":1e300}}",
         true, 0, TOKENS_MAX, 0, 0},
        {"{\"choices\":", false, 0, 0, 0, 0},
        {"hello", false, 0, 0, 0, 0},
        {"", false, 0, 0, 0, 0},
    };

    (void)state;
    check(examples, ARRAY_LEN(examples));
}

static void test_streams(void **state)
{
    static const struct example examples[] = {
        {"\xef\xbb\xbf"
         "data: {\"choices\":[{\"delta\":{\"content\":\"ab\"}}]}\r\r"
         ": a comment\r\r"
         "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,"
         "\"completion_tokens\":2}}\r\rdata: [DONE]\r\r",
         true, 7, 2, 0, 2},
        {"data: {\"choices\":[{\"delta\":{\"role\":\"assistant\","
         "\"content\":\"\"}}]}\n\n"
         "data: {\"choices\":[{\"delta\":{\"content\":\"ab\"}}]}\r\n\r\n"
         "data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"c\"}}]}\n\n"
         "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,"
         "\"completion_tokens\":2}}\n\n"
         "data: [DONE]\n\n",
         true, 7, 2, 0, 3},
        {"event: message_start\n"
         "data: {\"type\":\"message_start\",\"message\":{\"usage\":{"
         "\"input_tokens\":3,\"output_tokens\":1}}}\n\n"
         ": a comment\n"
         "data: {\"type\":\"content_block_delta\",\"delta\":{\"type\":"
         "\"text_delta\",\"text\":\"abc\"}}\n\n"
         "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":"
         "\"end_turn\"},\"usage\":{\"output_tokens\":9}}\n\n"
         "data: {\"type\":\"message_stop\"}\n\n",
         true, 3, 9, 0, 3},
        /* What came in pieces does not count again as a whole. */
        {"data: {\"type\":\"response.output_text.delta\",\"delta\":\"ab\"}\n\n"
         "data: {\"type\":\"response.completed\",\"response\":{\"output\":[{"
         "\"content\":[{\"text\":\"ab\"}]}],\"usage\":{\"input_tokens\":4,"
         "\"output_tokens\":1}}}\n\n",
         true, 4, 1, 0, 2},
        {"data: {\"type\":\"response.output_item.done\",\"item\":{\"type\":"
         "\"function_call\",\"name\":\"f\",\"arguments\":\"{}\"}}\n\n",
         false, 0, 0, 0, 3},
        /* An end without a line end is one, too. */
        {"data:{\"choices\":[{\"delta\":{\"content\":\"x\"}}]}", false, 0, 0, 0,
         1},
    };

    (void)state;
    check(examples, ARRAY_LEN(examples));
}

static void test_hollow(void **state)
{
    CLEANUP(answer) struct answer answer;

    (void)state;
    answer_init(&answer, 4096);
    for (int i = 0; i < 5; i++)
        answer_feed(&answer, "data: {}\n\n", 10);
    assert_int_equal(answer.hollow, 5);
    answer_feed(&answer, "data: [1\n", 9);
    assert_int_equal(answer.hollow, 6);
    answer_feed(&answer, "data: {\"delta\":\"a\"}\n", 20);
    assert_int_equal(answer.hollow, 0);
    assert_false(answer.has_end);
    answer_feed(&answer, "data: [DONE]\n", 13);
    assert_true(answer.has_end);
}

/* An event that is too long is none; the next is read again. */
static void test_bounds(void **state)
{
    CLEANUP(answer) struct answer answer;
    char long_line[300];

    (void)state;
    memset(long_line, 'x', sizeof(long_line));
    answer_init(&answer, 100);
    answer_feed(&answer, "data: ", 6);
    for (int i = 0; i < 100; i++)
        answer_feed(&answer, long_line, sizeof(long_line));
    answer_feed(&answer, "\ndata: {\"delta\":\"abc\"}\n", 23);
    assert_int_equal(answer.content_bytes, 3);
    assert_true(answer.line.cap < 1000);
}

static void test_estimate(void **state)
{
    CLEANUP(answer) struct answer answer;
    struct token_count tokens;

    (void)state;
    read_all("data: {\"delta\":\"abcde\"}\n", &answer);
    tokens = answer_tokens(&answer, 9);
    assert_int_equal(tokens.input, 3);
    assert_int_equal(tokens.output, 2);
    assert_true(tokens.estimated);
}

/* Who goes before the end has had what came until then. */
static void test_cut(void **state)
{
    static const char begin[] =
        "data: {\"type\":\"message_start\",\"message\":{\"usage\":{"
        "\"input_tokens\":30,\"output_tokens\":1}}}\n\n"
        "data: {\"type\":\"content_block_delta\",\"delta\":{\"type\":"
        "\"text_delta\",\"text\":\"0123456789abcdef\"}}\n\n";
    static const char rest[] =
        "data: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":3}}"
        "\n\ndata: {\"type\":\"message_stop\"}\n\n";
    CLEANUP(answer) struct answer answer;
    struct token_count tokens;

    (void)state;
    answer_init(&answer, 4096);
    answer_feed(&answer, begin, strlen(begin));
    tokens = answer_tokens(&answer, 400);
    assert_int_equal(tokens.input, 30);
    assert_int_equal(tokens.output, 4);
    assert_true(tokens.estimated);
    answer_feed(&answer, rest, strlen(rest));
    tokens = answer_tokens(&answer, 400);
    assert_int_equal(tokens.output, 3);
    assert_false(tokens.estimated);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_objects),  cmocka_unit_test(test_streams),
        cmocka_unit_test(test_hollow),   cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_estimate), cmocka_unit_test(test_cut),
    };

    return cmocka_run_group_tests_name("worker/gateway/relay_answer", tests,
                                       NULL, NULL);
}
