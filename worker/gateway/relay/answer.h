/* worker/gateway/relay/answer.h - what a model's answer has in it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_GATEWAY_RELAY_ANSWER_H
#define WORKER_GATEWAY_RELAY_ANSWER_H

#include "base/strbuf.h"
#include "worker/gateway/relay/tally.h"

/*
 * Reads along, of chat completions and responses of OpenAI and messages of
 * Anthropic, whichever it is; and a stream of events (the HTML Living
 * Standard, 9.2) or one JSON object: the first byte tells. What is neither
 * counts as an answer without content.
 */
struct answer {
    struct strbuf line; /* of a stream: the one that is not whole; else
                           all; bounded */
    struct token_count tokens;
    uint64_t content_bytes; /* text, thoughts, calls of tools */
    uint64_t events;        /* of a stream, with data */
    uint64_t hollow;        /* those since the last that had content */
    bool begun, is_json;
    bool has_tokens; /* the provider said so */
    bool has_end;    /* of a stream: it was said that this is all */
};

/** `max_bytes`: of one event, or one JSON object. */
void answer_init(struct answer *answer, size_t max_bytes);
void answer_feed(struct answer *answer, const void *data, size_t len);
/** Nothing more comes. */
void answer_finish(struct answer *answer);
void answer_clear(struct answer *answer);
UNUSED static inline void answer_freep(struct answer *answer)
{
    answer_clear(answer);
}

/** Tokens of so many bytes of text: four make one. */
uint64_t answer_estimate(uint64_t bytes);
/**
 * What it took, or, where the provider did not say, an estimate by the bytes of
 * the request and of the content. Of a stream without its
 * end the output is no less than that.
 */
struct token_count answer_tokens(const struct answer *answer,
                                 size_t request_bytes);

#endif
