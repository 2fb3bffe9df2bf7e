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

void account_hold(struct relay_step *step, struct relay_model *payer,
                  const struct tally *hold)
{
    tally_plus(&step->held, hold);
    tally_plus(&payer->held, hold);
}

void account_release(struct relay_step *step, struct relay_model *payer,
                     const struct tally *hold)
{
    tally_minus(&step->held, hold);
    tally_minus(&payer->held, hold);
}

/* As it is if all that is held is used. */
static struct tally at_worst(const struct tally *spent,
                             const struct tally *held)
{
    struct tally all = *spent;

    tally_plus(&all, held);
    all.estimated = all.estimated || held->input_tokens;
    return all;
}

bool account_has_room(const struct relay_step *step)
{
    const struct relay_model *model = step->model;
    const struct tally own = at_worst(&step->spent, &step->held);
    const struct tally jobs = at_worst(&model->spent, &step->held);

    return tally_has_room(&own, &step->budget) &&
           tally_has_room(&jobs, &model->budget);
}

/* ---- upwards --------------------------------------------------------------
 */

static json_t *amount_json(const struct tally *spent, const struct tally *held)
{
    const struct tally all = at_worst(spent, held);
    uint64_t tokens = all.input_tokens + all.output_tokens;

    return json_pack("{s:I, s:I, s:I}", "requests", (json_int_t)all.requests,
                     "tokens", (json_int_t)tokens, "micro_usd",
                     (json_int_t)tally_micro_usd(&all));
}

static json_t *models_json(const struct relay_step *step,
                           const struct relay_setup *setup)
{
    static const struct tally nothing;
    json_t *all = json_object();

    for (size_t i = 0; i < setup->count; i++) {
        const struct relay_model *model = &setup->models[i];
        json_t *one = amount_json(
            &model->spent, model == step->model ? &step->held : &nothing);

        json_object_set_new(one, "time_ms", json_integer(model->spent.time_ms));
        json_object_set_new(one, "paid",
                            amount_json(&model->paid, &model->held));
        json_object_set_new(all, model->name, one);
    }
    return all;
}

json_t *account_json(const struct relay_step *step,
                     const struct relay_setup *setup)
{
    const struct tally all = at_worst(&step->spent, &step->held);

    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:b, s:o}", "requests",
                     (json_int_t)all.requests, "input_tokens",
                     (json_int_t)all.input_tokens, "output_tokens",
                     (json_int_t)all.output_tokens, "cached_tokens",
                     (json_int_t)all.cached_tokens, "micro_usd",
                     (json_int_t)tally_micro_usd(&all), "estimated",
                     (int)all.estimated, "models", models_json(step, setup));
}
