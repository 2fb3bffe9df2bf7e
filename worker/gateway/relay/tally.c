/* worker/gateway/relay/tally.c - what requests to models cost. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/gateway/relay/tally.h"

#include "base/units.h"

#include <stdio.h>

#define PICO_PER_MICRO ((uint64_t)1000000)

/* A price of a million tokens in millionths of a dollar is one of a token in
 * millionths of these: nothing has to be divided. */
void tally_add(struct tally *tally, const struct token_count *tokens,
               const struct model_price *price)
{
    uint64_t cached =
        tokens->cached < tokens->input ? tokens->cached : tokens->input;

    tally->input_tokens += tokens->input;
    tally->output_tokens += tokens->output;
    tally->cached_tokens += cached;
    tally->pico_usd += (tokens->input - cached) * price->input +
                       cached * price->cached + tokens->output * price->output;
    tally->estimated = tally->estimated || tokens->estimated;
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
