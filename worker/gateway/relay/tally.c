/* worker/gateway/relay/tally.c - what requests to models cost. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/gateway/relay/tally.h"

#include "base/units.h"

#include <stdio.h>

#define PICO_PER_MICRO ((uint64_t)1000000)

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* What is too much to count is too much to pay. */
static uint64_t plus(uint64_t sum, uint64_t tokens, uint64_t price)
{
    uint64_t cost, all;

    if (__builtin_mul_overflow(tokens, price, &cost) ||
        __builtin_add_overflow(sum, cost, &all))
        return UINT64_MAX;
    return all;
}

/* A price of a million tokens in millionths of a dollar is one of a token in
 * millionths of these: nothing has to be divided. */
static uint64_t cost_of(const struct token_count *tokens,
                        const struct model_price *price)
{
    uint64_t cached = least(tokens->cached, tokens->input);
    uint64_t written = least(tokens->written, tokens->input - cached);
    uint64_t hours = least(tokens->hours, written);
    uint64_t sum;

    sum = plus(0, tokens->input - cached - written, price->input);
    sum = plus(sum, cached, price->cached);
    sum = plus(sum, written - hours, price->written);
    sum = plus(sum, hours, price->written / 5 * 8);
    return plus(sum, tokens->output, price->output);
}

void tally_add(struct tally *tally, const struct token_count *tokens,
               const struct model_price *price)
{
    tally->input_tokens += tokens->input;
    tally->output_tokens += tokens->output;
    tally->cached_tokens += least(tokens->cached, tokens->input);
    tally->pico_usd = plus(tally->pico_usd, 1, cost_of(tokens, price));
    tally->estimated = tally->estimated || tokens->estimated;
}

void tally_add_usd(struct tally *tally, uint64_t micro_usd)
{
    tally->pico_usd = plus(tally->pico_usd, micro_usd, PICO_PER_MICRO);
}

void tally_plus(struct tally *sum, const struct tally *more)
{
    sum->requests += more->requests;
    sum->input_tokens += more->input_tokens;
    sum->output_tokens += more->output_tokens;
    sum->cached_tokens += more->cached_tokens;
    sum->pico_usd = plus(sum->pico_usd, 1, more->pico_usd);
}

void tally_minus(struct tally *sum, const struct tally *less)
{
    sum->requests -= less->requests;
    sum->input_tokens -= less->input_tokens;
    sum->output_tokens -= less->output_tokens;
    sum->cached_tokens -= less->cached_tokens;
    sum->pico_usd -= less->pico_usd;
}

uint64_t tally_micro_usd(const struct tally *tally)
{
    return tally->pico_usd / PICO_PER_MICRO +
           (tally->pico_usd % PICO_PER_MICRO != 0);
}

static bool is_used_up(uint64_t used, uint64_t limit, const char *what,
                       char *out, size_t size)
{
    if (!limit || used < limit)
        return false;
    (void)snprintf(out, size, "%llu of %llu %s used", (unsigned long long)used,
                   (unsigned long long)limit, what);
    return true;
}

bool tally_allows(const struct tally *tally, const struct model_budget *budget,
                  char *out, size_t size)
{
    uint64_t usd = tally_micro_usd(tally);

    if (is_used_up(tally->requests, budget->requests, "requests", out, size) ||
        is_used_up(tally->input_tokens + tally->output_tokens, budget->tokens,
                   "tokens", out, size))
        return false;
    if (budget->micro_usd && usd >= budget->micro_usd) {
        (void)snprintf(out, size, "%.4f of %.2f USD used", (double)usd / 1e6,
                       (double)budget->micro_usd / 1e6);
        return false;
    }
    if (budget->time_ms && tally->time_ms >= budget->time_ms) {
        char text[DURATION_TEXT_SIZE];

        (void)snprintf(out, size, "all of the time, %s, used",
                       duration_format(budget->time_ms, text));
        return false;
    }
    return true;
}

bool tally_has_room(const struct tally *tally,
                    const struct model_budget *budget)
{
    uint64_t tokens = tally->input_tokens + tally->output_tokens;

    return (!budget->tokens || tokens < budget->tokens) &&
           (!budget->micro_usd || tally_micro_usd(tally) < budget->micro_usd);
}
