/* worker/job/model_env.c - what a step can know of its model. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/job/model_env.h"

#include "worker/job/egress.h"
#include "worker/sandbox/hostenv.h"

#include <string.h>

#define STRING_OF(number) #number
#define HOST_AT(port)     "http://127.0.0.1:" STRING_OF(port)
#define HOST              HOST_AT(SANDBOX_MODEL_PORT)
#define URL               HOST "/v1"

static const char *text_of(const json_t *model, const char *field)
{
    const char *text = json_string_value(json_object_get(model, field));

    return text ? text : "";
}

static uint64_t number_of(const json_t *model, const char *field)
{
    json_int_t number = json_integer_value(json_object_get(model, field));

    return number > 0 ? (uint64_t)number : 0;
}

/* "": the first one. */
static const json_t *find(const struct job_start *start, const char *name)
{
    const json_t *model;
    size_t i;

    json_array_foreach(start->models, i, model)
    {
        if (!*name || !strcmp(text_of(model, "name"), name))
            return model;
    }
    return NULL;
}

static bool allows(const json_t *model, const char *id)
{
    const json_t *list = json_object_get(model, "allow");
    const json_t *word;
    size_t i;

    if (!strcmp(text_of(model, "model"), id))
        return true;
    json_array_foreach(list, i, word)
    {
        if (!strcmp(json_string_value(word), id))
            return true;
    }
    return false;
}

int model_info(const struct job_start *start, size_t index,
               struct model_info *out_info, struct err *err)
{
    const struct step_model *wanted = &start->pipeline->steps[index].model;
    const json_t *model;

    if (!wanted->name)
        return err_set(err, ERR_USER, "the step has no model");
    model = find(start, wanted->name);
    if (!model && !*wanted->name)
        return err_set(err, ERR_USER,
                       "this worker has no model (models of its "
                       "configuration)");
    if (!model)
        return err_set(err, ERR_USER,
                       "this worker has no model '%.60s' (models of its "
                       "configuration)",
                       wanted->name);
    if (wanted->id && !allows(model, wanted->id))
        return err_set(err, ERR_USER,
                       "the model '%.100s' is not one that '%.60s' may be "
                       "asked for here",
                       wanted->id, text_of(model, "name"));
    *out_info = (struct model_info){
        .name = text_of(model, "name"),
        .url = URL,
        .dialect = text_of(model, "dialect"),
        .id = wanted->id ? wanted->id : text_of(model, "model"),
        .context = number_of(model, "context"),
        .output = number_of(model, "output"),
    };
    return 0;
}

int models_check(const struct job_start *start,
                 const struct sandbox_driver *driver, struct err *err)
{
    for (size_t i = 0; i < start->pipeline->step_count; i++) {
        struct model_info info;
        const char *problem;

        if (!start->pipeline->steps[i].model.name)
            continue;
        if (model_info(start, i, &info, err) < 0)
            return err_wrap(err, "step '%.100s'",
                            start->pipeline->steps[i].name);
        problem = text_of(find(start, info.name), "unusable");
        if (*problem)
            return err_set(err, ERR_TRANSIENT, "the model '%.60s': %.400s",
                           info.name, problem);
        if (!egress_can_listen(start, driver))
            return err_set(err, ERR_USER,
                           "sandboxes by '%s' and this runtime cannot be "
                           "given a model: use crun or runc",
                           driver->name);
    }
    return 0;
}

static void set_new(struct strv *env, const char *name, const char *value)
{
    if (!strv_getenv(env, name))
        strv_setenv(env, name, value);
}

static void set_number(struct strv *env, const char *name, uint64_t number)
{
    CLEANUP(mem) char *text = xasprintf("%llu", (unsigned long long)number);

    if (number)
        strv_setenv(env, name, text);
}

/* A proxy of the host's network has another 127.0.0.1. */
static void pass_proxies(struct strv *env)
{
    static const char *const names[] = {"no_proxy", "NO_PROXY"};

    if (!strv_getenv(env, "http_proxy") && !strv_getenv(env, "HTTP_PROXY"))
        return;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *old = strv_getenv(env, names[i]);
        CLEANUP(mem)
        char *text =
            xasprintf("%s%s127.0.0.1", old ? old : "", old && *old ? "," : "");

        if (!old || !strstr(old, "127.0.0.1"))
            strv_setenv(env, names[i], text);
    }
}

void models_env(const struct job_start *start, size_t index, struct strv *env)
{
    struct model_info info;

    if (model_info(start, index, &info, NULL) < 0)
        return;
    strv_setenv(env, "BERTH_MODEL_URL", info.url);
    strv_setenv(env, "BERTH_MODEL", info.id);
    strv_setenv(env, "BERTH_MODEL_DIALECT", info.dialect);
    set_number(env, "BERTH_MODEL_CONTEXT", info.context);
    set_number(env, "BERTH_MODEL_OUTPUT", info.output);
    if (!strcmp(info.dialect, "anthropic")) {
        /* Its clients add the /v1 themselves. */
        set_new(env, "ANTHROPIC_BASE_URL", HOST);
        set_new(env, "ANTHROPIC_API_KEY", "unused");
    } else {
        set_new(env, "OPENAI_BASE_URL", info.url);
        set_new(env, "OPENAI_API_KEY", "unused");
    }
    pass_proxies(env);
}

json_t *model_step_json(const struct job_start *start, size_t index)
{
    const struct step_model *wanted = &start->pipeline->steps[index].model;
    const struct model_budget *budget = &wanted->budget;

    return json_pack("{s:s, s:{s:I, s:I, s:I, s:I}}", "model",
                     text_of(find(start, wanted->name), "name"), "budget",
                     "requests", (json_int_t)budget->requests, "tokens",
                     (json_int_t)budget->tokens, "micro_usd",
                     (json_int_t)budget->micro_usd, "time_ms",
                     (json_int_t)budget->time_ms);
}
