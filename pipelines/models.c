/* pipelines/models.c - the models that a worker knows. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/models.h"

#include "pipelines/load.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PRICE_MAX 1e4 /* dollars for a million tokens */
#define MICRO     1e6
#define TEXT_MAX  1024

/* What a job gets where nothing is said. */
static const struct model_budget usual = {
    .requests = 60,
    .tokens = 400000,
    .micro_usd = 2000000,
    .time_ms = (int64_t)15 * 60 * 1000,
};
static const struct model_budget usual_of_forks = {
    .requests = 30,
    .tokens = 200000,
    .micro_usd = 1000000,
    .time_ms = (int64_t)10 * 60 * 1000,
};

/* ---- one model -------------------------------------------------------------
 */

static void load_name(struct loader *l, const struct yaml_node *value,
                      void *target)
{
    (void)load_model_name(l, value, &((struct model_config *)target)->name);
}

static bool take_line(struct loader *l, const struct yaml_node *value,
                      char **out)
{
    if (!load_is_line(l, value, TEXT_MAX))
        return false;
    free(*out);
    *out = xstrdup(value->text);
    return true;
}

static void load_url(struct loader *l, const struct yaml_node *value,
                     void *target)
{
    struct model_config *model = target;
    const char *host;

    if (!take_line(l, value, &model->url))
        return;
    host = !strncmp(value->text, "https://", 8)  ? value->text + 8
           : !strncmp(value->text, "http://", 7) ? value->text + 7
                                                 : "";
    if (!*host || *host == '/')
        load_fail(l, value, NULL, "an address begins with https:// or http://");
    else if (strpbrk(host, "?#@ "))
        load_fail(l, value, NULL,
                  "an address has no user, no query and no fragment: the key "
                  "goes under key");
}

static void load_dialect(struct loader *l, const struct yaml_node *value,
                         void *target)
{
    static const char *const words[] = {"openai", "anthropic", NULL};
    struct model_config *model = target;
    size_t i;

    if (!load_word(l, value, words, &i))
        return;
    free(model->dialect);
    model->dialect = xstrdup(words[i]);
}

/* Of a key that stands here itself nothing must be shown. */
static void load_key(struct loader *l, const struct yaml_node *value,
                     void *target)
{
    struct model_config *model = target;
    const char *text = value->kind == NODE_STRING ? value->text : "";

    if (!strncmp(text, "file:/", 6) || (!strncmp(text, "env:", 4) && text[4]))
        (void)take_line(l, value, &model->key);
    else
        load_fail(l, value, NULL,
                  "a key is never written here: say  file:/PATH  or  env:NAME");
}

static void load_id(struct loader *l, const struct yaml_node *value,
                    void *target)
{
    (void)take_line(l, value, &((struct model_config *)target)->id);
}

static void load_allowed(struct loader *l, const struct yaml_node *value,
                         void *target)
{
    if (load_is_line(l, value, MODEL_MAX_ID))
        strv_add(target, value->text);
}

static void load_allow(struct loader *l, const struct yaml_node *value,
                       void *target)
{
    (void)load_each(l, value, MODELS_MAX_ALLOW, "models", load_allowed,
                    &((struct model_config *)target)->allow);
}

static void load_limit(struct loader *l, const struct yaml_node *value,
                       uint64_t *out)
{
    int number;

    if (load_whole(l, value, 1, MODELS_MAX_TOKENS, &number))
        *out = (uint64_t)number;
}

static void load_context(struct loader *l, const struct yaml_node *value,
                         void *target)
{
    load_limit(l, value, &((struct model_config *)target)->context);
}

static void load_output(struct loader *l, const struct yaml_node *value,
                        void *target)
{
    load_limit(l, value, &((struct model_config *)target)->output);
}

static void load_fallback(struct loader *l, const struct yaml_node *value,
                          void *target)
{
    (void)load_model_name(l, value, &((struct model_config *)target)->fallback);
}

static void load_ca(struct loader *l, const struct yaml_node *value,
                    void *target)
{
    if (take_line(l, value, &((struct model_config *)target)->ca) &&
        *value->text != '/')
        load_fail(l, value, NULL, "the path of a file begins with /");
}

/* ---- its price and budgets -------------------------------------------------
 */

static void take_price(struct loader *l, const struct yaml_node *value,
                       uint64_t *out)
{
    double usd;

    if (load_amount(l, value, PRICE_MAX, &usd))
        *out = (uint64_t)llround(usd * MICRO);
}

static void load_input(struct loader *l, const struct yaml_node *value,
                       void *target)
{
    take_price(l, value, &((struct model_config *)target)->price.input);
}

static void load_out(struct loader *l, const struct yaml_node *value,
                     void *target)
{
    take_price(l, value, &((struct model_config *)target)->price.output);
}

static void load_cached(struct loader *l, const struct yaml_node *value,
                        void *target)
{
    take_price(l, value, &((struct model_config *)target)->price.cached);
}

