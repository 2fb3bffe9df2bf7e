/* pipelines/load_model.c - steps that may ask a model, and what of it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/units.h"
#include "pipelines/load.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define AMOUNT_MAX 1e12 /* of requests and tokens */
#define USD_MAX    1e6
#define MICRO      1e6

bool load_amount(struct loader *l, const struct yaml_node *value, double max,
                 double *out)
{
    bool is_number = value->kind == NODE_INT || value->kind == NODE_FLOAT;

    if (is_number && value->number >= 0 && value->number <= max) {
        *out = value->number;
        return true;
    }
    load_fail(l, value, NULL, "a number from 0 to %g", max);
    return false;
}

/* ---- a budget --------------------------------------------------------------
 */

static void load_count(struct loader *l, const struct yaml_node *value,
                       uint64_t *out)
{
    double number;

    if (!load_amount(l, value, AMOUNT_MAX, &number))
        return;
    if (number < 1 || trunc(number) < number)
        load_fail(l, value, NULL, "a whole number from 1 on");
    else
        *out = (uint64_t)number;
}

static void load_requests(struct loader *l, const struct yaml_node *value,
                          void *target)
{
    load_count(l, value, &((struct model_budget *)target)->requests);
}

static void load_tokens(struct loader *l, const struct yaml_node *value,
                        void *target)
{
    load_count(l, value, &((struct model_budget *)target)->tokens);
}

static void load_usd(struct loader *l, const struct yaml_node *value,
                     void *target)
{
    struct model_budget *budget = target;
    double usd;

    if (!load_amount(l, value, USD_MAX, &usd))
        return;
    budget->micro_usd = (uint64_t)llround(usd * MICRO);
    if (!budget->micro_usd)
        load_fail(l, value, NULL, "a millionth of a dollar at least");
}

static void load_time(struct loader *l, const struct yaml_node *value,
                      void *target)
{
    (void)load_duration(l, value, &((struct model_budget *)target)->time_ms);
}

static const struct key_rule budget_keys[] = {
    {"requests", load_requests, false, 0},
    {"tokens", load_tokens, false, 0},
    {"usd", load_usd, false, 0},
    {"time", load_time, false, 0},
};

static const struct foreign_word budget_foreign[] = {
    {"timeout", "write time"},
    {"cost", "write usd"},
    {"dollars", "write usd"},
};

static const struct map_rules budget_rules = {
    "a budget",
    budget_keys,
    ARRAY_LEN(budget_keys),
    budget_foreign,
    ARRAY_LEN(budget_foreign),
};

void load_model_budget(struct loader *l, const struct yaml_node *value,
                       void *target)
{
    load_map(l, value, &budget_rules, 0, target);
}

static json_t *budget_to_json(const struct model_budget *budget)
{
    json_t *object = json_object();
    char text[DURATION_TEXT_SIZE];

    if (budget->requests)
        json_object_set_new(object, "requests",
                            json_integer((json_int_t)budget->requests));
    if (budget->tokens)
        json_object_set_new(object, "tokens",
                            json_integer((json_int_t)budget->tokens));
    if (budget->micro_usd)
        json_object_set_new(object, "usd",
                            json_real((double)budget->micro_usd / MICRO));
    if (budget->time_ms)
        json_object_set_new(
            object, "time",
            json_string(duration_format(budget->time_ms, text)));
    return object;
}

/* ---- a step ----------------------------------------------------------------
 */

bool load_model_name(struct loader *l, const struct yaml_node *value,
                     char **out)
{
    const char *text = value->text;
    size_t len;

    if (!load_is_line(l, value, MODEL_MAX_NAME))
        return false;
    len = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");
    if (text[len] || *text == '-') {
        load_fail(l, value, NULL,
                  "a model's name has small letters, digits and -");
        return false;
    }
    free(*out);
    *out = xstrdup(text);
    return true;
}

static void load_name(struct loader *l, const struct yaml_node *value,
                      void *target)
{
    (void)load_model_name(l, value, &((struct step_model *)target)->name);
}

static void load_id(struct loader *l, const struct yaml_node *value,
                    void *target)
{
    struct step_model *model = target;

    if (!load_is_line(l, value, MODEL_MAX_ID))
        return;
    free(model->id);
    model->id = xstrdup(value->text);
}

static void load_step_budget(struct loader *l, const struct yaml_node *value,
                             void *target)
{
    load_model_budget(l, value, &((struct step_model *)target)->budget);
}

static const struct key_rule model_keys[] = {
    {"name", load_name, false, 0},
    {"id", load_id, false, 0},
    {"budget", load_step_budget, false, 0},
};

static const struct foreign_word model_foreign[] = {
    {"model", "write id"},
    {"key", "the worker has the key: it is none of the pipeline's"},
    {"api_key", "the worker has the key: it is none of the pipeline's"},
    {"url", "the worker says where a model is"},
};

static const struct map_rules model_rules = {
    "model",
    model_keys,
    ARRAY_LEN(model_keys),
    model_foreign,
    ARRAY_LEN(model_foreign),
};

void load_model(struct loader *l, const struct yaml_node *value, void *target)
{
    struct step_model *model = &((struct step *)target)->model;

    if (value->kind == NODE_BOOL && value->number == 0)
        return;
    if (value->kind == NODE_MAP)
        load_map(l, value, &model_rules, 0, model);
    else if (value->kind != NODE_BOOL)
        load_name(l, value, model);
    if (!model->name)
        model->name = xstrdup("");
}

json_t *step_model_to_json(const struct step_model *model)
{
    const struct model_budget *budget = &model->budget;
    bool has_budget = budget->requests || budget->tokens || budget->micro_usd ||
                      budget->time_ms;
    json_t *object;

    if (!model->id && !has_budget)
        return *model->name ? json_string(model->name) : json_true();
    object = json_object();
    if (*model->name)
        json_object_set_new(object, "name", json_string(model->name));
    if (model->id)
        json_object_set_new(object, "id", json_string(model->id));
    if (has_budget)
        json_object_set_new(object, "budget", budget_to_json(budget));
    return object;
}
