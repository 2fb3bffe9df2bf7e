/* worker/gateway/relay/setup.c - the models that a relay may ask. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/gateway/relay/setup.h"

#include <stdlib.h>
#include <string.h>

#define MODELS_MAX 64
#define ALLOW_MAX  200

static int bad(struct err *err, const char *field)
{
    return err_set(err, ERR_BUG, "the relay's setup has no good '%s'", field);
}

/* A whole number from 0 on; `fallback` when it is left out. */
static int take_number(const json_t *object, const char *field,
                       uint64_t fallback, uint64_t *out, struct err *err)
{
    const json_t *value = json_object_get(object, field);

    if (!value) {
        *out = fallback;
        return 0;
    }
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return bad(err, field);
    *out = (uint64_t)json_integer_value(value);
    return 0;
}

static int take_time(const json_t *object, const char *field, int64_t fallback,
                     int64_t *out, struct err *err)
{
    uint64_t value;

    if (take_number(object, field, (uint64_t)fallback, &value, err) < 0)
        return -1;
    *out = (int64_t)value;
    return 0;
}

static int take_text(const json_t *object, const char *field, char **out,
                     struct err *err)
{
    const char *text = json_string_value(json_object_get(object, field));

    if (!text || strpbrk(text, "\r\n"))
        return bad(err, field);
    *out = xstrdup(text);
    return 0;
}

static int take_budget(const json_t *object, struct model_budget *out,
                       struct err *err)
{
    const json_t *budget = json_object_get(object, "budget");

    if (take_number(budget, "requests", 0, &out->requests, err) < 0 ||
        take_number(budget, "tokens", 0, &out->tokens, err) < 0 ||
        take_number(budget, "micro_usd", 0, &out->micro_usd, err) < 0)
        return -1;
    return take_time(budget, "time_ms", 0, &out->time_ms, err);
}

/* What earlier attempts of the job had of it. */
static int take_spent(const json_t *object, struct tally *out, struct err *err)
{
    const json_t *spent = json_object_get(object, "spent");
    uint64_t micro_usd;

    if (take_number(spent, "requests", 0, &out->requests, err) < 0 ||
        take_number(spent, "tokens", 0, &out->input_tokens, err) < 0 ||
        take_number(spent, "micro_usd", 0, &micro_usd, err) < 0)
        return -1;
    tally_add_usd(out, micro_usd);
    return take_time(spent, "time_ms", 0, &out->time_ms, err);
}

static int take_allow(const json_t *object, struct strv *out, struct err *err)
{
    const json_t *list = json_object_get(object, "allow");
    const json_t *word;
    size_t i;

    if (list && (!json_is_array(list) || json_array_size(list) > ALLOW_MAX))
        return bad(err, "allow");
    json_array_foreach(list, i, word)
    {
        if (!json_is_string(word))
            return bad(err, "allow");
        strv_add(out, json_string_value(word));
    }
    return 0;
}

static int take_price(const json_t *object, struct model_price *out,
                      struct err *err)
{
    const json_t *price = json_object_get(object, "price");

    if (take_number(price, "input", 0, &out->input, err) < 0 ||
        take_number(price, "output", 0, &out->output, err) < 0)
        return -1;
    if (take_number(price, "cached", out->input, &out->cached, err) < 0)
        return -1;
    return take_number(price, "written", out->input, &out->written, err);
}

static int take_model(const json_t *object, struct relay_model *model,
                      struct err *err)
{
    const char *dialect = json_string_value(json_object_get(object, "dialect"));
    const char *ca = json_string_value(json_object_get(object, "ca"));

    if (take_text(object, "name", &model->name, err) < 0 ||
        take_text(object, "url", &model->url, err) < 0 ||
        take_text(object, "key", &model->key, err) < 0 ||
        take_text(object, "model", &model->id, err) < 0)
        return -1;
    if (dialect && !strcmp(dialect, "anthropic"))
        model->dialect = DIALECT_ANTHROPIC;
    else if (!dialect || strcmp(dialect, "openai") != 0)
        return bad(err, "dialect");
    if (ca)
        model->ca = xstrdup(ca);
    if (take_allow(object, &model->allow, err) < 0 ||
        take_price(object, &model->price, err) < 0 ||
        take_number(object, "output", 0, &model->output, err) < 0 ||
        take_spent(object, &model->spent, err) < 0)
        return -1;
    return take_budget(object, &model->budget, err);
}