static void load_written(struct loader *l, const struct yaml_node *value,
                         void *target)
{
    take_price(l, value, &((struct model_config *)target)->price.written);
}

static const struct key_rule price_keys[] = {
    {"input", load_input, true, 0},
    {"output", load_out, true, 0},
    {"cached", load_cached, false, 0},
    {"written", load_written, false, 0},
};

static const struct map_rules price_rules = {
    "a price", price_keys, ARRAY_LEN(price_keys), NULL, 0,
};

static void load_price(struct loader *l, const struct yaml_node *value,
                       void *target)
{
    struct model_config *model = target;

    load_map(l, value, &price_rules, 0, model);
    if (!yaml_node_get(value, "cached"))
        model->price.cached = model->price.input;
    if (!yaml_node_get(value, "written")) /* as Anthropic has it */
        model->price.written = model->price.input + model->price.input / 4;
}

/* What is said takes the place of all that is usual. */
static void take_budget(struct loader *l, const struct yaml_node *value,
                        struct model_budget *out)
{
    *out = (struct model_budget){0};
    load_model_budget(l, value, out);
}

static void load_job_budget(struct loader *l, const struct yaml_node *value,
                            void *target)
{
    take_budget(l, value, &((struct model_config *)target)->budget);
}

static void load_fork_budget(struct loader *l, const struct yaml_node *value,
                             void *target)
{
    take_budget(l, value, &((struct model_config *)target)->fork_budget);
}

static void take_shared(struct loader *l, const struct yaml_node *value,
                        struct model_budget *out)
{
    take_budget(l, value, out);
    if (yaml_node_get(value, "time"))
        load_fail(l, yaml_node_get(value, "time"), NULL,
                  "time is for the budget of one job");
}

static void load_repository_budget(struct loader *l,
                                   const struct yaml_node *value, void *target)
{
    take_shared(l, value, &((struct model_config *)target)->repository_budget);
}

static void load_day_budget(struct loader *l, const struct yaml_node *value,
                            void *target)
{
    take_shared(l, value, &((struct model_config *)target)->day_budget);
}

static const struct key_rule model_keys[] = {
    {"name", load_name, true, 0},
    {"url", load_url, true, 0},
    {"dialect", load_dialect, false, 0},
    {"key", load_key, false, 0},
    {"model", load_id, true, 0},
    {"allow", load_allow, false, 0},
    {"context", load_context, false, 0},
    {"output", load_output, false, 0},
    {"price", load_price, false, 0},
    {"fallback", load_fallback, false, 0},
    {"ca", load_ca, false, 0},
    {"budget", load_job_budget, false, 0},
    {"fork_budget", load_fork_budget, false, 0},
    {"repository_budget", load_repository_budget, false, 0},
    {"day_budget", load_day_budget, false, 0},
};

static const struct foreign_word model_foreign[] = {
    {"base_url", "write url"},
    {"baseURL", "write url"},
    {"endpoint", "write url"},
    {"api_key", "write key: file:/PATH"},
    {"apiKey", "write key: file:/PATH"},
    {"provider", "write dialect"},
    {"id", "write model"},
};

static const struct map_rules model_rules = {
    "a model",
    model_keys,
    ARRAY_LEN(model_keys),
    model_foreign,
    ARRAY_LEN(model_foreign),
};

/* ---- the list --------------------------------------------------------------
 */

/* Each amount of a shared budget has to be there of a job's, to be reserved. */
static bool check_shared(struct loader *l, const struct yaml_node *at,
                         const struct model_config *model, const char *what,
                         const struct model_budget *shared)
{
    const struct model_budget *budgets[] = {&model->budget,
                                            &model->fork_budget};

    for (size_t i = 0; i < ARRAY_LEN(budgets); i++) {
        const char *missing =
            shared->requests && !budgets[i]->requests     ? "requests"
            : shared->tokens && !budgets[i]->tokens       ? "tokens"
            : shared->micro_usd && !budgets[i]->micro_usd ? "usd"
                                                          : NULL;

        if (missing) {
            load_fail(l, at, NULL, "%s limits %s, so %s has to", what, missing,
                      i ? "fork_budget" : "budget");
            return false;
        }
    }
    return true;
}

/* What falls back on a model spends of what that one shares. */
static void check_fallbacks(struct loader *l, const struct yaml_node *at,
                            const struct model_list *list,
                            const struct model_config *model)
{
    const struct model_config *other = model;

    for (size_t i = 0; i < list->count && other->fallback; i++) {
        char what[MODEL_MAX_NAME + 32];

        other = model_list_find(list, other->fallback);
        if (!other || other == model)
            return;
        (void)snprintf(what, sizeof(what), "repository_budget of '%s'",
                       other->name);
        if (!check_shared(l, at, model, what, &other->repository_budget))
            return;
        (void)snprintf(what, sizeof(what), "day_budget of '%s'", other->name);
        if (!check_shared(l, at, model, what, &other->day_budget))
            return;
    }
}

