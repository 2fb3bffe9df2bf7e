/* pipelines/normalise.c - the pipeline as the JSON that is queued. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/units.h"
#include "pipelines/load.h"
#include "pipelines/reason.h"

#include <string.h>

static void set_text(json_t *object, const char *key, const char *text)
{
    if (text)
        json_object_set_new(object, key, json_string(text));
}

static void set_duration(json_t *object, const char *key, int64_t ms)
{
    char text[DURATION_TEXT_SIZE];

    if (ms)
        set_text(object, key, duration_format(ms, text));
}

static void set_size(json_t *object, const char *key, uint64_t bytes)
{
    char text[SIZE_TEXT_SIZE];

    set_text(object, key, size_format(bytes, text));
}

static json_t *env_json(const struct env_list *env)
{
    json_t *object = json_object();

    for (size_t i = 0; i < env->count; i++)
        set_text(object, env->items[i].name, env->items[i].value);
    return object;
}

static json_t *instance_json(const struct instance_type *type)
{
    json_t *object;

    if (instance_type_find(type->name) == type)
        return json_string(type->name);
    object = json_object();
    json_object_set_new(object, "cpu", json_real(type->cpu_millis / 1000.0));
    set_size(object, "memory", type->memory_bytes);
    set_size(object, "disk", type->disk_bytes);
    json_object_set_new(object, "pids", json_integer(type->pids));
    return object;
}

static json_t *sandbox_json(const struct pipeline *p)
{
    json_t *object = json_object();

    set_text(object, "image", p->image);
    json_object_set_new(object, "instance_type",
                        instance_json(p->instance_type));
    set_text(object, "network", p->network == NETWORK_FULL ? "full" : "none");
    json_object_set_new(object, "env", env_json(&p->sandbox_env));
    return object;
}

static json_t *retry_json(const struct step_retry *retry)
{
    json_t *object = json_object();
    json_t *list = json_array();

    json_object_set_new(object, "max", json_integer(retry->max));
    for (const char *const *name = load_retry_reasons; *name; name++)
        if (retry->when & 1u << reason_find(*name))
            json_array_append_new(list, json_string(*name));
    json_object_set_new(object, "when", list);
    if (!retry->exit_code_count)
        return object;
    list = json_array();
    for (size_t i = 0; i < retry->exit_code_count; i++)
        json_array_append_new(list, json_integer(retry->exit_codes[i]));
    json_object_set_new(object, "exit_codes", list);
    return object;
}

static void set_kind(json_t *object, const struct step *step)
{
    json_t *value = json_object();

    switch (step->kind) {
    case STEP_CHECKOUT:
        json_object_set_new(value, "submodules",
                            json_boolean(step->submodules));
        json_object_set_new(object, "checkout", value);
        return;
    case STEP_INSTALL:
        json_decref(value);
        set_text(object, "install", step->install);
        return;
    case STEP_RUN:
        json_decref(value);
        value = json_array();
        for (size_t i = 0; i < step->command_count; i++)
            json_array_append_new(value, json_string(step->commands[i]));
        json_object_set_new(object, "run", value);
        set_text(object, "shell", step->shell);
    }
}

static json_t *step_json(const struct step *step)
{
    json_t *object = json_object();

    set_text(object, "name", step->name);
    set_kind(object, step);
    set_text(object, "if", step->condition);
    set_duration(object, "timeout", step->timeout_ms);
    if (step->kind != STEP_CHECKOUT)
        json_object_set_new(object, "env", env_json(&step->env));
    set_text(object, "working-directory", step->working_directory);
    json_object_set_new(object, "continue-on-error",
                        json_boolean(step->continue_on_error));
    if (step->retry.when)
        json_object_set_new(object, "retry", retry_json(&step->retry));
    return object;
}

json_t *pipeline_to_json(const struct pipeline *pipeline)
{
    json_t *object = json_object();
    json_t *steps = json_array();

    set_text(object, "name", pipeline->name);
    set_text(object, "description", pipeline->description);
    json_object_set_new(object, "sandbox", sandbox_json(pipeline));
    set_duration(object, "timeout", pipeline->timeout_ms);
    json_object_set_new(object, "env", env_json(&pipeline->env));
    for (size_t i = 0; i < pipeline->step_count; i++)
        json_array_append_new(steps, step_json(&pipeline->steps[i]));
    json_object_set_new(object, "steps", steps);
    return object;
}

/* The first error is the one to tell. */
static void keep_error(void *arg, struct yaml_pos pos, const char *message,
                       const char *hint)
{
    struct err *problem = arg;

    (void)pos;
    if (!problem->kind)
        (void)err_set(problem, ERR_USER, "%.600s%s%.100s%s", message,
                      hint ? "; did you mean '" : "", hint ? hint : "",
                      hint ? "'?" : "");
}

int pipeline_from_json(const json_t *json, struct pipeline **out_pipeline,
                       struct err *err)
{
    CLEANUP(pipeline) struct pipeline *pipeline = NULL;
    CLEANUP(yaml_tree) struct yaml_tree *tree = NULL;
    struct err problem = {0};
    struct loader l = {.on_error = keep_error, .arg = &problem};

    if (!json)
        return err_set(err, ERR_USER, "pipeline document: there is none");
    tree = yaml_tree_from_json(json, keep_error, &problem);
    if (tree) {
        pipeline = xcalloc(1, sizeof(*pipeline));
        l.tree = tree;
        l.pipeline = pipeline;
        load_pipeline(&l);
    }
    if (!tree || l.failed || !yaml_tree_is_sound(tree))
        return err_set(err, ERR_USER, "pipeline document: %s", problem.msg);
    if (!pipeline->name)
        pipeline->name = xstrdup("pipeline");
    *out_pipeline = STEAL(pipeline);
    return 0;
}
