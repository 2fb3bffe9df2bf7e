/* worker/gateway/relay/tally.h - what requests to models cost. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_GATEWAY_RELAY_TALLY_H
#define WORKER_GATEWAY_RELAY_TALLY_H

#include "pipelines/pipeline.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Millionths of a dollar for a million tokens. */
struct model_price {
    uint64_t input, output;
    uint64_t cached;  /* of what is read from the provider's cache */
    uint64_t written; /* of what is put there, for minutes */
};

/** Start zeroed. */
struct tally {
    uint64_t requests;
    uint64_t input_tokens, output_tokens;
    uint64_t cached_tokens; /* a part of input_tokens */
    uint64_t pico_usd;
    int64_t time_ms;
    bool estimated;
};

/** What one answer took of tokens. */
struct token_count {
    uint64_t input, output;
    uint64_t cached;  /* of `input`: read from the provider's cache */
    uint64_t written; /* of `input`: put there */
    uint64_t hours;   /* of `written`: for an hour, at eight fifths */
    bool estimated;
};

/** Nobody's answer has more of either. */
#define TOKENS_MAX ((uint64_t)1000000000)

void tally_add(struct tally *tally, const struct token_count *tokens,
               const struct model_price *price);
/** Add what was spent otherwise. */
void tally_add_usd(struct tally *tally, uint64_t micro_usd);
/** Rounded up. */
uint64_t tally_micro_usd(const struct tally *tally);
/** Time and `estimated` of `sum` stay as they are. */
void tally_plus(struct tally *sum, const struct tally *more);
/** The inverse, of what was added. */
void tally_minus(struct tally *sum, const struct tally *less);

/**
 * Whether one more request may be sent. False: `out` says what is used up, as
 * "40 of 40 requests used".
 */
bool tally_allows(const struct tally *tally, const struct model_budget *budget,
                  char *out, size_t size);
/** Whether there are tokens and money left. */
bool tally_has_room(const struct tally *tally,
                    const struct model_budget *budget);

#endif
