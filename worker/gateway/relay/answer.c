/* worker/gateway/relay/answer.c - what a model's answer has in it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/gateway/relay/answer.h"

#include <jansson.h>
#include <string.h>

#define BYTES_PER_TOKEN 4

void answer_init(struct answer *answer, size_t max_bytes)
{
    *answer = (struct answer){.line = STRBUF_MAX(max_bytes)};
}

void answer_clear(struct answer *answer)
{
    strbuf_clear(&answer->line);
}

/* ---- tokens ---------------------------------------------------------------
 */

static void take_most(const json_t *object, const char *field, uint64_t *most)
{
    const json_t *value = json_object_get(object, field);
    double number = json_number_value(value);

    if (!json_is_number(value) || !(number > (double)*most))
        return;
    *most = number < (double)TOKENS_MAX ? (uint64_t)number : TOKENS_MAX;
}

static bool has_any(const json_t *usage)
{
    static const char *const fields[] = {"prompt_tokens", "completion_tokens",
                                         "input_tokens", "output_tokens"};

    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (json_is_number(json_object_get(usage, fields[i])))
            return true;
    return false;
}

/*
 * Of OpenAI what was cached is among the input; of Anthropic it comes on top.
 * What is told several times grows: the last is the most.
 */
static void take_usage(struct answer *answer, const json_t *usage)
{
    struct token_count *tokens = &answer->tokens;
    const json_t *creation = json_object_get(usage, "cache_creation");
    uint64_t input = 0, read = 0, written = 0;

    if (!has_any(usage))
        return;
    answer->has_tokens = true;
    take_most(usage, "completion_tokens", &tokens->output);
    take_most(usage, "output_tokens", &tokens->output);
    take_most(json_object_get(usage, "prompt_tokens_details"), "cached_tokens",
              &tokens->cached);
    take_most(json_object_get(usage, "input_tokens_details"), "cached_tokens",
              &tokens->cached);
    take_most(usage, "prompt_tokens", &input);
    take_most(usage, "input_tokens", &input);
    take_most(usage, "cache_read_input_tokens", &read);
    take_most(usage, "cache_creation_input_tokens", &written);
    take_most(creation, "ephemeral_1h_input_tokens", &tokens->hours);
    input += read + written;
    if (written > tokens->written)
        tokens->written = written;
    if (read > tokens->cached)
        tokens->cached = read;
    if (input > tokens->input)
        tokens->input = input < TOKENS_MAX ? input : TOKENS_MAX;
}

/* ---- content --------------------------------------------------------------
 */

static size_t text_of(const json_t *object, const char *field)
{
    return json_string_length(json_object_get(object, field));
}

/* The message of a choice, or what an event adds to it. */
static size_t chat_content(const json_t *message)
{
    static const char *const fields[] = {"content", "reasoning_content",
                                         "reasoning", "refusal"};
    const json_t *calls = json_object_get(message, "tool_calls");
    const json_t *call;
    size_t bytes = 0, i;

    for (i = 0; i < ARRAY_LEN(fields); i++)
        bytes += text_of(message, fields[i]);
    json_array_foreach(calls, i, call)
    {
        const json_t *function = json_object_get(call, "function");

        bytes += text_of(function, "name") + text_of(function, "arguments");
    }
    return bytes;
}

/* A block of Anthropic's, or what is added to one. */
static size_t block_content(const json_t *block)
{
    static const char *const fields[] = {"text", "thinking", "partial_json",
                                         "name"};
    const json_t *input = json_object_get(block, "input");
    size_t bytes = 0;

    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        bytes += text_of(block, fields[i]);
    return bytes + json_object_size(input);
}

/* An item of the output of a response. */
static size_t item_content(const json_t *item)
{
    const json_t *parts = json_object_get(item, "content");
    const json_t *part;
    size_t bytes = text_of(item, "name") + text_of(item, "arguments"), i;

    json_array_foreach(parts, i, part)
    {
        bytes += text_of(part, "text") + text_of(part, "refusal");
    }
    return bytes;
}

static size_t list_content(const json_t *list,
                           size_t (*content)(const json_t *item))
{
    const json_t *item;
    size_t bytes = 0, i;

    json_array_foreach(list, i, item)
    {
        bytes += content(item);
    }
    return bytes;
}

static size_t choice_content(const json_t *choice)
{
    return chat_content(json_object_get(choice, "delta")) +
           chat_content(json_object_get(choice, "message")) +
           text_of(choice, "text");
}

