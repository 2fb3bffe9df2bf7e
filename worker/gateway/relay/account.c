/* worker/gateway/relay/account.c - what a step and its job have spent. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/gateway/relay/account.h"

#include "base/clock.h"

void account_request(struct relay_step *step, struct relay_model *payer)
{
    step->spent.requests++;
    step->model->spent.requests++;
    payer->paid.requests++;
}

void account_tokens(struct relay_step *step, struct relay_model *payer,
                    const struct token_count *tokens)
{
    tally_add(&step->spent, tokens, &payer->price);
    tally_add(&step->model->spent, tokens, &payer->price);
    tally_add(&payer->paid, tokens, &payer->price);
}

void account_time(struct relay_step *step)
{
    int64_t now_ms = clock_mono_ms();

    step->spent.time_ms += now_ms - step->counted_ms;
    step->model->spent.time_ms += now_ms - step->counted_ms;
    step->counted_ms = now_ms;
}

void account_hold(struct relay_step *step, const struct tally_hold *hold)
{
    step->held.tokens += hold->tokens;
    step->held.pico_usd += hold->pico_usd;
}

void account_release(struct relay_step *step, const struct tally_hold *hold)
{
    step->held.tokens -= hold->tokens;
    step->held.pico_usd -= hold->pico_usd;
}

bool account_has_room(const struct relay_step *step)
{
    return tally_has_room(&step->spent, &step->held, &step->budget) &&
           tally_has_room(&step->model->spent, &step->held,
                          &step->model->budget);
}

/* ---- upwards --------------------------------------------------------------
 */

static json_t *amount_json(const struct tally *tally)
{
    uint64_t tokens = tally->input_tokens + tally->output_tokens;

    return json_pack("{s:I, s:I, s:I}", "requests", (json_int_t)tally->requests,
                     "tokens", (json_int_t)tokens, "micro_usd",
                     (json_int_t)tally_micro_usd(tally));
}

static json_t *models_json(const struct relay_setup *setup)
{
    json_t *all = json_object();

    for (size_t i = 0; i < setup->count; i++) {
        const struct relay_model *model = &setup->models[i];
        json_t *one = amount_json(&model->spent);

        json_object_set_new(one, "time_ms", json_integer(model->spent.time_ms));
        json_object_set_new(one, "paid", amount_json(&model->paid));
        json_object_set_new(all, model->name, one);
    }
    return all;
}

json_t *account_json(const struct relay_step *step,
                     const struct relay_setup *setup)
{
    const struct tally *spent = &step->spent;

    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:b, s:o}", "requests",
                     (json_int_t)spent->requests, "input_tokens",
                     (json_int_t)spent->input_tokens, "output_tokens",
                     (json_int_t)spent->output_tokens, "cached_tokens",
                     (json_int_t)spent->cached_tokens, "micro_usd",
                     (json_int_t)tally_micro_usd(spent), "estimated",
                     (int)spent->estimated, "models", models_json(setup));
}