static struct relay_model *find(const struct relay_setup *setup,
                                const char *name)
{
    for (size_t i = 0; name && i < setup->count; i++)
        if (!strcmp(setup->models[i].name, name))
            return &setup->models[i];
    return NULL;
}

static int take_models(const json_t *list, struct relay_setup *setup,
                       struct err *err)
{
    const json_t *item;
    size_t i;

    if (!json_array_size(list) || json_array_size(list) > MODELS_MAX)
        return bad(err, "models");
    setup->models = xcalloc(json_array_size(list), sizeof(*setup->models));
    json_array_foreach(list, i, item)
    {
        setup->count++;
        if (take_model(item, &setup->models[i], err) < 0)
            return -1;
    }
    json_array_foreach(list, i, item)
    {
        const char *name = json_string_value(json_object_get(item, "fallback"));
        struct relay_model *other = find(setup, name);

        if (name && (!other || other->dialect != setup->models[i].dialect))
            return bad(err, "fallback");
        setup->models[i].fallback = other;
    }
    return 0;
}

static int take_limits(const json_t *doc, struct relay_setup *setup,
                       struct err *err)
{
    if (take_time(doc, "first_byte_ms", 120000, &setup->first_byte_ms, err) <
            0 ||
        take_time(doc, "stall_ms", 30000, &setup->stall_ms, err) < 0 ||
        take_time(doc, "retry_ms", 60000, &setup->retry_ms, err) < 0 ||
        take_time(doc, "backoff_ms", 1000, &setup->backoff_ms, err) < 0 ||
        take_number(doc, "max_answer", (uint64_t)8 << 20, &setup->max_answer,
                    err) < 0 ||
        take_number(doc, "max_empty", 3, &setup->max_empty, err) < 0 ||
        take_number(doc, "max_buffered", (uint64_t)64 << 20,
                    &setup->max_buffered, err) < 0)
        return -1;
    return take_number(doc, "max_hollow", 1000, &setup->max_hollow, err);
}

/* Keys are not left behind in what was freed. */
static void wipe_keys(const json_t *doc)
{
    const json_t *item;
    size_t i;

    json_array_foreach(json_object_get(doc, "models"), i, item)
    {
        const json_t *key = json_object_get(item, "key");

        mem_wipe((char *)(uintptr_t)json_string_value(key),
                 json_string_length(key));
    }
}

int relay_setup_parse(const void *data, size_t len,
                      struct relay_setup **out_setup, struct err *err)
{
    CLEANUP(relay_setup) struct relay_setup *setup = xcalloc(1, sizeof(*setup));
    json_t *doc = json_loadb(data, len, JSON_REJECT_DUPLICATES, NULL);
    int rc = -1;

    if (!json_is_object(doc))
        (void)err_set(err, ERR_BUG, "the relay's setup is no JSON object");
    else if (take_limits(doc, setup, err) == 0)
        rc = take_models(json_object_get(doc, "models"), setup, err);
    wipe_keys(doc);
    json_decref(doc);
    if (rc == 0)
        *out_setup = STEAL(setup);
    return rc;
}

void relay_setup_free(struct relay_setup *setup)
{
    if (!setup)
        return;
    for (size_t i = 0; i < setup->count; i++) {
        struct relay_model *model = &setup->models[i];

        if (model->key)
            mem_wipe(model->key, strlen(model->key));
        free(model->key);
        free(model->name);
        free(model->url);
        free(model->id);
        free(model->ca);
        strv_clear(&model->allow);
    }
    free(setup->models);
    free(setup);
}

int relay_step_parse(const struct relay_setup *setup, const void *data,
                     size_t len, struct relay_step *out_step, struct err *err)
{
    json_t *doc = json_loadb(data, len, 0, NULL);
    const char *name = json_string_value(json_object_get(doc, "model"));
    struct relay_step step = {.model = find(setup, name)};
    int rc =
        step.model ? take_budget(doc, &step.budget, err) : bad(err, "model");

    if (rc == 0)
        *out_step = step;
    json_decref(doc);
    return rc;
}

bool relay_step_allows(const struct relay_step *step, const char *id)
{
    const struct relay_model *model = step->model;

    if (!strcmp(model->id, id))
        return true;
    for (size_t i = 0; i < model->allow.count; i++)
        if (!strcmp(model->allow.items[i], id))
            return true;
    return false;
}