static bool is_end(const json_t *object)
{
    static const char *const types[] = {"message_stop", "response.completed",
                                        "response.incomplete",
                                        "response.failed"};
    const char *type = json_string_value(json_object_get(object, "type"));

    for (size_t i = 0; type && i < ARRAY_LEN(types); i++)
        if (!strcmp(type, types[i]))
            return true;
    return false;
}

/* An event, or a whole answer. Where a form has no such field, it is none. */
static void take_object(struct answer *answer, const json_t *object)
{
    const json_t *delta = json_object_get(object, "delta");
    const json_t *response = json_object_get(object, "response");
    const json_t *message = json_object_get(object, "message");
    size_t bytes =
        list_content(json_object_get(object, "choices"), choice_content) +
        list_content(json_object_get(object, "content"), block_content) +
        json_string_length(delta) + block_content(delta) +
        block_content(json_object_get(object, "content_block"));

    if (!answer->content_bytes) /* else it was told in pieces */
        bytes +=
            list_content(json_object_get(object, "output"), item_content) +
            list_content(json_object_get(response, "output"), item_content) +
            item_content(json_object_get(object, "item"));
    answer->content_bytes += bytes;
    answer->hollow = bytes ? 0 : answer->hollow + 1;
    take_usage(answer, json_object_get(object, "usage"));
    take_usage(answer, json_object_get(response, "usage"));
    take_usage(answer, json_object_get(message, "usage"));
    answer->has_end = answer->has_end || is_end(object);
}

static void take_json(struct answer *answer, const char *text, size_t len)
{
    json_t *object = json_loadb(text, len, JSON_ALLOW_NUL, NULL);

    if (object)
        take_object(answer, object);
    else
        answer->hollow++;
    json_decref(object);
}

/* ---- events ---------------------------------------------------------------
 */

/* Each line of data is an event of its own, as all of them send it. */
static void take_line(struct answer *answer)
{
    const char *line = answer->line.data;
    size_t len = answer->line.len;

    while (len && line[len - 1] == ' ')
        len--;
    if (len < 5 || memcmp(line, "data:", 5) != 0)
        return;
    line += 5;
    len -= 5;
    while (len && *line == ' ') {
        line++;
        len--;
    }
    answer->events++;
    if (len == 6 && !memcmp(line, "[DONE]", 6))
        answer->has_end = true;
    else
        take_json(answer, line, len);
}

/* LF, CR, or both, which leaves a line with nothing in it. */
static const char *end_of_line(const char *text, size_t len)
{
    const char *lf = memchr(text, '\n', len);
    const char *cr = memchr(text, '\r', lf ? (size_t)(lf - text) : len);

    return cr ? cr : lf;
}

static void feed_lines(struct answer *answer, const char *text, size_t len)
{
    while (len) {
        const char *end = end_of_line(text, len);
        size_t part = end ? (size_t)(end - text) : len;

        strbuf_add(&answer->line, text, part);
        if (!end)
            return;
        take_line(answer);
        strbuf_cut(&answer->line, 0);
        answer->line.truncated = false;
        text += part + 1;
        len -= part + 1;
    }
}

/* Blanks, and the three bytes by which some say that it is UTF-8. */
static bool is_before(char c)
{
    return c && strchr(" \t\r\n\xef\xbb\xbf", c);
}

void answer_feed(struct answer *answer, const void *data, size_t len)
{
    const char *text = data;

    while (!answer->begun && len && is_before(*text)) {
        text++;
        len--;
    }
    if (!len)
        return;
    if (!answer->begun)
        answer->is_json = *text == '{';
    answer->begun = true;
    if (answer->is_json)
        strbuf_add(&answer->line, text, len);
    else
        feed_lines(answer, text, len);
}

void answer_finish(struct answer *answer)
{
    if (answer->is_json)
        take_json(answer, answer->line.data, answer->line.len);
    else if (answer->line.len)
        take_line(answer);
    strbuf_cut(&answer->line, 0);
}

uint64_t answer_estimate(uint64_t bytes)
{
    return (bytes + BYTES_PER_TOKEN - 1) / BYTES_PER_TOKEN;
}

struct token_count answer_tokens(const struct answer *answer,
                                 size_t request_bytes)
{
    /* Of an object that is not whole nobody knows what is content. */
    const uint64_t seen = answer_estimate(
        answer->content_bytes + (answer->is_json ? answer->line.len : 0));
    struct token_count tokens = answer->tokens;

    if (!answer->has_tokens)
        return (struct token_count){
            .input = answer_estimate(request_bytes),
            .output = seen,
            .estimated = true,
        };
    /* Some tell a first number before they write: who leaves, saw more. */
    if (!answer->is_json && !answer->has_end && seen > tokens.output) {
        tokens.output = seen;
        tokens.estimated = true;
    }
    return tokens;
}