static void check_model(struct loader *l, const struct yaml_node *node,
                        const struct model_list *list, size_t index)
{
    const struct model_config *model = &list->items[index];
    const struct model_config *other =
        model->fallback ? model_list_find(list, model->fallback) : NULL;

    for (size_t k = 0; model->name && k < index; k++)
        if (list->items[k].name && !strcmp(list->items[k].name, model->name)) {
            load_fail(l, yaml_node_get(node, "name"), NULL,
                      "the model '%s' is there twice", model->name);
            break;
        }
    if (model->fallback && (!other || other == model))
        load_fail(l, yaml_node_get(node, "fallback"), NULL,
                  "'%s' is no other model of this list", model->fallback);
    else if (other && strcmp(other->dialect, model->dialect) != 0)
        load_fail(l, yaml_node_get(node, "fallback"), NULL,
                  "'%s' speaks another dialect", model->fallback);
    else if (other)
        check_fallbacks(l, yaml_node_get(node, "fallback"), list, model);
    (void)check_shared(l, yaml_node_get(node, "repository_budget"), model,
                       "repository_budget", &model->repository_budget);
    (void)check_shared(l, yaml_node_get(node, "day_budget"), model,
                       "day_budget", &model->day_budget);
}

int model_list_load(const struct yaml_tree *tree, const struct yaml_node *node,
                    yaml_error_fn *on_error, void *arg,
                    struct model_list **out_list)
{
    CLEANUP(model_list) struct model_list *list = xcalloc(1, sizeof(*list));
    struct loader l = {.tree = tree, .on_error = on_error, .arg = arg};

    if (node && node->kind == NODE_LIST && node->count <= MODELS_MAX) {
        list->items = xcalloc(node->count + 1, sizeof(*list->items));
        list->count = node->count;
        for (size_t i = 0; i < node->count; i++) {
            list->items[i].dialect = xstrdup("openai");
            list->items[i].budget = usual;
            list->items[i].fork_budget = usual_of_forks;
            load_map(&l, node->items[i], &model_rules, 0, &list->items[i]);
        }
        for (size_t i = 0; i < node->count; i++)
            check_model(&l, node->items[i], list, i);
    } else if (node && node->kind != NODE_NULL) {
        load_fail(&l, node, NULL, "models are a list of at most %d mappings",
                  MODELS_MAX);
    }
    if (l.failed)
        return -1;
    *out_list = STEAL(list);
    return 0;
}

void model_list_free(struct model_list *list)
{
    if (!list)
        return;
    for (size_t i = 0; i < list->count; i++) {
        struct model_config *model = &list->items[i];

        free(model->name);
        free(model->url);
        free(model->dialect);
        free(model->key);
        free(model->id);
        free(model->fallback);
        free(model->ca);
        strv_clear(&model->allow);
    }
    free(list->items);
    free(list);
}

const struct model_config *model_list_find(const struct model_list *list,
                                           const char *name)
{
    for (size_t i = 0; list && i < list->count; i++)
        if (!*name ||
            (list->items[i].name && !strcmp(list->items[i].name, name)))
            return &list->items[i];
    return NULL;
}

/* ---- as JSON ---------------------------------------------------------------
 */

static json_t *budget_json(const struct model_budget *budget)
{
    return json_pack(
        "{s:I, s:I, s:I, s:I}", "requests", (json_int_t)budget->requests,
        "tokens", (json_int_t)budget->tokens, "micro_usd",
        (json_int_t)budget->micro_usd, "time_ms", (json_int_t)budget->time_ms);
}

static void set_optional(json_t *object, const char *key, const char *text)
{
    if (text)
        json_object_set_new(object, key, json_string(text));
}

static json_t *model_json(const struct model_config *model)
{
    json_t *allow = json_array();
    json_t *object;

    for (size_t i = 0; i < model->allow.count; i++)
        json_array_append_new(allow, json_string(model->allow.items[i]));
    object = json_pack(
        "{s:s, s:s, s:s, s:s, s:o, s:I, s:I, s:{s:I, s:I, s:I, s:I}}", "name",
        model->name, "url", model->url, "dialect", model->dialect, "model",
        model->id, "allow", allow, "context", (json_int_t)model->context,
        "output", (json_int_t)model->output, "price", "input",
        (json_int_t)model->price.input, "output",
        (json_int_t)model->price.output, "cached",
        (json_int_t)model->price.cached, "written",
        (json_int_t)model->price.written);
    set_optional(object, "key", model->key);
    set_optional(object, "fallback", model->fallback);
    set_optional(object, "ca", model->ca);
    json_object_set_new(object, "budget", budget_json(&model->budget));
    json_object_set_new(object, "fork_budget",
                        budget_json(&model->fork_budget));
    json_object_set_new(object, "repository_budget",
                        budget_json(&model->repository_budget));
    json_object_set_new(object, "day_budget", budget_json(&model->day_budget));
    return object;
}

json_t *model_list_to_json(const struct model_list *list)
{
    json_t *array = json_array();

    for (size_t i = 0; i < list->count; i++)
        json_array_append_new(array, model_json(&list->items[i]));
    return array;
}
